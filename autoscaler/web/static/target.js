// A target's page: live, with its charts; a decision opens beside them.
import { Charts } from "./charts.js";
import { gestures } from "./gestures.js";
import { live } from "./live.js";
import { steer } from "./steer.js";

const name = document.getElementById("target").dataset.name, path = `/targets/${encodeURIComponent(name)}`;
const drawer = document.getElementById("decision-dialog"), zoomed = document.getElementById("zoomed");

async function explain(address) {
  const content = drawer.querySelector(".content");
  content.textContent = "Loading…";
  if (!drawer.open) drawer.showModal();
  try {
    const answer = await fetch(address, { cache: "no-store" }), text = await answer.text();
    const page = new DOMParser().parseFromString(text, "text/html");
    const found = page.getElementById("decision") ?? page.querySelector(".missing");
    content.replaceChildren(found ? document.adoptNode(found) : errorIn(text, answer.status));
  } catch {
    content.textContent = "The daemon does not answer.";
  }
}

// What an answer that is no page says: the API's `{"error": …}`, or at least its status.
function errorIn(text, status) {
  try {
    return JSON.parse(text).error ?? `The daemon answered ${status}.`;
  } catch {
    return `The daemon answered ${status}.`;
  }
}

const charts = new Charts(document.getElementById("chart"), {
  api: `/api/v1${path}`,
  now: () => document.getElementById("now").dataset.now,
  picked: (at) => explain(`${path}/decisions/${encodeURIComponent(at)}`),
  zoomed: (words) => {
    zoomed.hidden = !words;
    zoomed.firstElementChild.textContent = words ?? "";
  },
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-decision]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    explain(link.href);
  }
  if (event.target.closest("[data-close]") || event.target === drawer) event.target.closest("dialog")?.close();
});

const ranges = document.querySelector(".ranges");
ranges.hidden = false;
const kept = new URLSearchParams(location.hash.slice(1)).get("range");
const wanted = ranges.querySelector(`input[value="${CSS.escape(kept ?? "")}"]`) ?? ranges.querySelector("input:checked");
wanted.checked = true;
ranges.addEventListener("change", (event) => {
  history.replaceState(null, "", `#range=${event.target.value}`);
  charts.show(event.target.value);
});
document.getElementById("unzoom").addEventListener("click", () => charts.live());
const ZOOM = { earlier: () => charts.move(-.5), later: () => charts.move(.5), closer: () => charts.stretch(.5), farther: () => charts.stretch(2) };
const zoom = document.querySelector(".zoom");
zoom.hidden = false;
zoom.addEventListener("click", (event) => ZOOM[event.target.closest("[data-zoom]")?.dataset.zoom]?.());
gestures(document.getElementById("chart"), charts);
charts.show(wanted.value);

const foretellAgain = steer(name);
live(`/api/v1/events?target=${encodeURIComponent(name)}&events=decision&events=operation&events=intervention&events=reload`, {
  changed: () => {
    charts.update();
    foretellAgain();
  },
});
