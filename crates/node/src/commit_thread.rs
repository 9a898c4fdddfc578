//! The storage thread: brings records to disk, many with one fsync, and only then lets
//! anything of their steps be seen. A failed write ends the node: nothing may be shown that
//! the disk does not hold.

use crate::{
    NodeError,
    checkpoints::Checkpoints,
    clock,
    commit_batch::{CommitBatch, RestartPoint, WAITING_COMMITS, kind},
    log_lines::{self, LogLines},
    metrics::Metrics,
    miner::{Miner, Order},
    peers::outbound::Outbound,
    threads::Threads,
    tx_status::TxTracker,
    view::{FinalBlock, Recent, View},
    vote_signer::VoteSigner,
};
use ccoin_core::{
    BlockId, Height,
    chain::{Reorg, Window},
    consensus::{vote::Phase, voter::VoterRecord},
    encoding::encode,
    genesis::Genesis,
    machine::{Publish, SealMark, Write},
    pool::Accepted,
};
use ccoin_storage::{BlockLog, PoolLog, PoolRecord, Position, VoteFile, VoteRecord};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, mpsc},
    time::Instant,
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
                Publish::Head { reorg, dropped } => {
                    self.log.blocks(&reorg, dropped.len());
                    self.return_txns(&reorg);
                }
                Publish::State { from, to } => self.log.state(from, to),
                Publish::AnnounceBlock { bytes, except, .. } => {
                    self.outbound.announce(&bytes, except);
                }
                Publish::SendHeights { peer } => self.outbound.send_heights(peer),
                Publish::SignVote { vote, justify } => {
                    let signer = self.vote_signer.as_ref();
                    signer
                        .expect("only a validator votes, and it has a signer")
                        .sign(vote, justify);
                }
                Publish::SendStatus { peer, status } => self.outbound.send_status(peer, status),
                Publish::Final(certificate) => self.log.finality(&certificate),
                Publish::SafetyAlarm {
                    last_final,
                    conflicting,
                } => self.log.alarm(&last_final, &conflicting),
                Publish::RecordLost => self.log.record_lost(),
                Publish::Evidence(evidence) => self.log.evidence(&evidence),
                Publish::Queued { .. } | Publish::GossipTransactions(_) | Publish::Dropped(_) => {}
            }
        }
        if let Some(RestartPoint {
            block: applied,
            score,
            certificates,
        }) = batch.anchor
        {
            let view = Arc::clone(&self.view.borrow());
            let key = (applied.block.header().number, applied.block.id);
            if let Some(position) = self.positions.get(&key).copied() {
                let block = Recent { applied, position };
                let mark = self.pool.mark();
                let found = (score, certificates);
                self.checkpoints.consider(block, found, view.head(), mark);
            }
        }
    }

    /// Brings transaction status and view along; the blocks that leave memory.
    fn update_view(&mut self, batch: &CommitBatch) -> Vec<Recent> {
        let before = Arc::clone(&self.view.borrow());
        let mut recent = Arc::clone(&before.recent);
        let mut state = before.state;
        let mut last_final = Arc::clone(&before.last_final);
        let mut evidence = Arc::clone(&before.evidence);
        let mut alarm = before.alarm;
        let hindrances = match &batch.hindrances {
            Some(now) => {
                log_lines::hindrances(&before.hindrances, now);
                now.as_slice().into()
            }
            None => Arc::clone(&before.hindrances),
        };
        let final_before = before.last_final();
        drop(before);
        let now = clock::mono();
        let mut settled = Vec::new();
        for publish in &batch.publish {
            self.count(publish);
            self.tx_tracker.follow(now, publish);
            match publish {
                Publish::Head { reorg, .. } => {
                    settled.extend(self.advance(Arc::make_mut(&mut recent), reorg));
                }
                Publish::State { to, .. } => state = *to,
                Publish::Final(certificate) => {
                    last_final = Arc::new(FinalBlock {
                        certificate: (**certificate).clone(),
                        since: now,
                    });
                }
                Publish::Evidence(new) => {
                    evidence = evidence.iter().chain([new]).cloned().collect();
                }
                Publish::SafetyAlarm { .. } => alarm = true,
                _ => {}
            }
        }
        let view = Arc::new(View {
            recent,
            state,
            queue: batch.queue,
            hindrances,
            last_final,
            evidence,
            alarm,
        });
        self.metrics.finalized(final_before, &view);
        self.view.send_replace(view);
        self.outbound.set_heights(&self.view.borrow());
        settled
    }

    /// Has the transactions of left blocks read that the machine does not hold.
    fn return_txns(&self, reorg: &Reorg) {
        let left = reorg.older_reverted.iter().rev();
        let position = |key| {
            let position = self.positions.get(key);
            *position.expect("a block is persisted before it is head")
        };
        let left: Vec<_> = left.map(position).collect();
        if !left.is_empty() {
            // Else the node is ending.
            let _ = self.left_branches.send(left);
        }
    }

    /// Counts what becomes visible.
    fn count(&self, publish: &Publish) {
        match publish {
            Publish::Head { reorg, dropped } => {
                self.metrics
                    .reverted(reorg.reverted.len() + reorg.older_reverted.len());
                self.metrics.dropped(dropped.len());
                for applied in &reorg.applied {
                    let waited = self.tx_tracker.waited(applied, clock::wall());
                    self.metrics.applied(applied, waited);
                }
            }
            Publish::Reply { results, .. } => {
                let new = |result: &&Result<Accepted, _>| matches!(result, Ok(Accepted::New));
                let refused = results.iter().filter(|result| result.is_err()).count();
                let queued = results.iter().filter(new).count();
                self.metrics.submitted(queued, refused);
            }
            _ => {}
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
        // Another branch may leave the head's anywhere in the machine's reach.
        let head = recent.back().map(|head| head.header().number);
        if let Some(first) = head.and_then(|head| head.checked_sub(Window::default().reach())) {
            self.positions = self.positions.split_off(&(first, BlockId::ZERO));
        }
        settled
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
