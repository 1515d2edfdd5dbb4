// The charts of a target: a panel for each rule's load against its thresholds, one for nodes against bounds, all on one
// time axis in UTC; decisions to scale are triangles, operations are bands. Colours come from the style sheet.
const RANGES = { "1h": 3600, "6h": 21600, "24h": 86400, "7d": 604800 };
const SHORTEST = 60, LONGEST = 30 * 86400; // seconds
const NOT_BEFORE = 1500, SHARE = 12; // a chart that took a second is not read again for twelve

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const number = (value) => value == null ? "—" : String(Math.round(value * 100) / 100);
const utc = (seconds) => new Date(seconds * 1000).toISOString();
const clock = (seconds, span) => utc(seconds).slice(span > 86400 ? 5 : 11, span > 21600 ? 16 : 19).replace("T", " ");

export class Charts {
  constructor(box, { api, now, picked, zoomed }) {
    Object.assign(this, { box, api, now, picked, zoomed });
    this.range = "6h";
    this.zoom = null;
    this.plots = [];
    this.at = 0;
    new ResizeObserver(() => this.resize()).observe(box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.shown && this.draw());
  }

  async show(range) {
    this.range = range;
    this.zoom = null;
    this.zoomed(null);
    await this.read();
  }

  live() {
    return this.show(this.range);
  }

  // From when to when it shows, or is about to; null where it has shown nothing yet.
  span() {
    const now = Date.parse(this.now()) / 1000;
    return this.shown ? this.zoom ?? [now - RANGES[this.range], now] : null;
  }

  // Shows that part; not less than a minute, not more than 30 days, nothing that is yet to come.
  look(since, until) {
    const now = Date.parse(this.now()) / 1000, width = Math.min(LONGEST, Math.max(SHORTEST, until - since));
    const end = Math.min(now, (since + until + width) / 2);
    this.zoom = [end - width, end];
    this.zoomed(`${clock(end - width, 90000)} to ${clock(end, 90000)}`);
    return this.read();
  }

  // So many times as long, around the same middle.
  stretch(times) {
    const [since, until] = this.span() ?? [], more = (until - since) * (times - 1) / 2;
    return since == null ? null : this.look(since - more, until + more);
  }

  // Later by that share of what is shown.
  move(share) {
    const [since, until] = this.span() ?? [], by = (until - since) * share;
    return since == null ? null : this.look(since + by, until + by);
  }

  // What came in since; a part that was zoomed into is left as it is.
  async update() {
    if (!this.zoom && Date.now() >= this.at) await this.read();
  }

  async read() {
    const turn = this.turn = {}, begun = performance.now();
    const until = this.zoom ? this.zoom[1] : Date.parse(this.now()) / 1000;
    const since = this.zoom ? this.zoom[0] : until - RANGES[this.range];
    const points = Math.max(100, Math.min(1000, Math.round(this.box.clientWidth / 2)));
    const span = `since=${utc(since)}${this.zoom ? `&until=${utc(until)}` : ""}`;
    this.at = Infinity;
    try {
      const [chart, before, within] = await Promise.all([
        get(`${this.api}/samples?${span}&points=${points}`),
        get(`${this.api}/operations?before=${utc(since)}&limit=1`),
        get(`${this.api}/operations?${span.replace("until", "before")}&limit=300`),
      ]);
      if (turn !== this.turn) return;
      this.shown = { ...chart, operations: [...within.operations, ...before.operations], span: [since, Date.parse(chart.until) / 1000] };
      this.draw();
    } catch (error) {
      if (turn === this.turn && !this.shown) this.say(`The charts cannot be read: ${error.message}`);
    } finally {
      if (turn === this.turn) this.at = Date.now() + Math.max(NOT_BEFORE, SHARE * (performance.now() - begun));
    }
  }

  say(words) {
    const told = document.createElement("p");
    told.className = "loading";
    told.textContent = words;
    this.clear();
    this.box.replaceChildren(told);
  }

  clear() {
    this.plots.forEach((plot) => plot.destroy());
    this.plots = [];
  }

  draw() {
    const { series, nodes, span } = this.shown;
    if (!nodes.at.length) {
      this.say("No decision in this time, so there is nothing to draw.");
      return;
    }
    this.palette = Object.fromEntries(["text", "soft", "line", "accent", "bad", "low", "warn", "card"].map((one) => [one, css(`--${one}`)]));
    const panels = [...series.map((one) => this.load(one)), this.nodes(nodes)];
    const last = panels.length - 1;
    this.clear();
    this.box.replaceChildren();
    panels.forEach((panel, place) => this.plots.push(this.panel(panel, place === last)));
    this.box.dataset.drawn = utc(span[1]);
  }

