//! Figures of a node for Prometheus: a registry per node, base units. Labels name miners,
//! kinds of messages and outcomes, never accounts, peers or callers.

mod process;

use crate::{
    clock,
    handle::NodeHandle,
    view::{Recent, View},
};
use ccoin_core::{Address, Height, applied::Applied};
use ccoin_p2p::MessageTraffic;
use prometheus_client::{
    encoding::{EncodeLabelSet, prometheus_text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Metric, Registry},
};
use std::{
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::{Duration, Instant},
};

/// Upper bounds in seconds of what takes part of a slot.
const SHORT: [f64; 12] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0,
];
/// Upper bounds in seconds of what users wait for.
const LONG: [f64; 12] = [
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MinerLabel {
    miner: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MessageLabel {
    header: String,
    direction: &'static str,
}

type FloatGauge = Gauge<f64, AtomicU64>;

/// Everything that the parts of a node count and time.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) apply: Histogram,
    pub(crate) mine: Histogram,
    pub(crate) commit: Histogram,
    pub(crate) fsync: Histogram,
    pub(crate) verify: Histogram,
    inclusion: Histogram,
    finality: Histogram,
    blocks: Family<MinerLabel, Counter>,
    reverted: Counter,
    transactions: Family<OutcomeLabel, Counter>,
    messages: Family<MessageLabel, Counter>,
    message_bytes: Family<MessageLabel, Counter>,
    log_bytes: Gauge,
    gauges: Gauges,
    /// Locked while it is read: the gauges must fit each other.
    registry: Mutex<Registry>,
}

/// Set when they are read.
#[derive(Debug)]
struct Gauges {
    height: Gauge,
    last_final: Gauge,
    head_time: FloatGauge,
    due_time: FloatGauge,
    leads: Family<MinerLabel, Gauge>,
    queued: Gauge,
    queue_bytes: Gauge,
    peers: Gauge,
    ready: Gauge,
    process: process::Gauges,
}

/// Registers figures under their names.
pub(crate) struct Names(Registry);

impl Names {
    fn figure<G: Metric + Clone + Default>(&mut self, name: &str, help: &str) -> G {
        let figure = G::default();
        self.0.register(name, help, figure.clone());
        figure
    }

    fn seconds(&mut self, name: &str, help: &str, bounds: [f64; 12]) -> Histogram {
        let figure = Histogram::new(bounds);
        self.0.register(name, help, figure.clone());
        figure
    }
}

fn miner(address: &Address) -> MinerLabel {
    MinerLabel {
        miner: address.to_string(),
    }
}

fn whole(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

impl Metrics {
    pub(crate) fn new() -> Arc<Self> {
        let mut names = Names(Registry::default());
        let n = &mut names;
        let gauges = Gauges {
            height: n.figure("ccoin_height", "Number of the newest block"),
            last_final: n.figure("ccoin_final_height", "Number of the final block"),
            head_time: n.figure("ccoin_head_timestamp_seconds", "Time of the newest block"),
            due_time: n.figure(
                "ccoin_next_block_due_timestamp_seconds",
                "When the next block is due at the latest, 0: none is due, because nothing waits",
            ),
            leads: n.figure("ccoin_leader", "1 for the miner that has the turn"),
            queued: n.figure("ccoin_queue_transactions", "Waiting transactions"),
            queue_bytes: n.figure("ccoin_queue_bytes", "Bytes of the waiting transactions"),
            peers: n.figure("ccoin_peers", "Connected nodes"),
            ready: n.figure("ccoin_ready", "1 if the node works, see /readyz"),
            process: process::Gauges::new(n),
        };
        Arc::new(Self {
            apply: n.seconds(
                "ccoin_apply_seconds",
                "Steps of the machine that moved the head, execution included",
                SHORT,
            ),
            mine: n.seconds("ccoin_mine_seconds", "Searches for a nonce", LONG),
            commit: n.seconds(
                "ccoin_commit_seconds",
                "Groups of records brought to disk",
                SHORT,
            ),
            fsync: n.seconds(
                "ccoin_fsync_seconds",
                "Syncs of the block log and the pool log",
                SHORT,
            ),
            verify: n.seconds(
                "ccoin_verify_seconds",
                "Jobs of the verifier threads, up to 64 signatures each",
                SHORT,
            ),
            inclusion: n.seconds(
                "ccoin_inclusion_seconds",
                "From a transaction's arrival here to a block that holds it",
                LONG,
            ),
            finality: n.seconds(
                "ccoin_finality_seconds",
                "From a block's time to its finality here",
                LONG,
            ),
            blocks: n.figure(
                "ccoin_blocks",
                "Blocks that became part of the chain, by author",
            ),
            reverted: n.figure(
                "ccoin_reverted_blocks",
                "Blocks that were left for a better branch",
            ),
            transactions: n.figure(
                "ccoin_transactions",
                "Transactions by outcome: queued, refused, included, dropped",
            ),
            messages: n.figure("ccoin_messages", "Messages of peers after the handshake"),
            message_bytes: n.figure("ccoin_message_bytes", "Bytes of these messages"),
            log_bytes: n.figure("ccoin_block_log_bytes", "Bytes of the block log"),
            gauges,
            registry: Mutex::new(names.0),
        })
    }

    fn outcome(&self, outcome: &'static str, count: usize) {
        let label = OutcomeLabel { outcome };
        self.transactions.get_or_create(&label).inc_by(count as u64);
    }

    pub(crate) fn submitted(&self, queued: usize, refused: usize) {
        self.outcome("queued", queued);
        self.outcome("refused", refused);
    }

    pub(crate) fn dropped(&self, count: usize) {
        self.outcome("dropped", count);
    }

    /// A block is part of the chain; `waited`: how long its transactions were here.
    pub(crate) fn applied(&self, block: &Applied, waited: Vec<Duration>) {
        let header = block.block.header();
        self.blocks.get_or_create(&miner(&header.coinbase)).inc();
        self.outcome("included", block.block.transactions.len());
        waited
            .into_iter()
            .for_each(|waited| self.inclusion.observe(waited.as_secs_f64()));
    }

    pub(crate) fn reverted(&self, count: usize) {
        self.reverted.inc_by(count as u64);
    }

    /// Blocks of `view` behind `before` up to its final one are final.
    pub(crate) fn finalized(&self, before: Height, view: &View) {
        let now = clock::wall().get();
        let headers = view.recent.iter().map(Recent::header);
        let newly = headers.filter(|header| header.number > before);
        for header in newly.take_while(|header| header.number <= view.last_final()) {
            let waited = now.saturating_sub(header.time.get());
            self.finality
                .observe(Duration::from_millis(waited).as_secs_f64());
        }
    }

    pub(crate) fn log_ends_at(&self, position: u64) {
        self.log_bytes.set(whole(position));
    }

    /// Times one run of `work`.
    pub(crate) fn time<T>(figure: &Histogram, work: impl FnOnce() -> T) -> T {
        let since = Instant::now();
        let done = work();
        figure.observe(since.elapsed().as_secs_f64());
        done
    }

    /// All figures as text.
    pub(crate) fn render(&self, node: &NodeHandle, traffic: &[MessageTraffic]) -> String {
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        self.gauges.set(node);
        for row in traffic {
            self.count(row, "in", row.messages_in, row.bytes_in);
            self.count(row, "out", row.messages_out, row.bytes_out);
        }
        let mut text = String::new();
        encode(&mut text, &registry).expect("writing to a string cannot fail");
        text
    }

    fn count(&self, row: &MessageTraffic, direction: &'static str, messages: u64, bytes: u64) {
        let header = row
            .header
            .map(|header| String::from_utf8_lossy(&header).into_owned());
        let label = MessageLabel {
            header: header.unwrap_or_else(|| "other".into()),
            direction,
        };
        let raise = |counter: &Counter, to: u64| {
            counter.inc_by(to.saturating_sub(counter.get()));
        };
        raise(&self.messages.get_or_create(&label), messages);
        raise(&self.message_bytes.get_or_create(&label), bytes);
    }
}

impl Gauges {
    // Times below the year 9999 are exact in a double.
    #[allow(clippy::cast_precision_loss)]
    fn set(&self, node: &NodeHandle) {
        let view = node.view();
        let genesis = node.genesis();
        self.height.set(whole(view.height().get()));
        self.last_final.set(whole(view.last_final().get()));
        let head_ms = view.head().header().time.get();
        self.head_time.set(head_ms as f64 / 1_000.0);
        let mining = &genesis.config.block_mining;
        let due = view.queue.oldest.is_some() || mining.allow_empty;
        let due_ms = head_ms.saturating_add(mining.interval_ms);
        self.due_time
            .set(if due { due_ms as f64 / 1_000.0 } else { 0.0 });
        let leader = genesis.schedule.leader_at(clock::wall());
        for address in &genesis.config.miners {
            let leads = self.leads.get_or_create(&miner(address));
            leads.set(i64::from(leader == Some(*address)));
        }
        self.queued.set(whole(view.queue.txns));
        self.queue_bytes.set(whole(view.queue.bytes));
        self.peers.set(whole(node.peers().len()));
        let ready = view.hindrances.is_empty() && !view.alarm;
        self.ready.set(i64::from(ready));
        self.process.set();
    }
}
