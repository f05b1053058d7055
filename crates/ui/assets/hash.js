// A worker: the BLAKE3 of files, read piece by piece. The first message names the script of the hash.
"use strict";

const PIECE_BYTES = 4 << 20;
let hasher = null;

const start = async (url) => {
  importScripts(url);
  hasher = await self.hashwasm.createBLAKE3();
};

const hash = async ({ id, file }) => {
  hasher.init();
  for (let at = 0; at < file.size; at += PIECE_BYTES) {
    const piece = await file.slice(at, at + PIECE_BYTES).arrayBuffer();
    hasher.update(new Uint8Array(piece));
    postMessage({ id, done: Math.min(at + PIECE_BYTES, file.size) });
  }
  postMessage({ id, hash: hasher.digest("hex") });
};

// One file after the other: there is one hasher.
let queue = Promise.resolve();
onmessage = ({ data }) => {
  queue = queue.then(() => (data.blake3 ? start(data.blake3) : hash(data)))
    .catch((error) => postMessage({ id: data.id, error: String(error && error.message || error) }));
};
