//! The leader loop: when to make a block, from what, and when to let it go.

use super::{Effect, JobId, Machine, NodeState, SealMark};
use crate::{
    Height, PowNonce, Timestamp,
    block::{
        Header, MAX_BLOCK_BYTES, MAX_BLOCK_DATA, SealedBlock, SignedHeader, VERSION, block_id,
        txns_hash,
    },
    genesis_config::Placeholder,
    ledger::{Change, Draft, State},
    rules::{self, Applied, Place},
    slots::Slot,
    transaction::VerifiedTransaction,
};
use ccoin_crypto::{Address, Hash, Signature, sha256};
use std::sync::Arc;

/// Room in a block for everything but transactions: header, its text and signature.
const HEADER_ROOM: usize = 2_048 + MAX_BLOCK_DATA;

/// Blocks that a leader may be ahead of half of the other validators.
const PACE_BLOCKS: u64 = 2;

/// The text of what is made without one: a miner's blocks, a wallet's payments.
#[derive(Clone, Debug)]
pub enum PlaceholderText {
    /// Always the same.
    Fixed(String),
    /// Random letters and digits, drawn from a seed that the shell provides.
    Random {
        /// How many characters.
        length: usize,
        /// Unpredictable bytes.
        seed: [u8; 32],
    },
}

impl PlaceholderText {
    /// What the operator configured, else what the genesis placeholder says.
    #[must_use]
    pub fn new(
        configured: Option<String>,
        placeholder: Option<&Placeholder>,
        seed: [u8; 32],
    ) -> Self {
        match (configured, placeholder) {
            (Some(text), _) => Self::Fixed(text),
            (None, Some(Placeholder::Fixed(text))) => Self::Fixed(text.clone()),
            (None, Some(Placeholder::Random(length))) => Self::Random {
                length: usize::try_from(*length).unwrap_or(MAX_BLOCK_DATA),
                seed,
            },
            (None, None) => Self::Fixed(String::new()),
        }
    }

    /// The next text.
    pub fn draw(&mut self) -> String {
        match self {
            Self::Fixed(text) => text.clone(),
            Self::Random { length, seed } => {
                const ALPHABET: &[u8; 62] =
                    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
                let mut text = String::with_capacity(*length);
                while text.len() < *length {
                    *seed = *sha256(&[b"ccoin/1/rnd", &*seed]).as_bytes();
                    let letters = seed
                        .iter()
                        .filter_map(|byte| ALPHABET.get(usize::from(byte >> 2)));
                    text.extend(
                        letters
                            .take(length.saturating_sub(text.len()))
                            .map(|b| char::from(*b)),
                    );
                }
                text
            }
        }
    }
}

/// A block in the making.
#[derive(Debug)]
pub(super) struct Job {
    id: JobId,
    slot: Slot,
    header: Header,
    mining_hash: Hash,
    transactions: Vec<VerifiedTransaction>,
    state: State,
    changes: Vec<Change>,
    /// Set while the key signs.
    nonce: Option<PowNonce>,
}

impl Machine {
    /// Starts a block if this node leads now and one is due.
    pub(super) fn seal(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let Some(miner) = self.miner else { return };
        if self.job.is_some() || !self.may_seal(now, &miner) {
            return;
        }
        let head = Arc::clone(self.chain.head());
        let parent = head.block.header();
        let Some(number) = parent.number.next() else {
            return;
        };
        let Some(place) = self.chain.place(&head.block.id, &miner) else {
            return;
        };
        if !self.wants_block(now, &place) {
            return;
        }
        let (draft, transactions) = self.fill(&head.state);
        // A block that is not due without what could not be applied is not made.
        if !rules::is_due(
            &self.genesis.config.block_mining,
            &place,
            now,
            transactions.len(),
        ) {
            return;
        }
        let Ok((state, changes)) = rules::pay_reward(draft, number, miner, &self.genesis) else {
            return;
        };
        let header = Header {
            version: VERSION,
            number,
            hash_parent: head.block.id,
            hash_state: state.root(),
            hash_txns: txns_hash(transactions.iter().map(|txn| *txn.id())),
            coinbase: miner,
            time: now,
            reward: self.genesis.config.block_mining.reward,
            difficulty: self.genesis.config.block_mining.difficulty,
            data: self.block_text.draw(),
        };
        let (id, slot) = (self.next_job, self.schedule.slot(now));
        let (mining_hash, difficulty) = (header.mining_hash(&self.genesis.id), header.difficulty);
        self.next_job = id.saturating_add(1);
        self.job = Some(Job {
            id,
            slot,
            header,
            mining_hash,
            transactions,
            state,
            changes,
            nonce: None,
        });
        effects.push(Effect::Mine {
            job: id,
            mining_hash,
            difficulty,
        });
    }

    /// Whether the clock lets this miner seal a child of the head: its slot, more
    /// than the guard left, the gap to the parent over, nothing signed there before.
    fn may_seal(&self, now: Timestamp, miner: &Address) -> bool {
        let slot = self.schedule.slot(now);
        let consensus = &self.genesis.config.consensus;
        let leads = |slot| self.schedule.leader(slot) == Some(*miner);
        let guard = if leads(slot.saturating_add(1)) {
            0
        } else {
            consensus.guard_ms
        };
        let parent = self.chain.head().block.header();
        let number = parent.number.next().unwrap_or(Height::MAX);
        leads(slot)
            && self.schedule.end(slot).saturating_sub(now.get()) > guard
            && now.get() >= parent.time.get().saturating_add(consensus.min_gap_ms)
            && SealMark { slot, number } > self.last_sealed
            && self.keeps_pace(now, number)
    }

