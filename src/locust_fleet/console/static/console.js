"use strict";
// The pages work without this file; it only saves reloading and a click.
(() => {
  // Parts by name, as they came from the server.
  const shown = new Map();
  for (const part of document.querySelectorAll("[data-part]"))
    shown.set(part.dataset.part, part.innerHTML);
  localTimes();

  const seconds = Number(document.querySelector("main").dataset.refresh);
  if (seconds) setTimeout(refresh, seconds * 1000, seconds);

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.dataset.busy) return;
    const button = form.querySelector("button:not([type=button])");
    // After the form's data is collected, which leaves disabled buttons out.
    setTimeout(() => { button.disabled = true; button.textContent = form.dataset.busy; });
  });
  // A page that comes back from the history still has its buttons disabled.
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  async function refresh(seconds) {
    let again = true;
    if (!document.hidden) {
      try {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
        if (answer.redirected) return location.reload();
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        again = replaceParts(page);
      } catch { /* the network is away for a moment: try again */ }
    }
    if (again) setTimeout(refresh, seconds * 1000, seconds);
  }

  // Only what changed is replaced, and nothing that somebody is about to press.
  function replaceParts(page) {
    for (const old of document.querySelectorAll("[data-part]")) {
      const name = old.dataset.part;
      const html = page.querySelector(`[data-part="${name}"]`)?.innerHTML;
      if (html === undefined || html === shown.get(name)) continue;
      if (old.contains(document.activeElement)) continue;
      old.innerHTML = html;
      shown.set(name, html);
    }
    localTimes();
    const main = page.querySelector("main");
    return !main || Boolean(main.dataset.refresh) || !page.querySelector("[data-part]");
  }

  function localTimes() {
    for (const time of document.querySelectorAll("time[datetime]"))
      time.title = new Date(time.dateTime).toLocaleString() + " (here)";
  }
})();
