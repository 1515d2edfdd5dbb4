// Fetches the page again every few seconds and takes over its two changing parts; a failed try leaves the page as it is
// and says so by fading it.
"use strict";
const EVERY = 3000;

async function refresh() {
  if (document.hidden || String(getSelection())) return;
  try {
    const answer = await fetch(location.href, { signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error(answer.status);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ["main", "state"]) {
      const old = document.getElementById(id), now = fresh.getElementById(id);
      if (old.innerHTML !== now.innerHTML) old.replaceWith(document.adoptNode(now));
    }
    document.body.classList.remove("lost");
  } catch {
    document.body.classList.add("lost");
  }
}

async function forever() {
  await refresh();
  setTimeout(forever, EVERY);
}
setTimeout(forever, EVERY);
