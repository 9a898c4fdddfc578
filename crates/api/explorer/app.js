// Routes, the search and the frame around the views.

import { chain, follow, get, refresh } from "/explorer/chain.js";
import { accountLink, blockLink, h, setText, since, txnLink } from "/explorer/dom.js";
import { chainView } from "/explorer/chain_view.js";
import { accountView, blockView, txnView } from "/explorer/details.js";
import { networkView } from "/explorer/network_view.js";
import { notaryView } from "/explorer/notary.js";

const main = document.getElementById("main");
const notice = document.getElementById("notice");
const query = document.getElementById("query");

const VIEWS = {
  "": chainView,
  block: blockView,
  txn: txnView,
  account: accountView,
  network: networkView,
  notary: notaryView,
};

/** The view that is shown; `update` follows the chain. */
let shown = { update() {} };
let route = 0;

async function show({ focus = true } = {}) {
  const [name, value = ""] = location.hash.replace(/^#\/?/, "").split("/");
  const view = VIEWS[name] ?? chainView;
  const mine = ++route;
  document.querySelectorAll("nav a").forEach((link) => {
    const own = ["network", "notary"].includes(name) ? name : "chain";
    const current = link.dataset.view === own;
    if (current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  });
  let next;
  try {
    next = await view(decodeURIComponent(value));
  } catch (error) {
    next = { title: "Not found", element: failure(error), update() {} };
  }
  // A slower answer for a view that was left.
  if (mine !== route) return;
  shown = next;
  document.title = next.title ? `${next.title} · ccoin` : "ccoin";
  main.replaceChildren(next.element);
  if (focus) {
    // Who types a search meanwhile goes on typing.
    if (document.activeElement !== query) main.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  shown.update();
}

function failure(error) {
  return h("section", { class: "card" },
    h("h1", {}, "Nothing to show here"),
    h("p", {}, error.message),
    error.hint && h("p", { class: "muted" }, error.hint),
    h("p", {}, h("a", { href: "#/" }, "Back to the chain")));
}

/** Where a text leads: a number, an id, an address, or the end of one that is on the page. */
async function target(text) {
  const plain = text.replace(/^#/, "").replaceAll(",", "").toLowerCase();
  if (/^\d{1,16}$/.test(plain)) return blockLink(plain);
  if (/^[0-9a-f]{40}$/.test(plain)) return accountLink(plain);
  if (/^[0-9a-f]{64}$/.test(plain)) {
    const block = () => get(`/v1/blocks/${plain}?body=ids`).then(({ number }) => blockLink(number), () => null);
    const txn = () => get(`/v1/txns/${plain}`).then(() => txnLink(plain), () => null);
    // Work makes ids of blocks begin with zeros.
    return plain.startsWith("000") ? (await block()) ?? txn() : (await txn()) ?? block();
  }
  if (/^[0-9a-f]{6,63}$/.test(plain)) return atHand(plain);
  return null;
}

function atHand(end) {
  const ends = (full) => full.endsWith(end);
  const block = chain.blocks.find((block) => ends(block.id));
  if (block) return blockLink(block.number);
  const txns = [...chain.txns, ...chain.waiting.values()];
  const txn = txns.find((txn) => ends(txn.id));
  if (txn) return txnLink(txn.id);
  const addresses = [...chain.places.keys(), ...txns.flatMap((txn) => [txn.from, txn.to])];
  const address = addresses.find(ends);
  return address ? accountLink(address) : null;
}

document.getElementById("search").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = query.value.trim();
  if (!text) return;
  query.value = "";
  query.blur();
  const found = await target(text);
  if (!found) {
    query.value ||= text;
    setText(notice, `Nothing found for “${text}”. Write a block number, 64 hex digits of an id, or 40 of an address.`);
    return;
  }
  setText(notice, "");
  if (location.hash === found) show();
  else location.hash = found;
});

addEventListener("keydown", (event) => {
  const typing = event.target.matches?.("input, textarea");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    query.focus();
    query.select();
  }
  if (event.key === "Escape") {
    query.value = "";
    query.blur();
    setText(notice, "");
  }
});

const theme = document.getElementById("theme");
function setTheme(name) {
  if (name) document.documentElement.dataset.theme = name;
}
try {
  setTheme(localStorage.getItem("theme"));
} catch {
  // A browser that stores nothing follows the system.
}
theme.addEventListener("click", () => {
  const dark = document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  setTheme(dark ? "light" : "dark");
  try {
    localStorage.setItem("theme", dark ? "light" : "dark");
  } catch {
    // It holds until the page is closed.
  }
});

let asked = 0;
chain.onchange = () => {
  const status = chain.status;
  if (status) {
    const id = status.genesis_id?.slice(-8);
    setText(document.getElementById("node"),
      `${status.node_type} …${status.address.slice(-8)} · ccoin ${status.version}${id ? ` · network …${id}` : ""}`);
  }
  shown.update();
  // A new block changes what the node waits for.
  const height = status?.height ?? 0;
  if (height !== asked) {
    asked = height;
    setTimeout(() => refresh().catch(() => {}), 250);
  }
};

addEventListener("hashchange", () => {
  setText(notice, "");
  show();
});
setInterval(() => {
  for (const element of document.querySelectorAll("[data-since]")) {
    setText(element, since(element.dataset.since));
  }
}, 250);
setInterval(() => {
  if (!document.hidden) refresh().catch(() => {});
}, 2000);

follow();
show({ focus: false });
