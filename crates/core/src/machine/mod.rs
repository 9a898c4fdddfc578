//! The node's decisions as one pure machine: `step(now, input) -> effects`.
//!
//! It never reads a clock, waits, signs, verifies or writes. The order of the
//! effects is binding: what is persisted by an earlier effect must be on disk before
//! a later one becomes visible to anybody.

mod accept;
mod effect;
mod follow;
mod input;
mod seal;

pub use crate::sync::{NodeState, PeerId};
use crate::{
    Height, Timestamp,
    block::SealedBlock,
    chain::{Chain, Standing},
    genesis::Genesis,
    ledger::{Account, State},
    pool::{Pool, PoolError},
    rules::{Applied, BlockError},
    slots::{Schedule, Slot},
    sync::{self, Action, Event, fetch::Fetch, orphans::Orphans},
    transaction::VerifiedTransaction,
};
use ccoin_crypto::Address;
pub use effect::Effect;
pub use follow::Fault;
pub use input::{Input, JobId, Ticket};
pub use seal::PlaceholderText;
use std::sync::Arc;

/// The newest (slot, number) for which this key has signed a block. It only grows:
/// a key signs at most one block for each, across crashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SealMark {
    /// The slot.
    pub slot: Slot,
    /// The block number.
    pub number: Height,
}

/// What a machine starts from.
#[derive(Clone, Debug)]
pub struct Start {
    /// The rules.
    pub genesis: Arc<Genesis>,
    /// The newest checkpoint: a block, its state, and its standing in fork choice.
    pub checkpoint: Option<(Arc<Applied>, Standing)>,
    /// The address to mine with; `None` for a node that only follows.
    pub miner: Option<Address>,
    /// From beside the key.
    pub last_sealed: SealMark,
    /// The text of the blocks it makes.
    pub block_text: PlaceholderText,
}

/// The machine.
#[derive(Debug)]
pub struct Machine {
    genesis: Arc<Genesis>,
    schedule: Schedule,
    chain: Chain,
    pool: Pool,
    state: NodeState,
    follower: follow::Follower,
    fetch: Fetch,
    orphans: Orphans,
    miner: Option<Address>,
    last_sealed: SealMark,
    block_text: PlaceholderText,
    job: Option<seal::Job>,
    next_job: JobId,
}

impl Machine {
    /// A machine that knows one block; [`Machine::replay`] brings it up to date.
    #[must_use]
    pub fn new(start: Start) -> Self {
        let Start {
            genesis,
            checkpoint,
            miner,
            last_sealed,
            block_text,
        } = start;
        let (root, standing) = match checkpoint {
            Some((applied, standing)) => (applied, Some(standing)),
            None => (Arc::new(genesis.applied()), None),
        };
        Self {
            schedule: Schedule::new(&genesis.config),
            chain: Chain::new(root, standing, &genesis),
            pool: Pool::default(),
            state: NodeState::Genesis,
            follower: follow::Follower::default(),
            fetch: Fetch::default(),
            orphans: Orphans::default(),
            miner,
            last_sealed,
            block_text,
            job: None,
            next_job: 0,
            genesis,
        }
    }

    /// Takes a block from this node's own log: executed and checked against its
    /// roots again, its signatures not.
    ///
    /// # Errors
    /// [`BlockError`] if it does not fit: the log is not this chain's.
    pub fn replay(&mut self, block: SealedBlock) -> Result<(), BlockError> {
        let applied = self.execute(block)?;
        self.chain.insert(applied);
        Ok(())
    }

