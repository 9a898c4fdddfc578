//! The storage thread: makes effects durable, many with one fsync, and only then
//! lets them be seen. A failed write ends the node: nothing may be shown that the
//! disk does not hold.

use crate::{
    actor::Results,
    board::Board,
    checkpoints::Checkpoints,
    miner::{Miner, Order},
    peers::voice::Voice,
    view::{QueueSize, Recent, View},
};
use ccoin_core::{
    Address, BlockId, Height,
    chain::{Standing, Switch, WINDOW_BLOCKS},
    encoding::encode,
    machine::{Effect, NodeState, SealMark, Ticket},
    rules::Applied,
    slots::Schedule,
};
use ccoin_storage::{BlockLog, PoolLog, Position, VoteFile, VoteRecord};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, mpsc},
};
use tokio::sync::{oneshot, watch};

/// Units that may wait for the disk; then the chain thread waits.
pub(crate) const WAITING_UNITS: usize = 32;

/// Blocks and bytes of transactions that the view keeps in memory.
const RECENT_BLOCKS: usize = 1_024;
const RECENT_BYTES: usize = 32 << 20;
/// Blocks that it keeps however large they are.
pub(crate) const RECENT_LEAST: usize = 2;

/// What the machine decided in one go.
#[derive(Default)]
pub(crate) struct Unit {
    pub(crate) effects: Vec<Effect>,
    pub(crate) answers: Vec<(Ticket, oneshot::Sender<Results>)>,
    pub(crate) queue: QueueSize,
    /// Where a restart should begin, when the head has moved.
    pub(crate) anchor: Option<(Arc<Applied>, Standing)>,
}

impl Unit {
    /// Whether nobody has to hear of it.
    pub(crate) fn is_idle(&self) -> bool {
        self.effects.is_empty() && self.answers.is_empty()
    }
}

/// Kinds of records in the block log.
pub(crate) mod kind {
    /// Block 1.
    pub(crate) const GENESIS: u8 = 1;
    /// A block that was accepted before the end of its slot plus the tolerated skew.
    pub(crate) const TIMELY_BLOCK: u8 = 2;
    /// Any other block.
    pub(crate) const LATE_BLOCK: u8 = 3;
}

/// The storage thread's possessions.
pub(crate) struct Writer {
    pub(crate) genesis: BlockId,
    pub(crate) schedule: Schedule,
    pub(crate) blocks: BlockLog,
    pub(crate) pool: PoolLog,
    /// Of a validator.
    pub(crate) votes: Option<VoteFile>,
    pub(crate) miner: Option<Miner>,
    pub(crate) board: Arc<Board>,
    pub(crate) view: watch::Sender<Arc<View>>,
    pub(crate) checkpoints: Checkpoints,
    /// Where the blocks of the window lie, on any branch.
    pub(crate) positions: BTreeMap<(Height, BlockId), Position>,
    pub(crate) leader: Option<Address>,
    /// Bytes of the transactions in the view's recent blocks.
    pub(crate) recent_bytes: usize,
    pub(crate) voice: Arc<Voice>,
}

impl Writer {
    /// Runs until the chain thread has ended.
    ///
    /// # Errors
    /// The first failed write; nothing of its group has been shown.
    pub(crate) fn run(mut self, units: &mpsc::Receiver<Unit>) -> Result<(), crate::NodeError> {
        while let Ok(first) = units.recv() {
            let mut group = vec![first];
            group.extend(units.try_iter().take(WAITING_UNITS));
            self.persist(&group)?;
            for unit in group {
                self.show(unit);
            }
            self.rollover()?;
        }
        self.checkpoints.finish();
        Ok(())
    }

    fn persist(&mut self, group: &[Unit]) -> Result<(), crate::NodeError> {
        let (mut txns_written, mut block_written) = (false, false);
        for effect in group.iter().flat_map(|unit| &unit.effects) {
            match effect {
                Effect::PersistTransactions { arrived, txns } => {
                    for txn in txns {
                        self.pool.append(*arrived, &encode(txn))?;
                    }
                    txns_written = true;
                }
                Effect::PersistBlock { applied, timely } => {
                    let kind = if *timely {
                        kind::TIMELY_BLOCK
                    } else {
                        kind::LATE_BLOCK
                    };
                    let position = self.blocks.append(kind, &[&applied.block.encode()])?;
                    self.positions
                        .insert((applied.block.header().number, applied.block.id), position);
                    block_written = true;
                }
                Effect::PersistSeal(mark) => self.persist_seal(*mark)?,
                Effect::Head { dropped, .. } => {
                    // Whoever hears that one was dropped must not see it come back.
                    for (txn, _) in dropped {
                        self.pool.append_dropped(txn.id())?;
                        txns_written = true;
                    }
                }
                _ => {}
            }
        }
        if txns_written {
            self.pool.sync()?;
        }
        if block_written {
            self.blocks.sync()?;
        }
        Ok(())
    }

    fn persist_seal(&mut self, mark: SealMark) -> Result<(), crate::NodeError> {
        let votes = self
            .votes
            .as_mut()
            .expect("only a validator seals, and it has a vote file");
        votes.store(VoteRecord {
            genesis_id: self.genesis,
            last_sealed_slot: mark.slot,
            last_sealed_number: mark.number.get(),
        })?;
        Ok(())
    }

