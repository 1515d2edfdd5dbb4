// Follows the daemon's events over fetch, not EventSource: so that heartbeats are seen, silence is noticed, and an answer
// of 503 (too many follow already) is not the end. Calls `event(name, data)` for each and `state("live" | "waiting")`.
const SILENCE = 40000; // the daemon sends something every 15 s
const FIRST_WAIT = 1000, LONGEST_WAIT = 15000;

export function follow(path, after, { event, state }) {
  let last = after, wait = FIRST_WAIT, stop = null, timer = 0;

  async function once() {
    const control = stop = new AbortController();
    const watch = { timer: 0 };
    const alive = () => {
      clearTimeout(watch.timer);
      watch.timer = setTimeout(() => control.abort(), SILENCE);
    };
    try {
      alive();
      const joint = path.includes("?") ? "&" : "?";
      const answer = await fetch(`${path}${joint}after=${last}`, { signal: control.signal, cache: "no-store" });
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      state("live");
      wait = FIRST_WAIT;
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = ""; ;) {
        const { done, value } = await reader.read();
        if (done) return;
        alive();
        const blocks = (text + value).split("\n\n");
        text = blocks.pop();
        blocks.forEach(read);
      }
    } catch {
      // told below, and tried again
    } finally {
      clearTimeout(watch.timer);
    }
  }

  function read(block) {
    const fields = {};
    for (const line of block.split("\n")) {
      const at = line.indexOf(": ");
      if (at > 0) fields[line.slice(0, at)] = line.slice(at + 2);
    }
    if (fields.id) last = fields.id;
    if (fields.event) event(fields.event, fields.data);
  }

  async function forever() {
    const mine = {};
    forever.current = mine;
    await once();
    if (forever.current !== mine) return;
    state("waiting");
    timer = setTimeout(forever, wait);
    wait = Math.min(wait * 2, LONGEST_WAIT);
  }

  // A page that nobody sees gives its connection up: a browser has six for a host.
  function turn() {
    clearTimeout(timer);
    if (document.hidden) {
      forever.current = null;
      stop?.abort();
    } else {
      wait = FIRST_WAIT;
      forever();
    }
  }
  document.addEventListener("visibilitychange", turn);
  addEventListener("online", () => forever.current || turn());
  if (!document.hidden) forever();
}
