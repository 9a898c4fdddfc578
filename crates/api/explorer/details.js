// One block, one transaction, one account.

import { chain, get } from "/explorer/chain.js";
import { balanceChart } from "/explorer/charts.js";
import { accountLink, ago, blockLink, coins, count, h, id, miner, plural, table, txnLink } from "/explorer/dom.js";

function facts(rows) {
  const shown = rows.filter(([, value]) => value != null && value !== false);
  return h("dl", { class: "facts" }, shown.map(([label, value]) => [h("dt", {}, label), h("dd", {}, value)]));
}

function seal(status) {
  const words = { final: "final", included: "included", pending: "waiting", dropped: "dropped" };
  return h("span", { class: `badge ${status}` }, words[status]);
}

function data(text) {
  if (text === "") return h("span", { class: "muted" }, "none");
  return h("pre", { class: "text" }, text);
}

function txnsTable(txns, own) {
  const rows = txns.map((txn) => {
    const sign = own === undefined ? "" : txn.from === own && txn.to === own ? "±" : txn.from === own ? "−" : "+";
    return h("tr", {},
      h("td", {}, id(txn.id, txnLink(txn.id))),
      h("td", {}, id(txn.from, accountLink(txn.from))),
      h("td", {}, id(txn.to, accountLink(txn.to))),
      h("td", { class: `end ${sign === "+" ? "plus" : ""}` }, sign, count(txn.amount)),
      own !== undefined && h("td", { class: "end" }, h("a", { href: blockLink(txn.block_number) }, count(txn.block_number))),
      h("td", { class: "data" }, txn.data.slice(0, 120)));
  });
  const headings = ["Transaction", "From", "To", ">Coins", ...(own === undefined ? [] : [">Block"]), "Text"];
  return table(headings, rows, "No transactions.");
}

export async function blockView(value) {
  const block = await get(`/v1/blocks/${encodeURIComponent(value)}`);
  const badge = h("span", {});
  const number = block.number;
  const next = h("a", { href: blockLink(number + 1), rel: "next" }, "Next →");
  const element = h("div", {},
    h("section", { class: "card" },
      h("div", { class: "title" },
        h("h1", {}, `Block ${count(number)}`), badge,
        h("span", { class: "steps" },
          number > 1 && h("a", { href: blockLink(number - 1), rel: "prev" }, "← Previous"), next)),
      facts([
        ["Id", id(block.id, null, { whole: true })],
        ["Made", h("span", {}, block.time, " (", ago(block.time), " ago)")],
        ["Miner", miner(block.coinbase, chain.places)],
        ["Reward", block.reward > 0 ? coins(block.reward) : "none: not the first block of its turn"],
        ["Parent", number > 1 && id(block.hash_parent, blockLink(number - 1), { whole: true })],
        ["State root", id(block.hash_state, null, { whole: true })],
        ["Transactions root", id(block.hash_txns, null, { whole: true })],
        ["Work", `${block.difficulty} zeros, nonce ${block.nonce}`],
        ["Text", number > 1 && data(block.data)],
      ])),
    number > 1
      ? h("section", { class: "card" }, h("h2", {}, plural(block.txn_count, "transaction")), txnsTable(block.body))
      : h("section", { class: "card" }, h("h2", {}, "Rules of the network"), data(pretty(block.data))));
  const update = () => {
    const isFinal = block.final || (chain.status?.final?.number ?? 0) >= number;
    badge.replaceChildren(seal(isFinal ? "final" : "included"));
    next.hidden = (chain.status?.height ?? 0) <= number;
  };
  return { title: `Block ${number}`, element, update };
}

function pretty(json) {
  return JSON.stringify(JSON.parse(json), null, 2);
}

const STEPS = ["pending", "included", "final"];

function steps(txn) {
  if (txn.status === "dropped") {
    return h("p", { class: "sentence" }, seal("dropped"), ` ${txn.reason ?? ""}`);
  }
  const reached = STEPS.indexOf(txn.status);
  const words = ["Waiting", txn.block_number ? `In block ${count(txn.block_number)}` : "In a block", "Final"];
  return h("ol", { class: "progress" }, words.map((word, step) =>
    h("li", { class: step <= reached ? "done" : "", "aria-current": step === reached && "step" }, word)));
}

