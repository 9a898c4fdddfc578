//! The storage thread: brings records to disk, many with one fsync, and only then lets
//! anything of their steps be seen. A failed write ends the node: nothing may be shown that
//! the disk does not hold.

use crate::{
    NodeError,
    checkpoints::Checkpoints,
    clock,
    commit_batch::{CommitBatch, WAITING_COMMITS, kind},
    miner::{Miner, Order},
    peers::outbound::Outbound,
    threads::Threads,
    tx_status::TxTracker,
    view::{Recent, View},
};
use ccoin_core::{
    Address, BlockId, Height,
    applied::Applied,
    chain::{Reorg, WINDOW_BLOCKS},
    encoding::encode,
    genesis::Genesis,
    machine::{Hindrance, NodeState, Publish, SealMark, Write},
};
use ccoin_storage::{BlockLog, PoolLog, PoolRecord, Position, VoteFile, VoteRecord};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, mpsc},
};
use tokio::sync::watch;

/// Blocks and bytes of transactions that the view keeps in memory.
const RECENT_BLOCKS: usize = 1_024;
const RECENT_BYTES: usize = 32 << 20;
/// Blocks that it keeps however large they are.
pub(crate) const RECENT_LEAST: usize = 2;

/// What the storage thread owns.
pub(crate) struct CommitThread {
    pub(crate) genesis: Arc<Genesis>,
    pub(crate) blocks: BlockLog,
    pub(crate) pool: PoolLog,
    /// Of a validator.
    pub(crate) votes: Option<VoteFile>,
    pub(crate) miner: Option<Miner>,
    pub(crate) tx_tracker: Arc<TxTracker>,
    pub(crate) view: watch::Sender<Arc<View>>,
    pub(crate) checkpoints: Checkpoints,
    /// Where the blocks of the window lie, on any branch.
    pub(crate) positions: BTreeMap<(Height, BlockId), Position>,
    pub(crate) leader: Option<Address>,
    /// Bytes of the transactions in the view's recent blocks.
    pub(crate) recent_bytes: usize,
    pub(crate) outbound: Arc<Outbound>,
}

impl CommitThread {
    pub(crate) fn spawn(
        self,
        threads: &mut Threads,
        commits: mpsc::Receiver<CommitBatch>,
    ) -> Result<(), NodeError> {
        threads.spawn("storage", move || self.run(&commits))
    }

    /// Runs until the chain thread has ended.
    ///
    /// # Errors
    /// The first failed write; nothing of its group has been shown.
    fn run(mut self, commits: &mpsc::Receiver<CommitBatch>) -> Result<(), NodeError> {
        while let Ok(first) = commits.recv() {
            let mut group = vec![first];
            group.extend(commits.try_iter().take(WAITING_COMMITS));
            self.write(&group)?;
            for batch in group {
                self.publish(batch);
            }
            self.rollover()?;
        }
        self.checkpoints.finish(self.pool.mark());
        Ok(())
    }

    fn write(&mut self, group: &[CommitBatch]) -> Result<(), NodeError> {
        let (mut txns_written, mut block_written) = (false, false);
        for write in group.iter().flat_map(|batch| &batch.write) {
            match write {
                Write::Transactions { arrived, txns } => {
                    for txn in txns {
                        let written = self.pool.append(*arrived, &encode(txn));
                        written.map_err(NodeError::Pool)?;
                    }
                    txns_written = true;
                }
                Write::Dropped(dropped) => {
                    let now = clock::wall();
                    for (txn, reason) in dropped {
                        let reason = reason.to_string();
                        let written = self.pool.append_dropped(now, &reason, &encode(txn));
                        written.map_err(NodeError::Pool)?;
                    }
                    txns_written = true;
                }
                Write::Block {
                    applied,
                    bytes,
                    timely,
                } => {
                    let kind = if *timely {
                        kind::TIMELY_BLOCK
                    } else {
                        kind::LATE_BLOCK
                    };
                    let position = self.blocks.append(kind, &[bytes])?;
                    let key = (applied.block.header().number, applied.block.id);
                    self.positions.insert(key, position);
                    block_written = true;
                }
                Write::SealMark(mark) => self.write_mark(*mark)?,
            }
        }
        if txns_written {
            self.pool.sync().map_err(NodeError::Pool)?;
        }
        if block_written {
            self.blocks.sync()?;
        }
        Ok(())
    }

