// The first page: how the chain stands, its newest blocks, what waits and what was paid.

import { chain, throughput } from "/explorer/chain.js";
import {
  accountLink, ago, blockLink, coins, count, h, id, mark, miner, plural, reconcile, setText, since, txnLink,
} from "/explorer/dom.js";

const SHOWN_BLOCKS = 14;
const SHOWN_TXNS = 12;

const EXPLANATION = [
  "Accounts pay each other coins and may add a text. A payment waits until a miner puts it into a block; each block names the one before it.",
  "The miners take turns by the clock. When enough of them have voted for a block it is final: no node will ever take it back. A payment counts when its block is final.",
  "Ids and addresses are long; this page shows their last eight characters. Point at one to see all of it, or to copy it.",
];

function tile(label, hint) {
  const value = h("span", { class: "value" }, "–");
  const note = h("span", { class: "note" });
  const element = h("div", { class: "tile", title: hint }, h("span", { class: "label" }, label), value, note);
  return { element, value, note };
}

function blockCard(block) {
  const txns = plural(block.txn_count, "transaction");
  return h("li", {},
    h("a", { class: "blockcard", href: blockLink(block.number), title: block.id },
      h("span", { class: "number" }, count(block.number)),
      h("span", { class: "txns" }, block.number === 1 ? "genesis" : txns),
      h("span", { class: "foot" }, mark(chain.places.get(block.coinbase)), ago(block.time), h("span", { class: "seal" }))));
}

/** One line for a transaction, in lists. */
export function txnRow(txn) {
  return h("li", { class: "row" },
    h("span", { class: "what" },
      id(txn.from, accountLink(txn.from)), h("span", { class: "arrow", "aria-label": "to" }, "→"),
      id(txn.to, accountLink(txn.to))),
    h("a", { class: "amount", href: txnLink(txn.id), title: txn.id }, coins(txn.amount)),
    h("span", { class: "data" }, txn.data.slice(0, 120)));
}

function list(title, empty) {
  const items = h("ol", { class: "rows" });
  const nothing = h("p", { class: "muted" }, empty);
  const total = h("span", { class: "total" });
  const element = h("section", { class: "card" }, h("h2", {}, title, " ", total), items, nothing);
  const update = (txns, number) => {
    reconcile(items, txns, (txn) => txn.id, txnRow);
    nothing.hidden = txns.length > 0;
    setText(total, number ? count(number) : "");
  };
  return { element, update };
}

const NO_CONNECTION = "No live connection to this node";

export function chainView() {
  const dot = h("i", { class: "dot", "aria-hidden": "true" });
  const headline = h("h1", {});
  const sentence = h("p", { class: "sentence" });
  const tiles = {
    height: tile("Height", "Number of the newest block"),
    age: tile("Head age", "Time since the newest block was made"),
    final: tile("Final", "No node will ever take back this block or one below it"),
    throughput: tile("Transactions / s", "Mean of the last minute"),
    queue: tile("Waiting", "Transactions that no block holds yet"),
    leader: tile("Turn", "The miner that may make blocks now"),
    peers: tile("Peers", "Nodes that are connected to this one"),
  };
  const blocks = h("ol", { class: "strip", tabindex: "0", "aria-label": "Newest blocks, newest first" });
  const waiting = list("Waiting transactions", "Nothing waits. The next transaction will be in a block soon.");
  const paid = list("Newest transactions", "No block at hand holds a transaction.");
  const element = h("div", {},
    h("section", { class: "hero" }, h("div", { class: "state" }, dot, headline), sentence),
    h("section", { class: "tiles", "aria-label": "Figures" }, Object.values(tiles).map((tile) => tile.element)),
    h("section", { class: "card" }, h("h2", {}, "Newest blocks"), blocks),
    h("div", { class: "columns" }, waiting.element, paid.element),
    h("details", {}, h("summary", {}, "What do I see here?"), EXPLANATION.map((text) => h("p", {}, text))));

  function update() {
    const { status } = chain;
    if (!status) {
      if (chain.live === false) setText(headline, NO_CONNECTION);
      return;
    }
    const head = status.head;
    const ready = status.ready && chain.live;
    dot.className = `dot ${ready ? "good" : "warn"}`;
    const words = chain.live ? (status.ready ? "The chain is live" : "This node is not ready") : NO_CONNECTION;
    setText(headline, words);
    setText(sentence, sentenceOf(chain.why));
    setText(tiles.height.value, count(status.height));
    setText(tiles.peers.value, count(status.peers));
    setText(tiles.queue.value, count(Math.max(chain.waiting.size, status.queue.txns)));
    if (!head) return;
    tiles.age.value.dataset.since = head.time;
    setText(tiles.age.value, since(head.time));
    setText(tiles.final.value, count(status.final.number));
    const behind = status.height - status.final.number;
    setText(tiles.final.note, behind === 0 ? "the head is final" : `${count(behind)} to go`);
    setText(tiles.throughput.value, throughput().toFixed(1));
    if (tiles.leader.value.dataset.key !== status.leader) {
      tiles.leader.value.dataset.key = status.leader;
      tiles.leader.value.replaceChildren(miner(status.leader, chain.places));
    }
    reconcile(blocks, chain.blocks.slice(0, SHOWN_BLOCKS), (block) => block.id, blockCard);
    chain.blocks.slice(0, SHOWN_BLOCKS).forEach((block, place) => {
      const seal = blocks.children[place].querySelector(".seal");
      seal.classList.toggle("final", block.final);
      setText(seal, block.final ? "final" : "open");
    });
    const queued = [...chain.waiting.values()].slice(0, SHOWN_TXNS);
    waiting.update(queued, Math.max(chain.waiting.size, status.queue.txns));
    paid.update(chain.txns.slice(0, SHOWN_TXNS));
  }
  return { title: "", element, update };
}

function sentenceOf(why) {
  if (!why) return "";
  const text = why.replace(/\b[0-9a-f]{32}([0-9a-f]{8})\b/g, "…$1");
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
