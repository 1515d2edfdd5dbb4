// Keys and fingers on the charts: arrow keys move through time, + and - zoom, 0 goes back to live; one finger moves, two
// zoom. A mouse drags over a part: that is the chart library's.
const KEYS = {
  ArrowLeft: (charts) => charts.move(-.25), ArrowRight: (charts) => charts.move(.25),
  "+": (charts) => charts.stretch(.5), "=": (charts) => charts.stretch(.5), "-": (charts) => charts.stretch(2),
  0: (charts) => charts.live(),
};
const A_TAP = 8; // pixels

export function gestures(box, charts) {
  box.addEventListener("keydown", (event) => {
    const act = KEYS[event.key];
    if (!act || event.target !== box || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act(charts);
  });
  const fingers = new Map(); // by id: where each began, and is
  let begun = null, found = null;

  box.addEventListener("pointerdown", (event) => {
    const over = event.target.closest(".u-over"), span = charts.span();
    if (event.pointerType !== "touch" || !over || !span || fingers.size === 2) return;
    for (const finger of fingers.values()) finger.from = finger.to; // with two it begins anew
    fingers.set(event.pointerId, { from: event.clientX, to: event.clientX });
    const { left, width } = over.getBoundingClientRect();
    begun = { left, width, span: found ?? span };
  });
  addEventListener("pointermove", (event) => {
    const finger = fingers.get(event.pointerId);
    if (!finger) return;
    finger.to = event.clientX;
    found = under([...fingers.values()], begun) ?? found;
    if (found) follow(box, begun, found);
  });
  addEventListener("pointerup", (event) => end(event, true));
  addEventListener("pointercancel", (event) => end(event, false)); // the browser scrolls the page

  async function end(event, meant) {
    if (!fingers.delete(event.pointerId)) return;
    const wanted = found;
    fingers.clear();
    begun = found = null;
    try {
      if (wanted && meant) await charts.look(...wanted);
    } finally {
      if (!fingers.size) follow(box, null, null);
    }
  }
}

// The span in which what the fingers took hold of is where they are now.
function under(fingers, { left, width, span: [since, until] }) {
  const at = (x) => since + (x - left) / width * (until - since), [one, other] = fingers;
  if (!other) {
    const moved = (one.to - one.from) / width * (until - since);
    return Math.abs(one.to - one.from) < A_TAP ? null : [since - moved, until - moved];
  }
  const seconds = (at(other.from) - at(one.from)) / (other.to - one.to); // in a pixel
  if (!Number.isFinite(seconds) || seconds <= 0) return null;
  const begin = at(one.from) - (one.to - left) * seconds;
  return [begin, begin + width * seconds];
}

// What is drawn goes with the fingers; it is drawn anew at their end.
function follow(box, begun, found) {
  for (const canvas of box.querySelectorAll("canvas")) {
    if (!found) {
      canvas.style.transform = "";
      continue;
    }
    const { left, width, span } = begun, scale = (span[1] - span[0]) / (found[1] - found[0]);
    const moved = (span[0] - found[0]) / (found[1] - found[0]) * width;
    const edge = canvas.style.transform ? canvas.dataset.edge : left - canvas.getBoundingClientRect().left;
    canvas.dataset.edge = edge;
    canvas.style.transformOrigin = `${edge}px 0`;
    canvas.style.transform = `translateX(${moved}px) scaleX(${scale})`;
  }
}
