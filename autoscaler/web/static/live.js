// Keeps a page as the daemon is: on its events the page is read again and every [data-live] part made like the fresh one.
// Says so where that does not work: what is shown is then of an earlier time.
import { follow } from "./stream.js";
import { morph } from "./morph.js";

const AT_LEAST = 15000; // ages and cooldowns go on without events
const AT_MOST = 1200;
const BECOMES_STALE = 6000;

const link = document.getElementById("link"), stale = document.getElementById("stale");
let good = Date.now(), failing = false, wanted = false, timer = 0, pace = AT_MOST, after = () => {};

export function live(path, { changed = () => {}, event = () => {} } = {}) {
  after = changed;
  link.hidden = false;
  show("waiting");
  follow(path, document.body.dataset.event, {
    event: (name, data) => {
      event(name, data);
      refresh();
    },
    state: (now) => {
      show(now);
      refresh();
    },
  });
  setInterval(look, 1000);
  schedule(AT_LEAST);
}

function show(now) {
  const words = now === "live" ? "live" : "reconnecting…";
  if (link.textContent !== words) link.textContent = words;
  link.className = `link ${now}`;
}

export function refresh() {
  wanted = true;
  schedule(pace);
}

function schedule(wait) {
  const at = Date.now() + wait;
  if (timer && schedule.at <= at) return;
  clearTimeout(timer);
  schedule.at = at;
  timer = setTimeout(read, wait);
}

async function read() {
  timer = 0;
  if (document.hidden) {
    schedule(AT_MOST);
    return;
  }
  const begun = performance.now();
  wanted = false;
  try {
    const answer = await fetch(location.href, { signal: AbortSignal.timeout(20000), cache: "no-store" });
    if (!answer.ok && answer.status !== 404) throw new Error(`HTTP ${answer.status}`);
    take(new DOMParser().parseFromString(await answer.text(), "text/html"));
    good = Date.now();
    failing = false;
  } catch {
    failing = true;
    schedule(3000);
  }
  const took = performance.now() - begun; // a large fleet is read less often
  pace = Math.max(AT_MOST, 4 * took);
  schedule(wanted ? pace : Math.max(AT_LEAST, 20 * took));
  look();
}

function take(fresh) {
  const focused = document.activeElement;
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(old.id);
    if (now) morph(old, now);
  }
  if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true }); // it was moved
  const known = document.querySelector("#empty, #rows, #target"), then = known && fresh.getElementById(known.id);
  if (known && !then) location.reload(); // the first target came, or this one went
  after();
}

// Whether what is shown is what is: a page that cannot be read means that it is not. Without a stream it may well be:
// too many may follow already, and the page is read all the same.
function look() {
  const silent = Date.now() - good, lost = silent > (failing ? BECOMES_STALE : 3 * AT_LEAST);
  if (document.hidden || (lost === !stale.hidden && !lost)) return;
  stale.hidden = !lost;
  document.body.classList.toggle("stalled", lost);
  const words = `Not up to date: the daemon has not answered since ${new Date(good).toLocaleTimeString()}. ` +
    "What you see is from then; trying again.";
  if (lost && stale.textContent !== words) stale.textContent = words;
}
document.addEventListener("visibilitychange", () => document.hidden || refresh());
