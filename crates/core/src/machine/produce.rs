//! The leader loop: when to make a block, and from which transactions.

use super::{JobId, Machine, Publish, SealMark, Step};
use crate::{
    Height, Now, PowNonce, StateHash, Timestamp,
    block::{Header, MAX_BLOCK_BYTES, MAX_BLOCK_DATA, VERSION, txns_hash},
    consensus::schedule::Slot,
    execution::pay_reward,
    ledger::{Change, Draft, State},
    rules::{ParentContext, is_due},
    transaction::VerifiedTransaction,
};
use ccoin_crypto::{Address, Hash};
use std::sync::Arc;

/// Room in a block for everything but transactions: header, its text and signature.
const HEADER_ROOM: usize = 2_048 + MAX_BLOCK_DATA;

/// Blocks that a leader may be ahead of half of the other validators (L5).
const PACE_BLOCKS: u64 = 2;

/// A block in the making.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: JobId,
    pub(super) slot: Slot,
    pub(super) header: Header,
    pub(super) mining_hash: Hash,
    pub(super) transactions: Vec<VerifiedTransaction>,
    pub(super) state: State,
    pub(super) changes: Vec<Change>,
    /// Set while the key signs.
    pub(super) nonce: Option<PowNonce>,
}

impl Machine {
    /// Starts a block if this node leads now and a block is due (L1); by hand, if one is asked
    /// for, too.
    pub(super) fn produce(&mut self, now: Now, step: &mut Step) {
        let Some(miner) = self.miner else { return };
        if self.job.is_some()
            || (self.by_hand && !self.asked)
            || self.must_not_seal()
            || self.is_alarmed()
            || self.lacks_floor()
            || self.signer_fault.is_some()
            || !self.may_seal(now.wall, &miner)
        {
            return;
        }
        let Some(job) = self.assemble(now.wall, miner) else {
            return;
        };
        self.next_job = job.id.saturating_add(1);
        step.publish.push(Publish::Mine {
            job: job.id,
            mining_hash: job.mining_hash,
            difficulty: job.header.difficulty,
        });
        self.job = Some(job);
    }

    /// A block on the head, if one is due with the transactions that apply.
    fn assemble(&mut self, now: Timestamp, miner: Address) -> Option<Job> {
        let head = Arc::clone(self.chain.head());
        let number = head.block.header().number.next()?;
        let context = self.chain.parent_context(&head.block.id, &miner)?;
        if !self.wants_block(now, &context) {
            return None;
        }
        let mining = &self.genesis.config.block_mining;
        let (draft, transactions) = self.fill(&head.state, now);
        if !is_due(mining, &context, now, transactions.len()) {
            return None;
        }
        let mut header = Header {
            version: VERSION,
            number,
            hash_parent: head.block.id,
            hash_state: StateHash::ZERO,
            hash_txns: txns_hash(transactions.iter().map(|txn| *txn.id())),
            coinbase: miner,
            time: now,
            reward: context.reward_at(now, &self.genesis),
            difficulty: mining.difficulty,
            data: self.block_text.draw(),
        };
        let (state, changes) = pay_reward(draft, &header, &self.genesis).ok()?;
        header.hash_state = state.root();
        Some(Job {
            id: self.next_job,
            slot: self.schedule().slot(now),
            mining_hash: header.mining_hash(&self.genesis.id),
            header,
            transactions,
            state,
            changes,
            nonce: None,
        })
    }

    /// Whether the clock lets this miner seal a child of the head: its slot, more
    /// than the guard left, the gap to the parent over, nothing signed there before.
    fn may_seal(&self, now: Timestamp, miner: &Address) -> bool {
        let slot = self.schedule().slot(now);
        let consensus = &self.genesis.config.consensus;
        let leads = |slot| self.schedule().leader(slot) == Some(*miner);
        let guard = if leads(slot.saturating_add(1)) {
            0
        } else {
            consensus.guard_ms
        };
        let parent = self.chain.head().block.header();
        let number = parent.number.next().unwrap_or(Height::MAX);
        leads(slot)
            && self.schedule().end(slot).saturating_sub(now.get()) > guard
            && now.get() >= parent.time.get().saturating_add(consensus.min_gap_ms)
            && SealMark { slot, number } > self.last_sealed
            && self.wrong_clock().is_none()
            && self.keeps_pace(now, number)
    }

