// From dropped files to a closed set on the server: hash, upload, have the scene inspected, add what it misses and was dropped.
// Which name means which file is decided here; where it lies in the inputs, by the server.
"use strict";

window.Tatau = window.Tatau || {};

(() => {
  const CHUNK_BYTES = 8 << 20;
  const AT_ONCE = 2;
  const MOST_ROUNDS = 8;
  const MOST_ENTRIES = 20000;
  const WAIT_MS = [1000, 2000, 4000, 8000, 15000];

  const csrf = () => document.body.dataset.csrf || "";
  const sleep = (ms, signal) => new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
  });

  /// A refusal of the server, or nothing left to try: its text is for the person.
  class Refused extends Error {}

  /// Calls the server; waits for one that is away, as long as it takes.
  const call = async (method, path, { body, json, signal, away } = {}) => {
    for (let tries = 0; ; tries++) {
      let answer = null;
      try {
        const headers = { "x-csrf": csrf() };
        if (json !== undefined) headers["content-type"] = "application/json";
        answer = await fetch(path, { method, headers, body: json !== undefined ? JSON.stringify(json) : body, signal, cache: "no-store" });
      } catch (error) {
        if (signal?.aborted) throw error;
      }
      if (answer && answer.ok) {
        away?.(false);
        return answer.json();
      }
      if (answer && ![408, 429, 502, 503, 504].includes(answer.status)) {
        if (answer.status === 401) location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
        const told = await answer.json().catch(() => null);
        throw new Refused(told?.sentence || `The server answered ${answer.status}.`);
      }
      away?.(true);
      await sleep(WAIT_MS[Math.min(tries, WAIT_MS.length - 1)], signal);
    }
  };

  /// Hashes files in a worker, each once.
  class Hasher {
    constructor(script, blake3) {
      this.worker = new Worker(script);
      this.waiting = new Map();
      this.known = new Map();
      this.next = 1;
      this.worker.onmessage = ({ data }) => {
        const one = this.waiting.get(data.id);
        if (data.error) { for (const any of one ? [one] : this.waiting.values()) any.reject(new Refused(`A file could not be read (${data.error}). Drop it again.`)); return; }
        if (!one) return;
        if (data.hash) { this.waiting.delete(data.id); one.resolve(data.hash); } else one.on?.(data.done);
      };
      this.worker.onerror = () => { for (const one of this.waiting.values()) one.reject(new Refused("This browser cannot hash files. Use the command line, or another browser.")); };
      this.worker.postMessage({ blake3 });
    }
    hash(file, on) {
      if (!this.known.has(file)) {
        this.known.set(file, new Promise((resolve, reject) => {
          const id = this.next++;
          this.waiting.set(id, { resolve, reject, on });
          this.worker.postMessage({ id, file });
        }));
      }
      return this.known.get(file);
    }
  }

  /// Sends one file; goes on where an earlier try stopped.
  const upload = async (file, blob, on, options) => {
    const path = `/v1/uploads/${blob}?bytes=${file.size}`;
    let state = await call("GET", path, options);
    let stuck = 0;
    while (!state.complete) {
      on(state.have);
      const chunk = file.slice(state.have, state.have + CHUNK_BYTES);
      let next;
      try {
        next = await call("PUT", `${path}&offset=${state.have}`, { ...options, body: chunk });
      } catch (error) {
        // Another tab may send the same file: look where it is, a few times.
        if (!(error instanceof Refused) || ++stuck > 3) throw error;
        await sleep(1000, options.signal);
        next = await call("GET", path, options);
      }
      state = next;
    }
    on(file.size);
  };

  /// What was dropped: path → file. Hidden files and folders are left out.
  const plain = (path) => !path.split("/").some((part) => part.startsWith(".") || part === "");

  const walk = async (entry, prefix, into) => {
    if (into.size >= MOST_ENTRIES) throw new Refused(`That folder holds more than ${MOST_ENTRIES} files. Drop the scene alone, then only what it misses is asked for.`);
    const path = prefix + entry.name;
    if (entry.isFile) {
      if (plain(path)) into.set(path, await new Promise((resolve, reject) => entry.file(resolve, reject)));
      return;
    }
    if (entry.name.startsWith(".")) return;
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!some.length) return;
      for (const one of some) await walk(one, `${path}/`, into);
    }
  };

  const dropped = async (transfer) => {
    const into = new Map();
    const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (entries.length) for (const entry of entries) await walk(entry, "", into);
    else for (const file of transfer.files) into.set(file.name, file);
    return into;
  };

  const chosen = (list) => {
    const into = new Map();
    for (const file of list) {
      const path = file.webkitRelativePath || file.name;
      if (plain(path) && into.size < MOST_ENTRIES) into.set(path, file);
    }
    return into;
  };

  /// The file that is meant by `resolved`, relative to the folder of `scene`: under that name, else by the longest end of its
  /// path that exactly one file has.
  const match = (entries, scene, resolved) => {
    const parts = scene.split("/").slice(0, -1);
    for (const part of resolved.split("/")) {
      if (part === "..") parts.pop(); else parts.push(part);
    }
    const exact = parts.join("/");
    if (entries.has(exact)) return entries.get(exact);
    const tail = resolved.split("/").filter((part) => part !== ".." && part !== "_absolute");
    for (const same of [(a) => a, (a) => a.toLowerCase()]) {
      for (let from = 0; from < tail.length; from++) {
        const end = same(tail.slice(from).join("/"));
        const found = [...entries].filter(([path]) => same(path) === end || same(path).endsWith(`/${end}`));
        if (found.length === 1) return found[0][1];
        if (found.length > 1) break;
      }
    }
    return null;
  };

  /// Says what happens.
  class Told {
    constructor() {
      const get = (id) => document.getElementById(id);
      Object.assign(this, { box: get("work"), title: get("work-title"), text: get("work-text"), bar: get("work-bar"), stop: get("work-stop"), wrong: get("problem") });
    }
    say(title, text, share) {
      this.box.hidden = false;
      this.title.textContent = title;
      if (this.text.textContent !== text) this.text.textContent = text;
      this.bar.hidden = share === undefined;
      if (share === null) this.bar.removeAttribute("value"); else if (share !== undefined) this.bar.value = share;
    }
    problem(text) {
      this.wrong.hidden = !text;
      this.wrong.textContent = text || "";
      if (text) this.box.hidden = true;
    }
  }

  const bytes = (n) => {
    const units = ["B", "kB", "MB", "GB", "TB"];
    let at = 0;
    while (n >= 999.5 && at < units.length - 1) { n /= 1000; at += 1; }
    return `${at && n < 99.95 ? n.toFixed(1) : Math.round(n)} ${units[at]}`;
  };
  const duration = (s) => (s < 60 ? `${Math.ceil(s)} s` : s < 3600 ? `${Math.floor(s / 60)} min ${Math.ceil(s % 60)} s` : `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`);

  /// Hashes and uploads files; the answer is their blobs, in order.
  const send = async (files, hasher, told, signal, most) => {
    const total = files.reduce((sum, file) => sum + file.size, 0);
    const large = files.find((file) => most && file.size > most);
    if (large) throw new Refused(`${large.name} has ${bytes(large.size)}; this server takes files of up to ${bytes(most)}.`);
    const done = new Map();
    const begun = performance.now();
    let away = false;
    const show = () => {
      const sent = [...done.values()].reduce((sum, n) => sum + n, 0);
      const speed = sent / Math.max(0.5, (performance.now() - begun) / 1000);
      const left = sent && sent < total && speed ? `, about ${duration((total - sent) / speed)} left` : "";
      const count = files.length === 1 ? "1 file" : `${files.length} files`;
      told.say("Uploading", away ? "The server does not answer. The upload goes on by itself when it is back." : `${count}, ${bytes(sent)} of ${bytes(total)}${left}`, total ? sent / total : 1);
    };
    const options = { signal, away: (is) => { if (is !== away) { away = is; show(); } } };
    const blobs = new Array(files.length);
    let next = 0;
    const line = async () => {
      while (next < files.length) {
        const at = next++;
        const file = files[at];
        blobs[at] = await hasher.hash(file, (read) => {
          if (file.size > 64 << 20) told.say("Reading", `${file.name}: ${bytes(read)} of ${bytes(file.size)}`, read / file.size);
        });
        await upload(file, blobs[at], (sent) => { done.set(at, sent); show(); }, options);
      }
    };
    show();
    await Promise.all(Array.from({ length: AT_ONCE }, line));
    return blobs;
  };

  /// Waits for an inspection's report; adds files that it misses and that are among `entries`, until nothing more helps.
  const close = async (order, entries, hasher, told, signal, most) => {
    const sent = new Set();
    for (let round = 1; round <= MOST_ROUNDS; round++) {
      const path = new URL(order, location.href);
      let state;
      for (;;) {
        told.say("Looking at the scene", "A machine of the market opens it in a sandbox and lists what it needs. Usually that takes less than a minute.", null);
        state = await call("GET", `${path.pathname}/state`, { signal, away: (is) => { if (is) told.say("Looking at the scene", "The server does not answer. This goes on by itself when it is back.", null); } });
        if (state.stage !== "waiting") break;
      }
      if (state.refused || !state.missing.length) return order;
      const found = [];
      for (const { resolved } of state.missing) {
        const file = match(entries, state.scene, resolved);
        if (file && !sent.has(resolved)) found.push([resolved, file]);
      }
      if (!found.length) return order;
      found.forEach(([resolved]) => sent.add(resolved));
      const blobs = await send(found.map(([, file]) => file), hasher, told, signal, most);
      const files = found.map(([resolved, file], at) => ({ resolved, blob: blobs[at], bytes: file.size }));
      const made = await call("POST", `${path.pathname}/files`, { json: { files }, signal });
      order = made.order + path.search;
    }
    return order;
  };

  /// Wires a place to drop things, and its two buttons. `take` gets path → file.
  const place = (take, problem) => {
    const drop = document.getElementById("drop");
    const files = document.getElementById("files");
    const folder = document.getElementById("folder");
    const guarded = (work) => Promise.resolve().then(work).catch((error) => problem(error.message || String(error)));
    for (const name of ["dragenter", "dragover"]) {
      drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
    }
    drop.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      const reading = dropped(event.dataTransfer);
      guarded(async () => take(await reading));
    });
    // Beside the place, a drop would open the file instead of the page.
    for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
    for (const input of [files, folder]) {
      input.addEventListener("change", () => {
        const list = chosen(input.files);
        input.value = "";
        if (list.size) guarded(() => take(list));
      });
    }
    document.getElementById("choose-folder").addEventListener("click", () => folder.click());
  };

  Object.assign(window.Tatau, { Hasher, Refused, Told, call, close, match, place, send, bytes });
})();