    /// Takes the waiting transactions from this node's own log, after all blocks. What is
    /// in a block by now, or whose number is used, has had its answer; blocks that a wrong clock
    /// has dated after `now` do not count. Who seems to have lost its coins stays: the head of a
    /// start need not be the one before, and the next change of branch judges it when
    /// somebody hears of it.
    pub fn requeue(&mut self, now: Timestamp, waiting: Vec<(Timestamp, VerifiedTransaction)>) {
        let early = self.chain.keep_to(self.latest(now)).unwrap_or_default();
        let left = early.left.iter().rev().flat_map(|block| {
            let arrived = block.block.header().time;
            let txns = block.block.transactions.iter();
            txns.map(move |txn| (arrived, txn.clone()))
        });
        // What the log holds was accepted after they were left.
        for (arrived, txn) in waiting.into_iter().chain(left) {
            let account = self.account(&txn.sender());
            let poor = self.pool.restore(arrived, account, txn.clone(), false);
            if matches!(poor, Err(PoolError::Funds { .. })) {
                let _ = self.pool.restore(arrived, account, txn, true);
            }
        }
    }

    /// Decides. Effects must be carried out in order.
    #[must_use]
    pub fn step(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.wake(now, &mut effects);
        let ending = matches!(self.state, NodeState::Stopping | NodeState::Dead);
        if ending && !matches!(input, Input::Signed { .. }) {
            // Only what the key has begun is finished: the next start hears the rest.
            return effects;
        }
        if let Some(switch) = self.chain.keep_to(self.latest(now)) {
            self.adopt(switch, &mut effects);
        }
        let stop = matches!(input, Input::Stop);
        match input {
            Input::Tick => {}
            Input::Submit { ticket, txns, from } => {
                self.submit(now, ticket, txns, from, &mut effects);
            }
            Input::Mined { job, nonce } => self.mined(now, job, nonce, &mut effects),
            Input::Signed { job, signature } => self.signed(job, signature, &mut effects),
            Input::Joined {
                peer,
                validator,
                height,
            } => self.fetch.joined(peer, validator, height),
            Input::Left { peer } => self.left(peer),
            Input::Heights { peer, height } => self.told(peer, height),
            Input::Block { peer, block } => self.shown(now, peer, block, &mut effects),
            Input::Copy { peer, id, height } => self.copied(peer, &id, height),
            Input::Answer { peer, blocks, more } => {
                self.answered(now, peer, blocks, more, &mut effects);
            }
            Input::Stop => {}
        }
        let event = if stop { Event::Stop } else { Event::Stirred };
        let mut action = self.happens(event, &mut effects);
        if self.has_caught_up(now) {
            action = self.happens(Event::CaughtUp, &mut effects);
        }
        self.drop_stale_job(now, &mut effects);
        if matches!(action, Action::Fetch | Action::FetchAndSeal) {
            self.follow(now, &mut effects);
        }
        if action == Action::FetchAndSeal {
            self.seal(now, &mut effects);
        }
        effects
    }

    /// No block is head that is dated later.
    fn latest(&self, now: Timestamp) -> Timestamp {
        let skew = self.genesis.config.consensus.max_skew_ms;
        now.checked_add(skew).unwrap_or(now)
    }

    /// Looks an event up in the table and enters the state that it leads to.
    fn happens(&mut self, event: Event, effects: &mut Vec<Effect>) -> Action {
        let (state, action) = sync::next(self.state, event);
        self.enter(state, effects);
        action
    }

    fn enter(&mut self, to: NodeState, effects: &mut Vec<Effect>) {
        let from = core::mem::replace(&mut self.state, to);
        if from != to {
            effects.push(Effect::State { from, to });
        }
    }

    /// The rules.
    #[must_use]
    pub fn genesis(&self) -> &Arc<Genesis> {
        &self.genesis
    }

    /// The newest blocks.
    #[must_use]
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The waiting transactions.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Where the node is in its life.
    #[must_use]
    pub fn state(&self) -> NodeState {
        self.state
    }

    /// All accounts as of the head.
    #[must_use]
    pub fn accounts(&self) -> &State {
        &self.chain.head().state
    }

    fn account(&self, address: &Address) -> Account {
        self.accounts().account(address)
    }
}