    /// Lets the world see what is durable now, in order.
    fn show(&mut self, unit: Unit) {
        let Unit {
            effects,
            answers,
            queue,
            anchor,
        } = unit;
        let mut answers: BTreeMap<_, _> = answers.into_iter().collect();
        let mut recent = Arc::clone(&self.view.borrow().recent);
        let mut state = self.view.borrow().state;
        let mut settled = Vec::new();
        // Readers that hear an answer must find its effect: board and view come first.
        for effect in &effects {
            self.board.follow(effect);
            match effect {
                Effect::Head { switch, .. } => {
                    settled.extend(self.advance(Arc::make_mut(&mut recent), switch));
                }
                Effect::State { to, .. } => state = *to,
                _ => {}
            }
        }
        self.view.send_replace(Arc::new(View {
            recent,
            state,
            queue,
        }));
        self.voice.reach(self.view.borrow().height());
        // Only now does a reader that misses them here know to wait for the index.
        for block in &settled {
            self.board.forget(&block.applied);
        }
        for effect in effects {
            match effect {
                Effect::Reply { ticket, results } => {
                    // Whoever asked may have gone away.
                    let _ = answers.remove(&ticket).map(|answer| answer.send(results));
                }
                Effect::Mine {
                    job,
                    mining_hash,
                    difficulty,
                } => {
                    self.order(Order::Mine {
                        job,
                        mining_hash,
                        difficulty,
                    });
                }
                Effect::Sign { job, message } => self.order(Order::Sign { job, message }),
                Effect::CancelMining(job) => {
                    self.miner.iter().for_each(|miner| miner.cancel(job));
                }
                Effect::Head { switch, .. } => self.announce(&switch),
                Effect::State { from, to } => self.announce_state(from, to),
                Effect::PersistTransactions { .. }
                | Effect::PersistSeal(_)
                | Effect::PersistBlock { .. } => {}
                other => self.voice.show(&other),
            }
        }
        if let Some((applied, standing)) = anchor {
            let view = Arc::clone(&self.view.borrow());
            let key = (applied.block.header().number, applied.block.id);
            if let Some(position) = self.positions.get(&key).copied() {
                let block = Recent { applied, position };
                self.checkpoints.consider(block, standing, view.head());
            }
        }
    }

    fn order(&self, order: Order) {
        let miner = self
            .miner
            .as_ref()
            .expect("only a validator mines, and it has a miner");
        miner.order(order);
    }

    /// Moves the view's blocks along; returns those that leave memory.
    fn advance(&mut self, recent: &mut VecDeque<Recent>, switch: &Switch) -> Vec<Recent> {
        for _ in &switch.left {
            let gone = recent.pop_back();
            self.recent_bytes -= gone.map_or(0, |gone| gone.transaction_bytes());
        }
        for applied in &switch.entered {
            let key = (applied.block.header().number, applied.block.id);
            let position = *self
                .positions
                .get(&key)
                .expect("a block is persisted before it is head");
            let entered = Recent {
                applied: Arc::clone(applied),
                position,
            };
            self.recent_bytes += entered.transaction_bytes();
            recent.push_back(entered);
        }
        let mut settled = Vec::new();
        while recent.len() > RECENT_LEAST
            && (recent.len() > RECENT_BLOCKS || self.recent_bytes > RECENT_BYTES)
        {
            let Some(oldest) = recent.pop_front() else {
                break;
            };
            self.recent_bytes -= oldest.transaction_bytes();
            settled.push(oldest);
        }
        // A branch may leave the head's anywhere in the machine's window.
        let window = u64::try_from(WINDOW_BLOCKS).unwrap_or(u64::MAX);
        let head = recent.back().map(|head| head.header().number);
        if let Some(first) = head.and_then(|head| head.checked_sub(window)) {
            self.positions = self.positions.split_off(&(first, BlockId::ZERO));
        }
        settled
    }

    fn announce(&mut self, switch: &Switch) {
        for applied in &switch.entered {
            let header = applied.block.header();
            tracing::info!(
                "Applied new block {n}. Current height is {n}",
                n = header.number
            );
            self.announce_leader(header.coinbase);
        }
    }

    fn announce_state(&mut self, from: NodeState, to: NodeState) {
        tracing::info!(
            "Node state changed from={} to={}",
            from.letter(),
            to.letter()
        );
        if to == NodeState::Ready {
            let leader = self
                .schedule
                .leader(self.schedule.slot(crate::clock::now()));
            leader
                .into_iter()
                .for_each(|leader| self.announce_leader(leader));
        }
    }

    fn announce_leader(&mut self, leader: Address) {
        if self.leader.replace(leader) != Some(leader) {
            tracing::info!("New leader is {leader}");
        }
    }

    /// Recycles the pool log when most of it is in blocks.
    fn rollover(&mut self) -> Result<(), crate::NodeError> {
        let live_bytes = self.view.borrow().queue.bytes;
        if self.pool.wants_rollover(live_bytes as u64) {
            let live = self.board.page(0, usize::MAX);
            let live: Vec<_> = live
                .iter()
                .map(|(_, arrived, txn)| (*arrived, encode(txn)))
                .collect();
            self.pool.rollover(
                live.iter()
                    .map(|(arrived, bytes)| (*arrived, bytes.as_slice())),
            )?;
        }
        Ok(())
    }
}
