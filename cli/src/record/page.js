"use strict";
// While the run goes on the page is written again and again: show the newest one, with what the reader had opened.
(() => {
  const RELOAD_MS = 3000;
  // Something is written at least each 30 s (a heartbeat). After four of these nobody writes any more.
  const STALE_MS = 120000;
  const key = (details) => `open:${location.pathname}:${details.dataset.key}`;
  for (const details of document.querySelectorAll("details[data-key]")) {
    if (sessionStorage.getItem(key(details))) details.open = true;
    details.addEventListener("toggle", () => {
      if (details.open) sessionStorage.setItem(key(details), "1");
      else sessionStorage.removeItem(key(details));
    });
  }
  if (document.documentElement.dataset.running !== "true") return;
  if (Date.now() - Date.parse(document.lastModified) > STALE_MS) {
    document.getElementById("stale").hidden = false;
    return;
  }
  // A selection would be lost: somebody copies a command.
  setInterval(() => { if (!document.hidden && String(getSelection()) === "") location.reload(); }, RELOAD_MS);
})();
