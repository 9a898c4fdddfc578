//! The storage thread: brings records to disk, many with one fsync, and only then lets
//! anything of their steps be seen. A failed write ends the node: nothing may be shown that
//! the disk does not hold.

use crate::{
    NodeError,
    checkpoints::Checkpoints,
    clock,
    commit_batch::{CommitBatch, WAITING_COMMITS, kind},
    log_lines::LogLines,
    metrics::Metrics,
    miner::Miner,
    peers::outbound::Outbound,
    threads::Threads,
    tx_status::TxTracker,
    view::View,
    vote_signer::VoteSigner,
};
use ccoin_core::{
    BlockId, Height,
    consensus::{vote::Phase, voter_record::VoterRecord},
    encoding::encode,
    genesis::Genesis,
    machine::{SealMark, Write},
};
use ccoin_storage::{BlockLog, PoolLog, PoolRecord, Position, VoteFile, VoteRecord};
use std::{
    collections::BTreeMap,
    sync::{Arc, mpsc},
    time::Instant,
};
use tokio::sync::watch;

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
    /// Where the blocks that the machine knows lie, on any branch.
    pub(crate) positions: BTreeMap<(Height, BlockId), Position>,
    /// Where the blocks of left branches lie whose transactions must come back.
    pub(crate) left_branches: mpsc::Sender<Vec<Position>>,
    pub(crate) log: LogLines,
    pub(crate) vote_signer: Option<VoteSigner>,
    /// Bytes of the transactions in the view's recent blocks.
    pub(crate) recent_bytes: usize,
    pub(crate) outbound: Arc<Outbound>,
    pub(crate) metrics: Arc<Metrics>,
}

/// What a group needs besides the records in the logs.
#[derive(Default)]
struct Due {
    pool: bool,
    blocks: bool,
    mark: Option<SealMark>,
    voter: Option<VoterRecord>,
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
            let began = Instant::now();
            self.write(&group)?;
            self.metrics.commit.observe(began.elapsed().as_secs_f64());
            for batch in group {
                self.publish(batch);
            }
            self.rollover()?;
        }
        self.checkpoints.finish(self.pool.mark());
        Ok(())
    }

    /// Brings a group to disk: logs first, and only when they are synced what the key may
    /// sign (D2).
    fn write(&mut self, group: &[CommitBatch]) -> Result<(), NodeError> {
        let mut due = Due::default();
        for write in group.iter().flat_map(|batch| &batch.write) {
            self.append(write, &mut due)?;
        }
        if due.pool {
            let synced = Metrics::time(&self.metrics.fsync, || self.pool.sync());
            synced.map_err(NodeError::Pool)?;
        }
        if due.blocks {
            Metrics::time(&self.metrics.fsync, || self.blocks.sync())?;
            let end = self.blocks.end().0;
            self.metrics.log_ends_at(end - Position::START.0);
        }
        if due.mark.is_some() || due.voter.is_some() {
            self.store_record(due.mark, due.voter)?;
        }
        Ok(())
    }

    fn append(&mut self, write: &Write, due: &mut Due) -> Result<(), NodeError> {
        match write {
            Write::Transactions { arrived, txns } => {
                for txn in txns {
                    let written = self.pool.append(*arrived, &encode(txn));
                    written.map_err(NodeError::Pool)?;
                }
                due.pool = true;
            }
            Write::Dropped(dropped) => {
                let now = clock::wall();
                for (txn, reason) in dropped {
                    let reason = reason.to_string();
                    let written = self.pool.append_dropped(now, &reason, &encode(txn));
                    written.map_err(NodeError::Pool)?;
                }
                due.pool = true;
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
                due.blocks = true;
            }
            Write::Certificate(certificate) => {
                let bytes = encode(&**certificate);
                self.blocks.append(kind::CERTIFICATE, &[&bytes])?;
                // One of phase 1 only moves `high`, unless a vote 2 follows.
                due.blocks |= certificate.phase == Phase::Two;
            }
            Write::Evidence(evidence) => {
                self.blocks.append(kind::EVIDENCE, &[&encode(evidence)])?;
                due.blocks = true;
            }
            Write::VoterRecord(record) => {
                due.voter = Some(*record);
                due.blocks = true;
            }
            Write::SealMark(mark) => due.mark = Some(*mark),
        }
        Ok(())
    }

    fn store_record(
        &mut self,
        mark: Option<SealMark>,
        voter: Option<VoterRecord>,
    ) -> Result<(), NodeError> {
        let votes = self
            .votes
            .as_mut()
            .expect("only a validator seals and votes, and it has a vote file");
        let mut record = votes
            .record(&self.genesis.id)
            .unwrap_or_else(|| VoteRecord::never_signed(self.genesis.id));
        if let Some(mark) = mark {
            (record.last_sealed_slot, record.last_sealed_number) = (mark.slot, mark.number.get());
        }
        let before = record.voter.standing;
        record.voter = voter.unwrap_or(record.voter);
        votes.store(record)?;
        LogLines::standing(before, record.voter.standing);
        Ok(())
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
            .map(|(_, queued)| (queued.arrived, encode(&queued.txn)))
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
