// What the page knows of the chain: read once, then kept up to date by events.

const KEPT_BLOCKS = 60;
const KEPT_WAITING = 200;
const KEPT_TXNS = 60;

/** An answer of the node; an error carries the problem's own words. */
export async function get(path) {
  const response = await fetch(path, { headers: { accept: "application/json" } });
  const body = await response.json();
  if (!response.ok) throw Object.assign(new Error(body.detail), { code: body.code, hint: body.hint });
  return body;
}

/** The facts, and who is told of changes. */
export const chain = {
  status: null,
  why: "",
  miners: null,
  /** Newest first. */
  blocks: [],
  /** By id, oldest first. */
  waiting: new Map(),
  /** Included ones, newest first. */
  txns: [],
  places: new Map(),
  /** Whether events come; null before the first answer. */
  live: null,
  onchange: () => {},
};

let scheduled = false;
function changed() {
  if (scheduled) return;
  scheduled = true;
  // Many events of one moment are one change; a hidden page has no frames.
  setTimeout(() => {
    scheduled = false;
    chain.onchange();
  }, 60);
}

export async function refresh() {
  const [status, why, miners] = await Promise.all([
    get("/v1/status"),
    get("/v1/why").catch(() => null),
    get("/v1/miners").catch(() => null),
  ]);
  if (chain.status?.genesis_id && status.genesis_id !== chain.status.genesis_id) location.reload();
  chain.status = status;
  chain.why = why?.sentence ?? status.not_ready?.join("; ") ?? "";
  chain.miners = miners;
  if (miners) chain.places = new Map(miners.items.map((miner, place) => [miner.address, place]));
  changed();
}

async function readAll() {
  await refresh();
  if (!chain.miners) return;
  const [blocks, queue] = await Promise.all([get(`/v1/blocks?limit=${KEPT_BLOCKS}`), get("/v1/queue?limit=100")]);
  chain.blocks = blocks.items;
  chain.waiting = new Map(queue.items.map((txn) => [txn.id, txn]));
  const full = blocks.items.filter((block) => block.txn_count > 0 && block.number > 1).slice(0, 3);
  const bodies = await Promise.all(full.map((block) => get(`/v1/blocks/${block.id}`).catch(() => null)));
  for (const block of bodies.reverse()) {
    for (const txn of block?.body ?? []) include({ ...txn, block_number: block.number });
  }
  changed();
}

function include(txn) {
  chain.txns = [txn, ...chain.txns.filter((known) => known.id !== txn.id)].slice(0, KEPT_TXNS);
}

function onBlock(block) {
  const below = chain.blocks.filter((known) => known.number < block.number);
  chain.blocks = [block, ...below].slice(0, KEPT_BLOCKS);
  if (chain.status) Object.assign(chain.status, { height: block.number, head: block });
}

function onTxn(txn) {
  chain.waiting.delete(txn.id);
  if (txn.status !== "pending") include(txn);
  else {
    chain.waiting.set(txn.id, txn);
    if (chain.waiting.size > KEPT_WAITING) chain.waiting.delete(chain.waiting.keys().next().value);
  }
}

function onFinal(final) {
  for (const block of chain.blocks) block.final ||= block.number <= final.number;
  if (chain.status) chain.status.final = final;
}

const HANDLERS = {
  block: onBlock,
  txn: onTxn,
  final: onFinal,
  dropped: (txn) => chain.waiting.delete(txn.id),
  peer: (peer) => chain.status && (chain.status.peers = peer.peers),
  leader: () => {},
  lagged: () => readAll().catch(() => {}),
};

/** Follows the node for as long as the page is open. */
export function follow() {
  const events = new EventSource("/v1/events");
  events.onopen = () => {
    chain.live = true;
    readAll().catch(() => {});
  };
  events.onerror = () => {
    chain.live = false;
    changed();
    if (events.readyState !== EventSource.CLOSED) return;
    // The node has no chain yet, or all places for readers are taken.
    readAll().catch(() => {});
    setTimeout(follow, 2000);
  };
  for (const [kind, handle] of Object.entries(HANDLERS)) {
    events.addEventListener(kind, (event) => {
      handle(JSON.parse(event.data));
      changed();
    });
  }
}

/** Transactions a second over the last minute. */
export function throughput() {
  const from = Date.now() - 60_000;
  const recent = chain.blocks.filter((block) => Date.parse(block.time) >= from && block.number > 1);
  const oldest = chain.blocks.at(-1);
  // The blocks at hand may not reach back a minute.
  const start = oldest ? Math.max(from, Date.parse(oldest.time)) : from;
  const seconds = Math.max(1, (Date.now() - start) / 1000);
  return recent.reduce((sum, block) => sum + block.txn_count, 0) / seconds;
}
