// What an operator may do to a target: a dialog for each, which says what will happen before it does. Nothing can be sent
// before exactly that was foretold, nor what the daemon says that it would refuse.
import { refresh } from "./live.js";
import { ask, forget } from "./token.js";

const WHO = "autoscaler-who", PAUSE_OF_TYPING = 150, AGAIN = 2000;

// Gives what is to be called when the page was read again: what an open dialog foretells is then told anew.
export function steer(name) {
  const path = `/targets/${encodeURIComponent(name)}`;
  document.getElementById("target").addEventListener("click", (event) => {
    const button = event.target.closest("[data-steer]");
    if (button) open(document.getElementById(`steer-${button.dataset.steer}`), path);
  });
  for (const dialog of document.querySelectorAll("dialog[data-action]")) prepare(dialog, path);
  document.querySelectorAll(".steering [data-close]").forEach((one) => one.addEventListener("click", () => one.closest("dialog").close()));
  return () => {
    const dialog = document.querySelector("dialog[data-action][open]");
    if (dialog) foretell(dialog, path);
  };
}

function open(dialog, path) {
  const form = dialog.querySelector("form");
  form.reset();
  if (form.elements.nodes) form.elements.nodes.value = document.getElementById("now").dataset.current || form.elements.nodes.value;
  form.elements.who.value = sessionStorage.getItem(WHO) ?? "";
  refuse(form, "");
  form.foretold = null;
  ready(dialog);
  dialog.showModal();
  foretell(dialog, path);
}

function prepare(dialog, path) {
  const form = dialog.querySelector("form"), action = dialog.dataset.action;
  form.addEventListener("input", () => {
    ready(dialog);
    if (form.foretold !== asked(dialog)) soon(dialog, path, PAUSE_OF_TYPING);
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!ready(dialog)) return;
    form.busy = true;
    ready(dialog);
    try {
      if (await change(form, action, path)) dialog.close();
    } finally {
      form.busy = false;
      ready(dialog);
    }
  });
}

function soon(dialog, path, wait) {
  clearTimeout(dialog.timer);
  dialog.timer = setTimeout(() => dialog.open && foretell(dialog, path), wait);
}

// Whether it can be sent: what was foretold, and no word against it, is what the form says now.
function ready(dialog) {
  const form = dialog.querySelector("form"), good = !form.busy && form.foretold === asked(dialog);
  form.querySelector("[type=submit]").disabled = !good;
  return good;
}

function asked(dialog) {
  const { elements } = dialog.querySelector("form"), words = new URLSearchParams({ action: dialog.dataset.action });
  for (const name of ["for", "nodes", "as"]) if (elements[name]) words.set(name, elements[name].value.trim());
  for (const name of ["override", "breaker"]) if (elements[name]?.checked) words.set(name, "true");
  return String(words);
}

// Asked of the daemon, which knows how things stand now.
async function foretell(dialog, path) {
  const form = dialog.querySelector("form"), told = form.querySelector(".foretold"), turn = form.turn = {}, wanted = asked(dialog);
  let words = "The daemon does not answer.", good = false;
  try {
    const answer = await fetch(`${path}/foretold?${wanted}`, { cache: "no-store" }), text = await answer.text();
    good = answer.ok;
    words = good || answer.headers.get("content-type")?.startsWith("text/plain") ? text : "This cannot be foretold.";
    if (answer.status >= 500) throw new Error(text);
  } catch {
    if (turn === form.turn) soon(dialog, path, AGAIN);
  }
  if (turn !== form.turn) return;
  if (told.textContent !== words) told.textContent = words;
  told.classList.toggle("wrong", !good);
  form.foretold = good ? wanted : null;
  ready(dialog);
}

function wish(form) {
  const { elements } = form, wanted = { who: elements.who.value.trim(), reason: elements.reason.value.trim() };
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
      method: "POST", body: JSON.stringify(wish(form)),
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