    fn write_mark(&mut self, mark: SealMark) -> Result<(), NodeError> {
        let votes = self
            .votes
            .as_mut()
            .expect("only a validator seals, and it has a vote file");
        votes.store(VoteRecord {
            genesis_id: self.genesis.id,
            last_sealed_slot: mark.slot,
            last_sealed_number: mark.number.get(),
        })?;
        Ok(())
    }

    /// Shows what is durable now, in order: readers that hear an answer must find its
    /// effect, so transaction status and view come first.
    fn publish(&mut self, batch: CommitBatch) {
        let settled = self.update_view(&batch);
        // Only now does a reader that misses them here know to wait for the index.
        for block in &settled {
            self.tx_tracker.forget(&block.applied);
        }
        let mut answers: BTreeMap<_, _> = batch.answers.into_iter().collect();
        for publish in batch.publish {
            match publish {
                Publish::Reply { ticket, results } => {
                    // The caller may have gone away.
                    let _ = answers.remove(&ticket).map(|answer| answer.send(results));
                }
                Publish::Mine {
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
                Publish::Sign { job, message } => self.order(Order::Sign { job, message }),
                Publish::CancelMining(job) => {
                    self.miner.iter().for_each(|miner| miner.cancel(job));
                }
                Publish::Head { reorg, dropped } => self.log_blocks(&reorg, dropped.len()),
                Publish::State { from, to } => self.log_state(from, to),
                Publish::AnnounceBlock { bytes, except, .. } => {
                    self.outbound.announce(&bytes, except);
                }
                Publish::SendHeights { peer } => self.outbound.send_heights(peer),
                Publish::Queued { .. } | Publish::GossipTransactions(_) => {}
            }
        }
        if let Some((applied, score)) = batch.anchor {
            let view = Arc::clone(&self.view.borrow());
            let key = (applied.block.header().number, applied.block.id);
            if let Some(position) = self.positions.get(&key).copied() {
                let block = Recent { applied, position };
                let mark = self.pool.mark();
                self.checkpoints.consider(block, score, view.head(), mark);
            }
        }
    }

    /// Brings transaction status and view along; the blocks that leave memory.
    fn update_view(&mut self, batch: &CommitBatch) -> Vec<Recent> {
        let before = Arc::clone(&self.view.borrow());
        let mut recent = Arc::clone(&before.recent);
        let mut state = before.state;
        let hindrances = match &batch.hindrances {
            Some(now) => {
                log_hindrances(&before.hindrances, now);
                now.as_slice().into()
            }
            None => Arc::clone(&before.hindrances),
        };
        drop(before);
        let now = clock::mono();
        let mut settled = Vec::new();
        for publish in &batch.publish {
            self.tx_tracker.follow(now, publish);
            match publish {
                Publish::Head { reorg, .. } => {
                    settled.extend(self.advance(Arc::make_mut(&mut recent), reorg));
                }
                Publish::State { to, .. } => state = *to,
                _ => {}
            }
        }
        self.view.send_replace(Arc::new(View {
            recent,
            state,
            queue: batch.queue,
            hindrances,
        }));
        self.outbound.set_height(self.view.borrow().height());
        settled
    }

    fn order(&self, order: Order) {
        let miner = self
            .miner
            .as_ref()
            .expect("only a validator mines, and it has a miner");
        miner.order(order);
    }

    /// Moves the view's blocks along; returns those that leave memory.
    fn advance(&mut self, recent: &mut VecDeque<Recent>, reorg: &Reorg) -> Vec<Recent> {
        for _ in &reorg.reverted {
            let gone = recent.pop_back();
            self.recent_bytes -= gone.map_or(0, |gone| gone.transaction_bytes());
        }
        for applied in &reorg.applied {
            let key = (applied.block.header().number, applied.block.id);
            let position = *self
                .positions
                .get(&key)
                .expect("a block is persisted before it is head");
            let applied = Recent {
                applied: Arc::clone(applied),
                position,
            };
            self.recent_bytes += applied.transaction_bytes();
            recent.push_back(applied);
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

    fn log_blocks(&mut self, reorg: &Reorg, dropped: usize) {
        if let (Some(newest), Some(oldest)) = (reorg.reverted.first(), reorg.reverted.last()) {
            let ids = |blocks: &[Arc<Applied>]| -> BTreeSet<_> {
                blocks.iter().flat_map(|b| b.block.txn_ids()).collect()
            };
            let applied = ids(&reorg.applied);
            let left = ids(&reorg.reverted).difference(&applied).count();
            let branch = reorg
                .applied
                .last()
                .map(|head| head.block.header().coinbase);
            tracing::warn!(
                "Reorg: blocks {} to {} are replaced by a better branch, whose head miner {} made; \
                 {} transactions wait again, {dropped} were dropped",
                oldest.block.header().number,
                newest.block.header().number,
                branch.unwrap_or(Address::ZERO),
                left.saturating_sub(dropped)
            );
        }
        for applied in &reorg.applied {
            let header = applied.block.header();
            tracing::info!(
                "Applied new block {n}. Current height is {n}",
                n = header.number
            );
            self.log_leader(header.coinbase);
        }
    }

    fn log_state(&mut self, from: NodeState, to: NodeState) {
        tracing::info!(
            "Node state changed from={} to={}",
            from.letter(),
            to.letter()
        );
        if to == NodeState::Ready {
            let schedule = &self.genesis.schedule;
            let leader = schedule.leader(schedule.slot(clock::wall()));
            leader
                .into_iter()
                .for_each(|leader| self.log_leader(leader));
        }
    }

    fn log_leader(&mut self, leader: Address) {
        if self.leader.replace(leader) != Some(leader) {
            tracing::info!("New leader is {leader}");
        }
    }

    /// Recycles the pool log when most of it is in blocks.
    fn rollover(&mut self) -> Result<(), NodeError> {
        let live_bytes = self.view.borrow().queue.bytes + self.tx_tracker.dropped_bytes();
        if !self.pool.wants_rollover(live_bytes as u64) {
            return Ok(());
        }
        let waiting = self.tx_tracker.page(0, usize::MAX);
        let waiting: Vec<_> = waiting
            .iter()
            .map(|(_, arrived, txn)| (*arrived, encode(txn)))
            .collect();
        let dropped = self.tx_tracker.dropped();
        let dropped: Vec<_> = dropped
            .iter()
            .map(|dropped| (dropped.at, &dropped.reason, encode(&dropped.txn)))
            .collect();
        let dropped = dropped
            .iter()
            .map(|(at, reason, bytes)| PoolRecord::Dropped {
                at: *at,
                reason,
                bytes,
            });
        let waiting = waiting.iter().map(|(arrived, bytes)| PoolRecord::Waiting {
            arrived: *arrived,
            bytes,
        });
        let live = dropped.chain(waiting);
        self.pool.rollover(live).map_err(NodeError::Pool)
    }
}

/// Tells the operator once of a clock or date that is wrong, and once when it is right again.
/// Start and sync have lines of their own.
fn log_hindrances(before: &[Hindrance], now: &[Hindrance]) {
    let is_wrong = |hindrance: &&Hindrance| {
        matches!(
            hindrance,
            Hindrance::Clock { .. } | Hindrance::DatedAhead { .. }
        )
    };
    let same =
        |a: &Hindrance, b: &Hindrance| core::mem::discriminant(a) == core::mem::discriminant(b);
    let lacks = |list: &[Hindrance], wanted: &Hindrance| !list.iter().any(|h| same(h, wanted));
    for new in now.iter().filter(is_wrong).filter(|h| lacks(before, h)) {
        tracing::warn!("not ready: {new}");
    }
    for gone in before.iter().filter(is_wrong).filter(|h| lacks(now, h)) {
        tracing::info!("no longer: {gone}");
    }
}
