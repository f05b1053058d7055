// Keeps a page live: one stream a page, elements replaced by their id. A page that nobody looks at lets go of its stream.
"use strict";

(() => {
  const HIDDEN_MS = 20000;
  const AGAIN_MS = 3000;

  const offline = (away) => {
    const word = document.getElementById("offline");
    if (word) word.hidden = !away;
  };

  // What is being typed stays until it is left.
  const busy = (element) => {
    const field = document.activeElement;
    return field && element.contains(field) && field.matches("input, select, textarea") && field.value !== field.defaultValue;
  };

  const put = (fresh) => {
    const old = document.getElementById(fresh.id);
    if (!old || old.outerHTML === fresh.outerHTML) return;
    if (busy(old)) {
      document.activeElement.addEventListener("blur", () => put(fresh), { once: true });
      return;
    }
    const open = [...old.querySelectorAll("details[open]")].map((details) => details.id);
    const focused = old.contains(document.activeElement);
    old.replaceWith(fresh);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focused) fresh.querySelector("button, a, input")?.focus({ preventScroll: true });
    if (window.htmx) window.htmx.process(fresh);
    // Moments and countdowns in what is new are filled at once.
    fresh.dispatchEvent(new CustomEvent("htmx:load", { bubbles: true }));
  };

  const changes = (html) => {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    const parts = [...holder.content.children].filter((part) => part.id);
    for (const part of parts) put(part);
    document.dispatchEvent(new CustomEvent("live", { detail: parts.map((part) => part.id) }));
  };

  document.addEventListener("DOMContentLoaded", () => {
    const place = document.querySelector("[data-live]");
    if (!place) return;
    const base = new URL(place.dataset.live, location.href);
    let stream = null;
    let leaving = 0;
    const open = () => {
      if (stream) return;
      stream = new EventSource(base);
      stream.addEventListener("open", () => offline(false));
      stream.addEventListener("changes", (event) => {
        offline(false);
        if (event.lastEventId && base.searchParams.has("after")) base.searchParams.set("after", event.lastEventId);
        changes(event.data);
      });
      stream.addEventListener("reload", () => { close(); location.reload(); });
      stream.addEventListener("error", () => {
        offline(true);
        // The browser tries again by itself, unless it was refused.
        if (stream && stream.readyState === EventSource.CLOSED) {
          close();
          setTimeout(open, AGAIN_MS);
        }
      });
    };
    const close = () => {
      stream?.close();
      stream = null;
    };
    document.addEventListener("visibilitychange", () => {
      clearTimeout(leaving);
      if (document.hidden) leaving = setTimeout(close, HIDDEN_MS);
      else open();
    });
    addEventListener("pagehide", close);
    addEventListener("pageshow", (event) => { if (event.persisted) open(); });
    open();
  });
})();