  load(one) {
    const unit = one.unit ? ` ${one.unit}` : "", limits = [...one.above, ...one.below, ...(one.target == null ? [] : [one.target])];
    const seen = one.points.map((point) => point[1]).filter((value) => value != null);
    const most = Math.max(...limits, ...seen, 1);
    const top = one.unit === "%" ? Math.max(100, most) : most * 1.15;
    const lines = [
      ...one.above.map((value) => ({ value, words: `out ${number(value)}`, colour: this.palette.bad, dash: [5, 4] })),
      ...one.below.map((value) => ({ value, words: `in ${number(value)}`, colour: this.palette.low, dash: [2, 3] })),
      ...(one.target == null ? [] : [{ value: one.target, words: `target ${number(one.target)}`, colour: this.palette.accent, dash: [5, 4] }]),
    ];
    const span = seen.length ? `from ${number(Math.min(...seen))} to ${number(Math.max(...seen))}${unit}` : "without a value";
    return {
      name: one.rule, height: 150, top, lines, words: (plot, place) => `${number(plot.data[1][place])}${plot.data[1][place] == null ? "" : unit}`,
      label: `${one.rule}, ${span}; ${lines.map((line) => line.words).join(", ")}`,
      data: [one.points.map((point) => point[0]), one.points.map((point) => point[1])],
      series: [{}, { stroke: this.palette.text, width: 1.6, points: { show: one.points.length < 40, size: 4, fill: this.palette.text } }],
    };
  }

  nodes(nodes) {
    const there = nodes.current.filter((value) => value != null), stepped = uPlot.paths.stepped({ align: 1 });
    const line = (stroke, more) => ({ stroke, paths: stepped, points: { show: false }, ...more });
    return {
      name: "nodes", height: 170, whole: true, marks: true, lines: [], top: Math.max(...nodes.max, ...there, 1) * 1.12,
      label: `nodes, from ${Math.min(...there)} to ${Math.max(...there)}; min ${nodes.min.at(-1)}, max ${nodes.max.at(-1)}`,
      words: (plot, place) => {
        const [, current, desired] = plot.data.map((column) => column[place]);
        return current == null ? "—" : `${current}${desired === current ? "" : ` → ${desired}`}`;
      },
      data: [nodes.at, nodes.current, nodes.desired, nodes.min, nodes.max],
      series: [{}, line(this.palette.accent, { width: 2.2, fill: `${this.palette.accent}22` }), line(this.palette.accent, { width: 1.4, dash: [3, 3] }),
        line(this.palette.soft, { width: 1, dash: [8, 4] }), line(this.palette.soft, { width: 1, dash: [8, 4] })],
    };
  }

  panel(panel, last) {
    const { span } = this.shown, { soft, line } = this.palette, figure = document.createElement("figure");
    const head = document.createElement("figcaption"), name = document.createElement("b"), value = document.createElement("span");
    name.textContent = panel.name;
    head.append(name, " ", value);
    figure.append(head);
    this.box.append(figure);
    const font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: soft, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
    const told = (plot) => {
      const hover = plot.cursor.idx, place = hover ?? panel.data[0].length - 1;
      value.textContent = `${panel.words(plot, place)} at ${clock(panel.data[0][place], span[1] - span[0])}`;
    };
    const plot = new uPlot({
      width: this.box.clientWidth, height: panel.height + (last ? 32 : 10), legend: { show: false }, tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      padding: [10, 14, 0, 0], series: panel.series,
      scales: { x: { range: span }, y: { range: [0, panel.top] } },
      axes: [{ ...axis, space: 70, size: last ? 32 : 10, values: last ? times : (plot, splits) => splits.map(() => "") }, { ...axis, size: 44, space: 34, incrs: panel.whole ? [1, 2, 4, 5, 10] : undefined }],
      cursor: { sync: { key: "time", setSeries: false }, drag: { x: true, y: false, setScale: false }, points: { size: 7 }, y: false },
      hooks: {
        drawClear: [(plot) => this.bands(plot)], draw: [(plot) => this.over(plot, panel)], setCursor: [told], ready: [told],
        setSelect: [(plot) => this.select(plot)],
      },
    }, panel.data, figure);
    plot.root.setAttribute("role", "img");
    plot.root.setAttribute("aria-label", panel.label);
    this.clicks(plot);
    return plot;
  }

