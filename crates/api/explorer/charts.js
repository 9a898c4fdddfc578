// Pictures as SVG elements; words beside them say the same.

import { count, h, mark, plural, svg } from "/explorer/dom.js";

const WIDTH = 720;
const HEIGHT = 180;
const EDGE = 6;

/** A balance after each block that changed it, newest first, up to the head. */
export function balanceChart(changes, height) {
  if (changes.length === 0) return h("p", { class: "muted" }, "Nothing on the chain has touched this account yet.");
  const points = [...changes].reverse();
  const first = points[0].block_number;
  const span = Math.max(1, height - first);
  const most = Math.max(...points.map((point) => point.balance));
  const least = Math.min(...points.map((point) => point.balance));
  // A small change of a large balance is seen, too.
  const low = least > most / 2 ? least - (most - least || 1) * 0.5 : 0;
  const x = (number) => EDGE + ((number - first) / span) * (WIDTH - 2 * EDGE);
  const y = (balance) => HEIGHT - EDGE - ((balance - low) / Math.max(1, most - low)) * (HEIGHT - 3 * EDGE);
  let line = `M${x(first)} ${y(points[0].balance)}`;
  for (const point of points.slice(1)) line += `H${x(point.block_number).toFixed(1)}V${y(point.balance).toFixed(1)}`;
  line += `H${x(height)}`;
  const words = `From ${count(points[0].balance)} coins after block ${count(first)} to ${count(points.at(-1).balance)} now.`;
  return h("figure", {},
    svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": words, preserveAspectRatio: "none" },
      // An area that does not begin at zero would lie.
      low === 0 && svg("path", { class: "area", d: `${line}V${HEIGHT}H${x(first)}Z` }),
      svg("path", { class: "line", d: line })),
    h("figcaption", {},
      h("span", {}, `block ${count(first)}`),
      h("span", {}, `${count(low === 0 ? 0 : least)} to ${count(most)} coins`),
      h("span", {}, `block ${count(height)}`)));
}

/** How many of the newest blocks each miner made. */
export function minersChart(miners, ofBlocks) {
  const total = Math.max(1, miners.reduce((sum, miner) => sum + miner.blocks, 0));
  let from = 0;
  const bars = miners.map((miner, place) => {
    const width = (miner.blocks / total) * WIDTH;
    const bar = svg("rect", { x: from + 1, y: 0, width: Math.max(0, width - 2), height: 28, rx: 4, class: `bar m${place % 8}` },
      svg("title", {}, `${miner.address}: ${count(miner.blocks)} blocks`));
    from += width;
    return bar;
  });
  const words = `Of the newest ${count(ofBlocks)} blocks: ${miners.map((miner) => `…${miner.address.slice(-8)} made ${count(miner.blocks)}`).join(", ")}.`;
  return h("figure", {},
    svg("svg", { viewBox: `0 0 ${WIDTH} 28`, class: "share", role: "img", "aria-label": words, preserveAspectRatio: "none" }, bars),
    h("figcaption", { class: "legend", "aria-hidden": "true" },
      miners.map((miner, place) => h("span", { class: "miner" }, mark(place), count(miner.blocks))),
      h("span", {}, `of the newest ${plural(ofBlocks, "block")}`)));
}
