"use strict";
// The pages work without this file; it refreshes them and prevents double clicks.
(() => {
  // The HTML of each part by name, as the server sent it.
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
    // Later, because the browser leaves disabled buttons out of the form's data.
    setTimeout(() => { button.disabled = true; button.textContent = form.dataset.busy; });
  });
  // A page from the browser's history still has disabled buttons.
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  async function refresh(seconds) {
    let again = true;
    if (!document.hidden) {
      try {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
        if (answer.redirected) return location.reload();
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        again = replaceParts(page);
      } catch { /* the network may be interrupted: try again */ }
    }
    if (again) setTimeout(refresh, seconds * 1000, seconds);
  }

  // Replace only what changed, and nothing that has the focus.
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