    /// A leader that runs away from the others makes blocks that the next leader has not
    /// seen and builds beside. So it waits for half of the validators, but not for long.
    fn keeps_pace(&self, now: Timestamp, number: Height) -> bool {
        let others = self.fetch.keeping_up().map(Height::get);
        others.is_none_or(|others| number.get() <= others.saturating_add(PACE_BLOCKS))
            || now.get() >= self.pace_end()
    }

    /// When a child of the head is made whoever lags behind.
    fn pace_end(&self) -> u64 {
        let parent = self.chain.head().block.header().time.get();
        let patience = self.genesis.config.consensus.slot_ms >> 3;
        parent.saturating_add(patience)
    }

    /// The batch rule, with its third clause only for a transaction that has waited
    /// a whole interval.
    fn wants_block(&self, now: Timestamp, place: &Place) -> bool {
        let mining = &self.genesis.config.block_mining;
        let waited = self
            .pool
            .oldest_ready()
            .is_some_and(|arrived| now.get().saturating_sub(arrived.get()) >= mining.interval_ms);
        let place = if waited {
            *place
        } else {
            Place {
                last_by_signer: Some(now),
                ..*place
            }
        };
        rules::is_due(mining, &place, now, self.pool.ready_len())
    }

    /// As many waiting transactions as fit and apply.
    fn fill<'a>(&self, base: &'a State) -> (Draft<'a>, Vec<VerifiedTransaction>) {
        let most =
            usize::try_from(self.genesis.config.block_mining.max_bound).unwrap_or(usize::MAX);
        let mut room = MAX_BLOCK_BYTES.saturating_sub(HEADER_ROOM);
        let mut draft = Draft::new(base);
        let mut transactions = Vec::with_capacity(most.min(self.pool.ready_len()));
        for txn in self.pool.ready() {
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

    /// A nonce is found: what is about to be signed is persisted first.
    pub(super) fn mined(
        &mut self,
        now: Timestamp,
        job: JobId,
        nonce: PowNonce,
        effects: &mut Vec<Effect>,
    ) {
        self.drop_stale_job(now, effects);
        let Some(job) = self
            .job
            .as_mut()
            .filter(|open| open.id == job && open.nonce.is_none())
        else {
            return;
        };
        job.nonce = Some(nonce);
        let mark = SealMark {
            slot: job.slot,
            number: job.header.number,
        };
        self.last_sealed = mark;
        effects.push(Effect::PersistSeal(mark));
        effects.push(Effect::Sign {
            job: job.id,
            message: block_id(&job.mining_hash, nonce).into(),
        });
    }

    /// The signature is there: the block joins the chain.
    pub(super) fn signed(&mut self, job: JobId, signature: Signature, effects: &mut Vec<Effect>) {
        let Some(job) = self
            .job
            .take_if(|open| open.id == job && open.nonce.is_some())
        else {
            return;
        };
        let Job {
            header,
            mining_hash,
            transactions,
            state,
            changes,
            nonce,
            ..
        } = job;
        let Some(nonce) = nonce else { return };
        let id = block_id(&mining_hash, nonce);
        let signed = SignedHeader {
            header,
            nonce,
            signature,
        };
        let block = SealedBlock {
            id,
            signed,
            transactions,
        };
        self.insert(
            Arc::new(Applied {
                block,
                state,
                changes,
            }),
            true,
            effects,
        );
    }

    /// Lets a block go when its slot is over, the node ends, or the head has moved to
    /// a rival: a descendant of the same parent, or a block with more slots behind it. Once
    /// the key signs, it is too late.
    pub(super) fn drop_stale_job(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let Some(job) = self.job.as_ref().filter(|job| job.nonce.is_none()) else {
            return;
        };
        let parent = job.header.hash_parent;
        let head = self.chain.head();
        let before = job.header.number.checked_sub(1).unwrap_or(Height::ZERO);
        let rival = head.block.id != parent
            && (self.chain.main_at(before) == Some(parent)
                || self.chain.slots(&head.block.id) > self.chain.slots(&parent));
        if rival || self.schedule.slot(now) != job.slot || self.state != NodeState::Ready {
            effects.push(Effect::CancelMining(job.id));
            self.job = None;
        }
    }

    /// The next moment at which time alone can change a decision, if any.
    #[must_use]
    pub fn wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        let mining = &self.genesis.config.block_mining;
        let consensus = &self.genesis.config.consensus;
        let head = &self.chain.head().block;
        let parent = head.header().time.get();
        let own = self
            .miner
            .and_then(|miner| self.chain.place(&head.id, &miner)?.last_by_signer);
        let slot_end = self.schedule.end(self.schedule.slot(now));
        let after = |since: u64, wait: u64| since.saturating_add(wait);
        let moments = [
            self.next_look(),
            self.miner.map(|_| slot_end),
            self.miner.map(|_| after(parent, consensus.min_gap_ms)),
            self.miner.map(|_| self.pace_end()),
            self.miner.map(|_| after(parent, mining.interval_ms)),
            own.map(|own| after(own.get(), mining.interval_ms)),
            self.miner
                .and(self.pool.oldest_ready())
                .map(|a| after(a.get(), mining.interval_ms)),
        ];
        let next = moments
            .into_iter()
            .flatten()
            .filter(|moment| *moment > now.get())
            .min()?;
        Timestamp::new(next).ok()
    }
}