  // Operations under way are bands, behind everything.
  bands(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.fillStyle = `${this.palette.accent}24`;
    for (const one of this.shown.operations) {
      const from = Date.parse(one.committed_at) / 1000, to = one.ended_at ? Date.parse(one.ended_at) / 1000 : this.shown.span[1];
      const left = Math.max(bbox.left, plot.valToPos(from, "x", true)), right = Math.min(bbox.left + bbox.width, plot.valToPos(to, "x", true));
      if (right > left) ctx.fillRect(left, bbox.top, Math.max(2, right - left), bbox.height);
    }
    ctx.restore();
  }

  // Thresholds with their words, and decisions to scale.
  over(plot, panel) {
    const { ctx, bbox } = plot, ratio = devicePixelRatio;
    ctx.save();
    ctx.font = `${11 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textAlign = "right";
    ctx.textBaseline = "bottom";
    for (const { value, words, colour, dash } of panel.lines) {
      const y = Math.round(plot.valToPos(value, "y", true)) + .5;
      ctx.strokeStyle = ctx.fillStyle = colour;
      ctx.lineWidth = ratio;
      ctx.setLineDash(dash.map((part) => part * ratio));
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      ctx.fillText(words, bbox.left + bbox.width - 4 * ratio, y - 2 * ratio);
    }
    ctx.setLineDash([]);
    for (const move of this.shown.moves) this.mark(plot, move, panel.marks, ratio);
    ctx.restore();
  }

  mark(plot, move, triangle, ratio) {
    const { ctx, bbox } = plot, x = plot.valToPos(Date.parse(move.at) / 1000, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) return;
    const out = move.decision === "out", size = 6 * ratio, base = bbox.top + bbox.height - 3 * ratio;
    ctx.strokeStyle = ctx.fillStyle = out ? this.palette.accent : this.palette.low;
    ctx.globalAlpha = .45;
    ctx.lineWidth = ratio;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.globalAlpha = 1;
    if (!triangle) return;
    const [tip, foot] = out ? [base - 2 * size, base] : [base, base - 2 * size];
    ctx.lineWidth = 3 * ratio;
    ctx.strokeStyle = this.palette.card;
    ctx.beginPath();
    ctx.moveTo(x, tip);
    ctx.lineTo(x + size, foot);
    ctx.lineTo(x - size, foot);
    ctx.closePath();
    ctx.stroke();
    ctx.fill();
  }

  select(plot) {
    const { left, width } = plot.select;
    if (width < 8) return;
    const ends = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    if (ends[1] - ends[0] >= SHORTEST) this.look(...ends);
  }

  // A click that is no drag asks for the decision of that time; the nearest mark, where one is near.
  clicks(plot) {
    let from = null;
    plot.over.addEventListener("mousedown", (event) => { from = event.clientX; });
    plot.over.addEventListener("click", (event) => {
      if (from == null || Math.abs(event.clientX - from) > 4) return;
      const left = event.clientX - plot.over.getBoundingClientRect().left;
      const near = this.shown.moves.map((move) => [Math.abs(plot.valToPos(Date.parse(move.at) / 1000, "x") - left), move.at]).sort((a, b) => a[0] - b[0])[0];
      if (near && near[0] < 8) this.picked(near[1]);
      else this.nearest(plot.posToVal(left, "x"));
    });
  }

  async nearest(at) {
    const found = await get(`${this.api}/decisions?before=${utc(at + 1)}&limit=1`);
    if (found.decisions.length) this.picked(found.decisions[0].at);
  }

  resize() {
    const width = this.box.clientWidth;
    for (const plot of this.plots) if (plot.width !== width) plot.setSize({ width, height: plot.height });
  }
}

// Times of day, with the date where it changes.
function times(plot, splits) {
  let day = "";
  return splits.map((at) => {
    const words = utc(at), mine = words.slice(0, 10), first = mine !== day;
    day = mine;
    return first ? `${words.slice(11, 16)}\n${words.slice(5, 10)}` : words.slice(11, 16);
  });
}

export async function get(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error ?? `HTTP ${answer.status}`);
  return answer.json();
}
