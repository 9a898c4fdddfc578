// Who makes the chain: each miner's last block, its vote, its clock; and the connected peers.

import { chain, get } from "/explorer/chain.js";
import { minersChart } from "/explorer/charts.js";
import { accountLink, ago, blockLink, count, h, id, miner, table } from "/explorer/dom.js";

function clock(offset) {
  if (offset == null) return "–";
  return `${offset > 0 ? "+" : offset < 0 ? "−" : ""}${count(Math.abs(offset))} ms`;
}

const VOTING = { votes: "votes", abstains: "abstains", silent: "silent" };
const STATE = { intact: "vote record intact", abstains: "vote record lost", recovering: "vote record recovering" };

function vote(miner, final) {
  if (!miner.last_vote) return h("span", { class: "muted" }, "none above the final block");
  const number = miner.last_vote.block_number;
  const phase = miner.last_vote.phase === 2 ? "second" : "first";
  return h("span", {}, h("a", { href: blockLink(number) }, count(number)),
    `, ${phase} vote${number <= final ? ", final" : ""}`);
}

function card(item, final) {
  const last = item.last_block;
  const fact = (label, value) => [h("dt", {}, label), h("dd", {}, value)];
  return h("li", { class: `card minercard ${item.leads ? "leads" : ""}` },
    h("div", { class: "title" }, miner(item.address, chain.places),
      item.leads && h("span", { class: "badge turn" }, "has the turn"),
      h("span", { class: `badge ${item.voting}` }, VOTING[item.voting])),
    h("dl", { class: "facts" },
      fact("Last block", last
        ? h("span", {}, h("a", { href: blockLink(last.number) }, count(last.number)), ", ", ago(last.time), " ago")
        : h("span", { class: "muted" }, "none among the newest")),
      fact("Last vote", vote(item, final)),
      fact("Clock", item.link === "self" ? "the clock of this node" : clock(item.clock_offset_ms)),
      fact("Here", { self: "this node", peer: "connected", away: "no connection" }[item.link]),
      fact("Record", STATE[item.vote_state] ?? "not told"),
      fact("Blocks", `${count(item.blocks)} of the newest ${count(chain.miners.of_blocks)}`)));
}

export function networkView() {
  const summary = h("p", { class: "sentence" });
  const share = h("div", {});
  const cards = h("ol", { class: "cards" });
  const peers = h("div", {});
  const element = h("div", {},
    h("section", { class: "hero" }, h("h1", {}, "Network"), summary),
    h("section", { class: "card" }, h("h2", {}, "Blocks per miner"), share),
    h("section", {}, h("h2", { class: "outside" }, "Miners, in the order of their turns"), cards),
    h("section", { class: "card" }, h("h2", {}, "Peers of this node"), peers));
  let drawn = null;
  let asked = 0;
  const update = async () => {
    if (!chain.miners || chain.miners === drawn) return;
    drawn = chain.miners;
    const { items, quorum, of_blocks: ofBlocks } = chain.miners;
    const voting = items.filter((item) => item.voting === "votes").length;
    summary.textContent =
      `${voting} of ${items.length} miners vote, ${quorum} votes make a block final. ` +
      `Block ${count(chain.status.final.number)} is final.`;
    share.replaceChildren(minersChart(items, ofBlocks));
    if (!cards.contains(document.activeElement)) {
      cards.replaceChildren(...items.map((item) => card(item, chain.status.final.number)));
    }
    if (Date.now() - asked < 1500 || peers.contains(document.activeElement)) return;
    asked = Date.now();
    const connected = await get("/v1/peers").catch(() => null);
    if (!connected) return;
    peers.replaceChildren(table(
      ["Account", "Type", ">Height", ">Clock", ">Round trip", "Connection", "Since"],
      connected.items.map((peer) => h("tr", {},
        h("td", {}, id(peer.address, accountLink(peer.address))),
        h("td", {}, peer.node_type),
        h("td", { class: "end" }, count(peer.height)),
        h("td", { class: "end" }, clock(peer.clock_offset_ms)),
        h("td", { class: "end" }, peer.round_trip_ms == null ? "–" : `${peer.round_trip_ms.toFixed(1)} ms`),
        h("td", {}, `${peer.direction === "out" ? "to" : "from"} ${peer.remote}`),
        h("td", {}, ago(peer.since)))),
      "No node is connected to this one."));
  };
  return { title: "Network", element, update };
}
