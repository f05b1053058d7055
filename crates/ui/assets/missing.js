// The order page of a scene that misses files: dropped ones are matched, sent, and the scene is looked at again.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const { Hasher, Told, call, close, match, place, send } = window.Tatau;
  const box = document.getElementById("missing");
  if (!box) return;
  const told = new Told();
  const entries = new Map();
  let running = null;

  const rows = [...document.querySelectorAll("#lacks [data-resolved]")];
  const matched = () => rows.map((row) => [row, match(entries, box.dataset.scene, row.dataset.resolved)]);

  const take = async (more) => {
    if (running) return;
    told.problem("");
    for (const [path, file] of more) entries.set(path, file);
    const found = matched();
    for (const [row, file] of found) {
      const state = row.querySelector("[data-state]");
      state.textContent = file ? "found" : "missing";
      state.className = `tag ${file ? "good" : "warn"}`;
    }
    const lacking = found.filter(([, file]) => !file).length;
    if (lacking === rows.length) throw new Error("None of the missing files is in what you dropped. The list shows their names.");
    if (lacking) {
      told.say(lacking === 1 ? "One file is still missing" : `${lacking} files are still missing`, "Drop them, too; then the scene is looked at again.");
      return;
    }
    running = new AbortController();
    told.stop.hidden = false;
    try {
      const hasher = new Hasher(box.dataset.hash, box.dataset.blake3);
      const blobs = await send(found.map(([, file]) => file), hasher, told, running.signal, 0);
      const files = found.map(([row, file], at) => ({ resolved: row.dataset.resolved, blob: blobs[at], bytes: file.size }));
      const made = await call("POST", `${box.dataset.order}/files`, { json: { files }, signal: running.signal });
      location.assign(await close(made.order + location.search, entries, hasher, told, running.signal, 0));
    } catch (error) {
      if (running.signal.aborted) told.box.hidden = true; else told.problem(error.message || String(error));
      running = null;
      told.stop.hidden = true;
    }
  };

  told.stop.addEventListener("click", () => running?.abort(new Error("stopped")));
  place(take, (text) => told.problem(text));
});
