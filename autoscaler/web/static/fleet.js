// The fleet: finds and filters targets as you type; kept in the address, so that it can be reloaded and shared.
import { live } from "./live.js";

const form = document.querySelector(".filters"), find = document.getElementById("find");
let show = "";

function apply() {
  const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const row of document.getElementById("rows").children) {
    const hit = (!show || row.dataset.show === show) && words.every((word) => row.dataset.find.includes(word));
    row.hidden = !hit;
    count += hit;
  }
  for (const chip of document.querySelectorAll(".chip")) chip.setAttribute("aria-pressed", String(chip.dataset.show === show));
  document.getElementById("none").hidden = count > 0;
  const filtered = show || words.length;
  const said = filtered ? `${count} ${count === 1 ? "target matches" : "targets match"}` : "";
  const found = document.getElementById("found");
  if (found.textContent !== said) found.textContent = said;
}

function remember() {
  const kept = new URLSearchParams();
  if (find.value) kept.set("find", find.value);
  if (show) kept.set("show", show);
  history.replaceState(null, "", String(kept) ? `#${kept}` : location.pathname);
}

function change() {
  apply();
  remember();
}

if (form) {
  form.hidden = false;
  const kept = new URLSearchParams(location.hash.slice(1));
  find.value = kept.get("find") ?? "";
  show = kept.get("show") ?? "";
  form.addEventListener("submit", (event) => event.preventDefault());
  find.addEventListener("input", change);
  document.getElementById("chips").addEventListener("click", (event) => {
    const chip = event.target.closest(".chip");
    if (!chip) return;
    show = chip.dataset.show === show ? "" : chip.dataset.show;
    change();
  });
  document.getElementById("clear").addEventListener("click", () => {
    find.value = show = "";
    change();
    find.focus();
  });
  addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.closest("input, textarea, select, dialog")) {
      event.preventDefault();
      find.focus();
    } else if (event.key === "Escape" && event.target === find) {
      find.value = "";
      change();
    }
  });
  apply();
}
live("/api/v1/events?events=cycle&events=operation&events=intervention&events=reload", { changed: form ? apply : undefined });
