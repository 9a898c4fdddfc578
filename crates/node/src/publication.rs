//! What the storage thread shows once it is on disk: to readers, to peers, in the log, and to
//! the threads that mine and sign.

use crate::{
    clock,
    commit_batch::{CommitBatch, RestartPoint},
    commit_thread::CommitThread,
    log_lines,
    miner::Order,
    view::{FinalBlock, Recent, View},
};
use ccoin_core::{
    BlockId,
    chain::{Reorg, Window},
    machine::Publish,
    pool::Accepted,
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// Blocks and bytes of transactions that the view keeps in memory.
const RECENT_BLOCKS: usize = 1_024;
const RECENT_BYTES: usize = 32 << 20;
/// Blocks that it keeps however large they are.
pub(crate) const RECENT_LEAST: usize = 2;

impl CommitThread {
    /// Shows what is durable now, in order: readers that hear an answer must find its
    /// effect, so transaction status and view come first.
    pub(crate) fn publish(&mut self, batch: CommitBatch) {
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
        // Nothing may lie between: a transaction is told to be in a block that is not here yet.
        let publish = batch.publish.iter();
        publish.for_each(|publish| self.tx_tracker.follow(now, publish));
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
}
