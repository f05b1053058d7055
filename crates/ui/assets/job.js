// The page of a job: the viewer for frames, and saving them into a folder as they come.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const get = (id) => document.getElementById(id);
  const film = get("film");
  if (!film) return;
  const [width, height] = [Number(film.dataset.width), Number(film.dataset.height)];
  film.style.setProperty("--ratio", `${width} / ${height}`);
  const job = film.dataset.job;

  // The viewer.
  const viewer = get("viewer");
  const picture = get("viewer-picture");
  const canvas = get("viewer-around");
  const turn = get("viewer-turn");
  let at = null;
  let around = null;

  const links = () => [...film.querySelectorAll("a[data-view]")];
  const stopAround = () => {
    around?.stop();
    around = null;
    canvas.hidden = true;
    picture.hidden = false;
    turn.setAttribute("aria-pressed", "false");
    turn.textContent = "View all around (360°)";
  };
  const show = (link) => {
    stopAround();
    at = link.closest("li").id;
    const frame = link.closest("li").dataset.frame;
    const there = Boolean(link.dataset.view);
    get("viewer-title").textContent = `Frame ${frame}`;
    picture.hidden = !there;
    turn.hidden = !there || !film.hasAttribute("data-around");
    get("viewer-file").hidden = !there;
    if (there) {
      picture.src = link.href;
      picture.alt = `Frame ${frame}`;
      get("viewer-file").href = link.href;
    } else {
      picture.removeAttribute("src");
    }
    const story = get("viewer-story");
    story.textContent = "";
    if (window.htmx) window.htmx.ajax("GET", `${job}/frames/${frame}`, { target: story, swap: "innerHTML" });
    const all = links();
    const place = all.indexOf(link);
    get("viewer-before").disabled = place <= 0;
    get("viewer-after").disabled = place >= all.length - 1;
    if (!viewer.open) viewer.showModal();
  };
  const step = (by) => {
    const all = links();
    const next = all[all.findIndex((link) => link.closest("li").id === at) + by];
    if (next) show(next);
  };
  film.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-view]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    show(link);
  });
  get("viewer-before").addEventListener("click", () => step(-1));
  get("viewer-after").addEventListener("click", () => step(1));
  viewer.addEventListener("keydown", (event) => {
    if (around || event.target.matches("input, textarea")) return;
    if (event.key === "ArrowLeft") step(-1);
    else if (event.key === "ArrowRight") step(1);
    else return;
    event.preventDefault();
  });
  viewer.addEventListener("click", (event) => { if (event.target === viewer) viewer.close(); });
  viewer.addEventListener("close", () => { const last = at && get(at); stopAround(); last?.querySelector("a")?.focus(); });
  turn.addEventListener("click", () => {
    if (around) { stopAround(); return; }
    canvas.hidden = false;
    around = window.Tatau.panorama(canvas, picture, film.dataset.around);
    if (!around) { canvas.hidden = true; turn.hidden = true; return; }
    picture.hidden = true;
    turn.setAttribute("aria-pressed", "true");
    turn.textContent = "View flat";
    canvas.focus();
  });

  // Into a folder, as they come.
  if (!window.showDirectoryPicker) return;
  get("save-here").hidden = false;
  const text = get("save-text");
  const saved = new Set();
  let folder = null;
  let busy = false;
  const names = () => {
    const raw = get("save-raw").checked;
    const all = links().map((link) => link.dataset.view).filter(Boolean);
    const with_raw = raw ? all.flatMap((name) => [name, name.replace(/\.png$/, ".exr")]) : all;
    return document.querySelector("#job-results video") ? [...with_raw, "video.mp4"] : with_raw;
  };
  const save = async () => {
    if (!folder || busy) return;
    busy = true;
    try {
      for (const name of names()) {
        if (saved.has(name)) continue;
        text.textContent = `Saving ${name}…`;
        const answer = await fetch(`${job}/files/${name}`);
        if (!answer.ok) continue;
        const writable = await (await folder.getFileHandle(name, { create: true })).createWritable();
        await answer.body.pipeTo(writable);
        saved.add(name);
      }
      text.textContent = `${saved.size} files are in the folder. Keep this page open for the rest.`;
    } catch (error) {
      text.textContent = `Not saved: ${error.message}. Choose the folder again.`;
      folder = null;
    }
    busy = false;
  };
  get("save").addEventListener("click", async () => {
    try {
      folder = await window.showDirectoryPicker({ mode: "readwrite" });
    } catch {
      return;
    }
    save();
  });
  get("save-raw").addEventListener("change", save);
  document.addEventListener("live", save);
});