export async function txnView(value) {
  const path = `/v1/txns/${encodeURIComponent(value)}`;
  let txn = await get(path);
  const progress = h("div", {}, steps(txn));
  const place = h("span", {});
  const element = h("section", { class: "card" },
    h("div", { class: "title" }, h("h1", {}, "Transaction")),
    h("p", { class: "transfer" },
      id(txn.from, accountLink(txn.from)), h("span", { class: "arrow", "aria-label": "pays" }, "→"),
      id(txn.to, accountLink(txn.to)), h("strong", {}, coins(txn.amount))),
    progress,
    facts([
      ["Id", id(txn.id, null, { whole: true })],
      ["Text", data(txn.data)],
      ["Signed", h("span", {}, txn.time, " (", ago(txn.time), " ago)")],
      ["Block", place],
      ["From", id(txn.from, accountLink(txn.from), { whole: true })],
      ["To", id(txn.to, accountLink(txn.to), { whole: true })],
      ["Number", `${count(txn.number)} of its sender`],
      ["Public key", id(txn.public_key, null)],
      ["Signature", id(txn.signature, null)],
    ]));
  let seen = "";
  let asking = false;
  const draw = () => {
    progress.replaceChildren(steps(txn));
    place.replaceChildren(txn.block_number ? h("a", { href: blockLink(txn.block_number) }, count(txn.block_number)) : "none yet");
  };
  draw();
  const update = async () => {
    const now = `${chain.status?.height}/${chain.status?.final?.number}`;
    if (now === seen || asking || ["final", "dropped"].includes(txn.status)) return;
    asking = true;
    txn = await get(path).catch(() => txn);
    [asking, seen] = [false, now];
    draw();
  };
  return { title: "Transaction", element, update };
}

export async function accountView(value) {
  const path = `/v1/accounts/${encodeURIComponent(value)}`;
  const summary = h("div", {});
  const chart = h("div", {});
  const rows = h("div", {});
  const more = h("button", { type: "button", class: "more" }, "Older transactions");
  const queued = h("div", {});
  const address = value;
  let txns = [];
  let seen = null;
  let asking = false;

  async function read() {
    const [account, history, page] = await Promise.all([
      get(path), get(`${path}/history?limit=100`), get(`${path}/txns?limit=25`),
    ]);
    summary.replaceChildren(
      h("p", { class: "balance" }, h("strong", {}, count(account.balance)), account.balance === 1 ? " coin" : " coins"),
      facts([
        ["Address", id(address, null, { whole: true })],
        ["Sent so far", plural(account.nonce, "transaction")],
        ["Waiting", account.pending > 0 && plural(account.pending, "transaction")],
        ["As of block", h("a", { href: blockLink(account.block_number) }, count(account.block_number))],
      ]));
    chart.replaceChildren(balanceChart(history.items, account.block_number));
    txns = page.items;
    draw(page.next);
  }

  function draw(next) {
    rows.replaceChildren(txnsTable(txns, address));
    more.hidden = !next;
    more.onclick = async () => {
      const page = await get(`${path}/txns?limit=25&before=${encodeURIComponent(next)}`);
      txns = [...txns, ...page.items];
      draw(page.next);
    };
  }

  await read();
  const element = h("div", {},
    h("section", { class: "card" }, h("div", { class: "title" }, h("h1", {}, "Account"), miningBadge(address)), summary),
    h("section", { class: "card" }, h("h2", {}, "Balance over time"), chart),
    h("section", { class: "card" }, h("h2", {}, "Transactions"), queued, rows, more));
  const update = async () => {
    const concerns = (txn) => txn.from === address || txn.to === address;
    const waiting = [...chain.waiting.values()].filter(concerns).length;
    queued.replaceChildren(waiting > 0 ? h("p", { class: "muted" }, `${count(waiting)} more ${waiting === 1 ? "waits" : "wait"} for a block.`) : "");
    const newest = chain.txns.find(concerns)?.id ?? null;
    const mined = chain.blocks.find((block) => block.coinbase === address)?.id ?? null;
    const now = `${newest}/${mined}`;
    if (seen === null) seen = now;
    // A reader in older pages is not thrown back to the first.
    if (now === seen || asking || txns.length > 25) return;
    asking = true;
    await read().catch(() => {});
    [asking, seen] = [false, now];
  };
  return { title: `Account …${address.slice(-8)}`, element, update };
}

function miningBadge(address) {
  return chain.places.has(address) ? h("span", { class: "badge" }, "miner") : null;
}
