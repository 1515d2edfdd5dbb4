// What an operator may do to a target: a dialog for each, which says what will happen before it does.
import { refresh } from "./live.js";
import { ask, forget } from "./token.js";

const WHO = "autoscaler-who", PAUSE_OF_TYPING = 150;

export function steer(name) {
  const path = `/targets/${encodeURIComponent(name)}`;
  document.getElementById("target").addEventListener("click", (event) => {
    const button = event.target.closest("[data-steer]");
    if (button) open(document.getElementById(`steer-${button.dataset.steer}`));
  });
  for (const dialog of document.querySelectorAll("dialog[data-action]")) prepare(dialog, path);
  document.querySelectorAll(".steering [data-close]").forEach((one) => one.addEventListener("click", () => one.closest("dialog").close()));
}

function open(dialog) {
  const form = dialog.querySelector("form");
  form.reset();
  if (form.elements.nodes) form.elements.nodes.value = document.getElementById("now").dataset.current || form.elements.nodes.value;
  form.elements.who.value = sessionStorage.getItem(WHO) ?? "";
  refuse(form, "");
  dialog.showModal();
  form.dispatchEvent(new Event("input"));
}

function prepare(dialog, path) {
  const form = dialog.querySelector("form"), action = dialog.dataset.action;
  let timer = 0;
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => foretell(form, action, path), PAUSE_OF_TYPING);
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    try {
      if (await change(form, action, path)) dialog.close();
    } finally {
      button.disabled = false;
    }
  });
}

// Asked of the daemon, which knows how things stand now.
async function foretell(form, action, path) {
  const asked = new URLSearchParams({ action });
  for (const name of ["for", "nodes", "as"]) if (form.elements[name]) asked.set(name, form.elements[name].value);
  for (const name of ["override", "breaker"]) if (form.elements[name]?.checked) asked.set(name, "true");
  const told = form.querySelector(".foretold"), turn = form.turn = {};
  try {
    const answer = await fetch(`${path}/foretold?${asked}`, { cache: "no-store" }), words = await answer.text();
    if (turn !== form.turn) return;
    told.textContent = answer.ok || answer.headers.get("content-type")?.startsWith("text/plain") ? words : "This cannot be foretold.";
    told.classList.toggle("wrong", !answer.ok);
  } catch {
    told.textContent = "The daemon does not answer.";
    told.classList.add("wrong");
  }
}

function wish(form, action) {
  const { elements } = form, wanted = { who: elements.who.value.trim() };
  if (action !== "resume") wanted.reason = elements.reason.value.trim();
  if (elements.for?.value.trim()) wanted.for = elements.for.value.trim();
  if (elements.nodes) wanted.nodes = Number(elements.nodes.value);
  if (elements.as) wanted.as = elements.as.value;
  for (const name of ["override", "breaker"]) if (elements[name]) wanted[name] = elements[name].checked;
  return wanted;
}

// Whether it was done; what stands in the way is said in the dialog.
async function change(form, action, path) {
  const token = await ask();
  if (!token) return false;
  sessionStorage.setItem(WHO, form.elements.who.value.trim());
  try {
    const answer = await fetch(`/api/v1${path}/${action}`, {
      method: "POST", body: JSON.stringify(wish(form, action)),
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
    });
    const said = await answer.json().catch(() => ({}));
    if (answer.status === 401) forget();
    if (!answer.ok) {
      refuse(form, said.error ?? `The daemon answered ${answer.status}.`);
      return false;
    }
    tell(action, said);
    refresh();
    return true;
  } catch {
    refuse(form, "The daemon did not answer: whether it was done is not known. Look at the page before you try again.");
    return false;
  }
}

function refuse(form, words) {
  const place = form.querySelector(".refusal");
  place.hidden = !words;
  place.textContent = words;
}

const DONE = { pause: "Paused.", resume: "Resumed.", override: "The number of nodes is set.", resolve: "The operation is closed." };

function tell(action, said) {
  const told = document.getElementById("told"), nothing = action === "resume" && said.changed?.length === 0;
  told.textContent = [nothing ? "There was nothing to resume." : DONE[action], ...(said.notes ?? [])].join(" ");
  told.hidden = false;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => { told.hidden = true; }, 6000);
}
