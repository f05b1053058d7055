// Small things every page wants: moments in the reader's own zone, words when the server is away, copy buttons, dialogs.
"use strict";

(() => {
  const locale = navigator.language || "en";

  // <time datetime="…Z" data-show="time|date|both|ago">
  const shown = {
    time: { timeStyle: "medium" },
    date: { dateStyle: "medium" },
    both: { dateStyle: "medium", timeStyle: "short" },
  };
  const ago = (then) => {
    const s = Math.max(0, Math.round((Date.now() - then) / 1000));
    if (s < 5) return "just now";
    for (const [name, size] of [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]]) {
      if (s >= size) return new Intl.RelativeTimeFormat(locale, { numeric: "always" }).format(-Math.floor(s / size), name);
    }
    return "";
  };
  const moments = (root) => {
    for (const element of root.querySelectorAll("time[data-show]")) {
      const at = new Date(element.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      const how = element.dataset.show;
      element.title = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "long" }).format(at);
      element.textContent = how === "ago" ? ago(at.getTime()) : new Intl.DateTimeFormat(locale, shown[how] || shown.both).format(at);
    }
  };
  // <time datetime="…Z" data-until>: counts down.
  const countdowns = () => {
    for (const element of document.querySelectorAll("time[data-until]")) {
      const left = Math.ceil((new Date(element.dateTime).getTime() - Date.now()) / 1000);
      if (Number.isNaN(left)) continue;
      element.textContent = left <= 0 ? "any moment" : left < 60 ? `${left} s` : left < 3600
        ? `${Math.floor(left / 60)} min ${left % 60} s` : `${Math.floor(left / 3600)} h ${Math.floor(left / 60) % 60} min`;
    }
  };

  const offline = (away) => {
    const word = document.getElementById("offline");
    if (word) word.hidden = !away;
  };

  // "Today" begins at the reader's midnight: the server is told how far their clock is ahead of UTC.
  document.cookie = `tatau_utc=${-new Date().getTimezoneOffset()}; path=/; max-age=31536000; samesite=lax`;

  document.addEventListener("DOMContentLoaded", () => {
    moments(document);
    countdowns();
    setInterval(countdowns, 1000);
    setInterval(() => moments(document), 30000);
  });
  document.addEventListener("htmx:load", (event) => { moments(event.target.parentNode || document); countdowns(); });
  document.addEventListener("htmx:oobAfterSwap", () => moments(document));
  document.addEventListener("htmx:sseMessage", () => { offline(false); moments(document); });
  document.addEventListener("htmx:sseOpen", () => offline(false));
  document.addEventListener("htmx:sseError", () => offline(true));
  document.addEventListener("htmx:sendError", () => offline(true));
  document.addEventListener("htmx:afterRequest", (event) => { if (event.detail.successful) offline(false); });
  // A refusal of the server is a sentence for the reader: it is shown, not swallowed.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const status = event.detail.xhr.status;
    if (status >= 400 && (event.detail.xhr.getResponseHeader("content-type") || "").startsWith("text/html")) {
      event.detail.shouldSwap = true;
      event.detail.isError = false;
    }
  });

  document.addEventListener("click", async (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      const text = copy.dataset.copy || document.querySelector(copy.dataset.copyFrom)?.textContent || "";
      try {
        await navigator.clipboard.writeText(text);
      } catch {
        const area = document.createElement("textarea");
        area.value = text;
        document.body.append(area);
        area.select();
        document.execCommand("copy");
        area.remove();
      }
      const before = copy.textContent;
      copy.textContent = "Copied";
      setTimeout(() => { copy.textContent = before; }, 1500);
    }
    const open = event.target.closest("[data-dialog]");
    if (open) document.getElementById(open.dataset.dialog)?.showModal();
    const close = event.target.closest("[data-close]");
    if (close) close.closest("dialog")?.close();
  });
  // Questions before what cannot be undone.
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset && event.target.dataset.ask;
    if (question && !window.confirm(question)) event.preventDefault();
  });
})();
