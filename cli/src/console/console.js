"use strict";
// Shows what is new, with what the reader has opened and where the keyboard is. Without it the page loads itself again.
(() => {
  const seconds = Number(document.documentElement.dataset.refreshSeconds);
  if (!seconds) return;
  const main = () => document.querySelector("main");
  const opened = (root) => [...root.querySelectorAll("details[data-key]")];
  // A selection would be lost: somebody copies an address.
  const rests = () => document.hidden || String(getSelection()) !== "";
  const show = (page) => {
    const fresh = page.querySelector("main");
    if (!fresh) return;
    const open = new Set(opened(main()).filter((one) => one.open).map((one) => one.dataset.key));
    for (const one of opened(fresh)) one.open = open.has(one.dataset.key);
    const focused = document.activeElement && document.activeElement.id;
    const scrolled = scrollY;
    main().replaceWith(document.importNode(fresh, true));
    document.title = page.title;
    const again = focused && document.getElementById(focused);
    if (again) again.focus({ preventScroll: true });
    scrollTo(scrollX, scrolled);
  };
  const look = async () => {
    if (!rests()) {
      try {
        const answer = await fetch("/");
        const text = await answer.text();
        document.getElementById("lost").hidden = true;
        if (!rests()) show(new DOMParser().parseFromString(text, "text/html"));
      } catch {
        document.getElementById("lost").hidden = false;
      }
    }
    setTimeout(look, seconds * 1000);
  };
  setTimeout(look, seconds * 1000);
})();
