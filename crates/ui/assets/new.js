// The page for a new scene: what was dropped becomes an inspected set of files, and leads to its order.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const { Hasher, Told, call, close, place, send } = window.Tatau;
  // Of a small folder everything that a scene can use goes up at once, of a larger one only what the scene asks for.
  const SMALL_BYTES = 100e6;
  const SMALL_FILES = 500;
  const TEXT_BYTES = 512 << 10;
  const USABLE = new Set(("png jpg jpeg jpe tif tiff exr hdr tga bmp webp dds psd jp2 dpx gif tx mp4 mov avi mkv webm ogv blend ttf otf ttc woff woff2 "
    + "wav mp3 ogg flac m4a aif aiff opus abc usd usda usdc usdz pc2 mdd vdb bphys obj ply ies cube").split(" "));

  const page = document.getElementById("drop-page");
  const most = Number(page.dataset.most) || 0;
  const told = new Told();
  const which = document.getElementById("which");
  const list = document.getElementById("scenes");
  const entries = new Map();
  let hasher = null;
  let running = null;

  const base = (path) => path.slice(path.lastIndexOf("/") + 1);
  const ending = (path) => base(path).split(".").pop().toLowerCase();
  const isScene = (path) => ending(path) === "blend";

  // A bundle folder: a template, and beside it what it asks for.
  const bundle = async () => {
    const named = (...names) => [...entries.keys()].find((path) => names.includes(base(path)));
    const template = named("template.yaml", "template.yml", "template.json");
    const text = async (path) => {
      if (!path) return null;
      const file = entries.get(path);
      if (file.size > TEXT_BYTES) throw new Error(`${path} is too large for a bundle.`);
      return file.text();
    };
    if (!template) return null;
    return {
      template: await text(template),
      values: await text(named("parameter_values.yaml", "parameter_values.yml", "parameter_values.json")),
      terms: await text(named("tatau.yaml", "tatau.yml")),
    };
  };
  const wanted = (bundle) => {
    const value = bundle?.values?.match(/name:\s*["']?Scene["']?\s*[\r\n]+\s*value:\s*["']?([^"'\r\n]+)/) || bundle?.values?.match(/value:\s*["']?([^"'\r\n]+\.blend)/);
    return value ? value[1].trim().split(/[/\\]/).pop() : null;
  };

  const ask = (scenes) => {
    list.replaceChildren(...scenes.map((path) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "quiet small";
      button.textContent = path;
      button.addEventListener("click", () => go(path));
      item.append(button);
      return item;
    }));
    which.hidden = false;
    list.querySelector("button")?.focus();
  };

  const take = async (more) => {
    if (running) return;
    told.problem("");
    for (const [path, file] of more) entries.set(path, file);
    const asked = await bundle();
    const scenes = [...entries.keys()].filter(isScene);
    const name = wanted(asked);
    const named = name ? scenes.filter((path) => base(path) === name) : [];
    if (!scenes.length) {
      throw new Error(asked ? `This bundle renders ${name || "a scene"}, which is not in its folder. Drop that .blend file as well.`
        : "There is no .blend file in what you dropped. Drop a Blender scene, or the folder that holds it.");
    }
    if (named.length === 1) return go(named[0]);
    if (scenes.length === 1) return go(scenes[0]);
    // Copies that Blender keeps, and libraries in folders below, are rarely meant: those nearest to the top come first.
    scenes.sort((a, b) => a.split("/").length - b.split("/").length || a.localeCompare(b));
    ask(scenes);
  };

  const first = (scene) => {
    const usable = [...entries].filter(([path]) => path === scene || USABLE.has(ending(path)));
    const total = usable.reduce((sum, [, file]) => sum + file.size, 0);
    return total <= SMALL_BYTES && usable.length <= SMALL_FILES ? usable : [[scene, entries.get(scene)]];
  };

  const go = async (scene) => {
    which.hidden = true;
    told.problem("");
    running = new AbortController();
    told.stop.hidden = false;
    try {
      const head = new Uint8Array(await entries.get(scene).slice(0, 7).arrayBuffer());
      const text = String.fromCharCode(...head);
      const zstd = head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd;
      const gzip = head[0] === 0x1f && head[1] === 0x8b;
      if (text !== "BLENDER" && !zstd && !gzip) throw new Error(`${base(scene)} is no Blender file, whatever its name says. Save the scene in Blender and drop that file.`);
      hasher ??= new Hasher(page.dataset.hash, page.dataset.blake3);
      const some = first(scene);
      const blobs = await send(some.map(([, file]) => file), hasher, told, running.signal, most);
      const files = some.map(([path, file], at) => ({ path, blob: blobs[at], bytes: file.size }));
      told.say("Looking at the scene", "Sending the list of files.", null);
      const made = await call("POST", "/new", { json: { name: "", scene, files, bundle: await bundle(), who: document.querySelector("#who input:checked")?.value || "any" }, signal: running.signal });
      location.assign(await close(made.order, entries, hasher, told, running.signal, most));
    } catch (error) {
      if (running.signal.aborted) told.box.hidden = true; else told.problem(error.message || String(error));
      entries.clear();
      running = null;
      told.stop.hidden = true;
    }
  };

  told.stop.addEventListener("click", () => running?.abort(new Error("stopped")));
  place(take, (text) => told.problem(text));
});
