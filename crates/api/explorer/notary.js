// The notary: hashes files in this browser, and tells which blocks record the hashes. No file
// leaves the browser.

import { get } from "/explorer/chain.js";
import { accountLink, ago, blockLink, count, h, id, table, txnLink } from "/explorer/dom.js";

/** Longer files are hashed in a terminal: a browser holds the whole file in memory. */
const MAX_BYTES = 1 << 30;

const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");

async function hashOf(file) {
  if (!globalThis.crypto?.subtle) {
    throw new Error("This browser hashes files only over HTTPS or on the node's own host. Run sha256sum in a terminal and paste the hash.");
  }
  if (file.size > MAX_BYTES) {
    throw new Error("Files above 1 GiB are too large for this page. Run sha256sum in a terminal and paste the hash.");
  }
  return hex(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
}

function recordRow(record, hash, name) {
  const receipt = record.data === `sha256:${hash}` && record.status === "final"
    ? h("a", { href: `/v1/txns/${record.id}/proof?document=${hash}`, download: `${name}.ccoin` }, "Receipt")
    : h("span", { class: "muted" }, record.status === "final" ? "with the list" : "when final");
  return h("tr", {},
    h("td", {}, h("a", { href: blockLink(record.block_number) }, count(record.block_number))),
    h("td", {}, h("span", { class: `badge ${record.status}` }, record.status)),
    h("td", {}, ago(record.block_time), " ago"),
    h("td", {}, id(record.from, accountLink(record.from))),
    h("td", {}, id(record.id, txnLink(record.id))),
    h("td", {}, receipt));
}

/** What the chain says about one hash. */
async function answer(name, hash) {
  const { items } = await get(`/v1/documents/${hash}`);
  const heading = h("div", { class: "title" }, h("h2", { class: "name" }, name),
    h("span", { class: `badge ${items.length ? "final" : "pending"}` }, items.length ? "recorded" : "not recorded"));
  const facts = h("p", {}, "SHA-256 ", id(hash, null, { whole: true }));
  if (items.length === 0) {
    return [heading, facts, h("p", { class: "muted" },
      "No block of this chain records this hash by itself. It may be part of a list: check the receipt. To record it: ",
      h("code", {}, `ccoin notarize --hash ${hash}`))];
  }
  return [heading, facts, table(["Block", "Status", "Made", "By", "Transaction", "Proof"],
    items.map((record) => recordRow(record, hash, name)), "")];
}

export function notaryView() {
  const results = h("div", { "aria-live": "polite" });
  const show = (name, hashing) => {
    const card = h("section", { class: "card" }, h("p", { class: "muted" }, `Looking for ${name} …`));
    results.prepend(card);
    hashing.then((hash) => answer(name, hash))
      .catch((error) => [h("h2", { class: "name" }, name), h("p", {}, error.message)])
      .then((children) => card.replaceChildren(...children));
  };
  const take = (files) => {
    for (const file of files) show(file.name, hashOf(file));
  };
  const input = h("input", { type: "file", id: "files", multiple: true });
  input.addEventListener("change", () => {
    take(input.files);
    input.value = "";
  });
  const zone = h("div", { class: "drop" },
    h("label", { for: "files" }, "Choose files, or drop them here"), input);
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    take(event.dataTransfer.files);
  });
  const typed = h("input", {
    type: "text", class: "field hash", id: "hash", maxlength: "64", spellcheck: "false", autocomplete: "off",
    placeholder: "64 hex digits",
  });
  const form = h("form", { class: "trial" }, h("label", { for: "hash" }, "Or a SHA-256"), typed,
    h("button", { class: "more" }, "Look"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const hash = typed.value.trim().toLowerCase();
    const well = /^[0-9a-f]{64}$/.test(hash);
    show(well ? `…${hash.slice(-8)}` : "the hash",
      well ? Promise.resolve(hash) : Promise.reject(new Error("Write the 64 hex digits that sha256sum prints.")));
    if (well) typed.value = "";
  });
  const element = h("div", {},
    h("section", { class: "hero" }, h("h1", {}, "Notary"),
      h("p", { class: "sentence" },
        "Shows when a document was recorded on this chain. Files are hashed in this browser: nothing but the hash leaves it.")),
    h("section", { class: "card" }, zone, form),
    results,
    h("p", {}, h("a", { href: "/verify" }, "Verify a receipt"),
      h("span", { class: "muted" }, " on a page that sends nothing anywhere.")));
  return { title: "Notary", element, update() {} };
}
