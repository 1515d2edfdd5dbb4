// Makes an element like a fresh copy of it, changing only what differs: focus, selection and what is open stay.
// Children with data-key are moved rather than made anew. What a page's scripts set themselves (OURS) is left alone.
const OURS = new Set(["hidden", "open", "aria-pressed"]);

export function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  if (old.hasAttribute("data-keep")) return;
  attributes(old, fresh);
  children(old, fresh);
}

function attributes(old, fresh) {
  for (const { name, value } of [...fresh.attributes])
    if (!OURS.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const { name } of [...old.attributes])
    if (!OURS.has(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
}

function children(old, fresh) {
  const kept = new Map();
  for (const child of old.children) if (child.dataset.key) kept.set(child.dataset.key, child);
  let here = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const key = child.dataset?.key;
    const same = key ? kept.get(key) : here && !here.dataset?.key ? here : null;
    if (!same) {
      old.insertBefore(child, here);
      continue;
    }
    if (same !== here) old.insertBefore(same, here);
    else here = here.nextSibling;
    kept.delete(key);
    morph(same, child);
  }
  while (here) {
    const next = here.nextSibling;
    here.remove();
    here = next;
  }
  kept.forEach((child) => child.remove());
}