    /// A leader that runs away from the others makes blocks that the next leader has not
    /// seen and builds beside. So it waits for half of the validators, but not for long.
    fn keeps_pace(&self, now: Timestamp, number: Height) -> bool {
        let others = self.fetcher.median_height().map(Height::get);
        others.is_none_or(|others| number.get() <= others.saturating_add(PACE_BLOCKS))
            || now.get() >= self.pace_end()
    }

    /// When a child of the head is made although other validators lag behind.
    fn pace_end(&self) -> u64 {
        let parent = self.chain.head().block.header().time.get();
        let patience = self.genesis.config.consensus.slot_ms >> 3;
        parent.saturating_add(patience)
    }

    /// The batch rule, with its third clause only for a transaction that has waited
    /// a whole interval.
    fn wants_block(&self, now: Timestamp, context: &ParentContext) -> bool {
        let mining = &self.genesis.config.block_mining;
        let context = if self.has_waited(now) {
            *context
        } else {
            ParentContext {
                last_by_signer: Some(now),
                ..*context
            }
        };
        is_due(mining, &context, now, self.pool.ready_len())
    }

    /// Whether the first that came has waited an interval.
    fn has_waited(&self, now: Timestamp) -> bool {
        let interval_ms = self.genesis.config.block_mining.interval_ms;
        let waited = |arrived: Timestamp| now.get().saturating_sub(arrived.get());
        let oldest = self.pool.oldest_ready();
        oldest.is_some_and(|arrived| waited(arrived) >= interval_ms)
    }

    /// As many waiting transactions as fit and apply: the first that came if it has waited an
    /// interval, then by the coins of their senders.
    fn fill<'a>(&self, base: &'a State, now: Timestamp) -> (Draft<'a>, Vec<VerifiedTransaction>) {
        let most =
            usize::try_from(self.genesis.config.block_mining.max_bound).unwrap_or(usize::MAX);
        let mut room = MAX_BLOCK_BYTES.saturating_sub(HEADER_ROOM);
        let mut draft = Draft::new(base);
        let mut transactions = Vec::with_capacity(most.min(self.pool.ready_len()));
        let first = self
            .has_waited(now)
            .then(|| self.pool.ready().next())
            .flatten();
        for txn in first.into_iter().chain(self.pool.by_share()) {
            let Some(left) = room.checked_sub(txn.size()) else {
                break;
            };
            if transactions.len() >= most {
                break;
            }
            if draft.apply(txn).is_ok() {
                room = left;
                transactions.push(txn.clone());
            }
        }
        (draft, transactions)
    }

    /// The next moment, in ms since 1970, at which the wall clock can make a block due.
    pub(super) fn produce_at(&self, now: Timestamp) -> Option<u64> {
        let miner = self.miner?;
        let mining = &self.genesis.config.block_mining;
        let consensus = &self.genesis.config.consensus;
        let head = &self.chain.head().block;
        let parent = head.header().time.get();
        let context = self.chain.parent_context(&head.id, &miner);
        let own = context.and_then(|context| context.last_by_signer);
        let oldest = self.pool.oldest_ready();
        let interval_after = |since: Timestamp| since.get().saturating_add(mining.interval_ms);
        let moments = [
            Some(self.schedule().end(self.schedule().slot(now))),
            Some(parent.saturating_add(consensus.min_gap_ms)),
            Some(self.pace_end()),
            Some(interval_after(head.header().time)),
            own.map(interval_after),
            oldest.map(interval_after),
        ];
        let later = moments.into_iter().flatten();
        later.filter(|moment| *moment > now.get()).min()
    }
}
