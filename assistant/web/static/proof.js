// The inclusion proof of a record, computed anew in the browser (RFC 9162, section 2.1.3.2; SHA-256 by WebCrypto).
"use strict";
(async () => {
  const steps = document.getElementById("steps"), told = document.getElementById("proof-browser");
  if (!steps || !told) return;
  if (!globalThis.crypto || !crypto.subtle) { told.textContent = "This browser computes hashes only over https or on this machine: download the proof instead."; return; }
  const bytes = (hex) => Uint8Array.from(hex.match(/../g) || [], (x) => parseInt(x, 16));
  const hex = (raw) => [...new Uint8Array(raw)].map((x) => x.toString(16).padStart(2, "0")).join("");
  const sha = async (...parts) => hex(await crypto.subtle.digest("SHA-256", await new Blob(parts).arrayBuffer()));
  const mark = (li, got) => {
    const at = li.querySelector(".seen"), good = at.dataset.expect === got;
    at.textContent = good ? "✓ computed here" : "✗ this browser gets " + got;
    at.className = "seen " + (good ? "good" : "bad");
    return good;
  };
  const index = BigInt(steps.dataset.index), size = BigInt(steps.dataset.size);
  let fn = index, sn = size - 1n, well = index < size;
  const [leaf, ...path] = steps.querySelectorAll("li[data-leaf], li[data-sibling]");
  let current = await sha(Uint8Array.of(0), new TextEncoder().encode(leaf.dataset.leaf));
  well = mark(leaf, current) && well;
  for (const li of path) {
    if (sn === 0n) well = false;
    const left = (fn & 1n) === 1n || fn === sn, sibling = bytes(li.dataset.sibling);
    if (left !== (li.dataset.side === "left")) well = false;
    current = left ? await sha(Uint8Array.of(1), sibling, bytes(current)) : await sha(Uint8Array.of(1), bytes(current), sibling);
    while (left && fn !== 0n && (fn & 1n) === 0n) { fn >>= 1n; sn >>= 1n; }
    fn >>= 1n; sn >>= 1n;
    well = mark(li, current) && well;
  }
  well = well && sn === 0n && current === steps.dataset.root;
  told.textContent = well ? `Computed anew in this browser: ${path.length} steps lead from the leaf to the root. It holds.` : "Computed anew in this browser: it does NOT hold.";
  told.className = well ? "js seen good" : "js seen bad";
})();
