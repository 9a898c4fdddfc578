//! The node's decisions as one pure machine: `step(now, input) -> effects`.
//!
//! It never reads a clock, waits, signs, verifies or writes. The order of the
//! effects is binding: what is persisted by an earlier effect must be on disk before
//! a later one becomes visible to anybody.

mod accept;
mod follow;
mod seal;

pub use crate::sync::{NodeState, PeerId};
use crate::{
    BlockId, Height, PowNonce, Timestamp,
    block::SealedBlock,
    chain::{Chain, Standing, Switch},
    genesis::Genesis,
    ledger::{Account, State},
    message::BlockRequest,
    pool::{Accepted, Pool, PoolError},
    rules::{Applied, BlockError},
    slots::{Schedule, Slot},
    sync::{self, Action, Event, fetch::Fetch, orphans::Orphans},
    transaction::VerifiedTransaction,
};
use ccoin_crypto::{Address, Hash, Signature};
pub use follow::Fault;
pub use seal::PlaceholderText;
use std::sync::Arc;

/// Lets the shell match an answer with its question.
pub type Ticket = u64;
/// Lets the shell match a found nonce or a signature with what it was asked for.
pub type JobId = u64;

/// What can happen to a node.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "blocks are rare and moved once")]
pub enum Input {
    /// Time has passed.
    Tick,
    /// Transactions from a user or a peer, their signatures checked.
    Submit {
        /// Comes back in [`Effect::Reply`].
        ticket: Ticket,
        /// The transactions, judged one by one in this order.
        txns: Vec<VerifiedTransaction>,
        /// The peer that sent them; `None`: a user.
        from: Option<PeerId>,
    },
    /// The miner found a nonce.
    Mined {
        /// Of [`Effect::Mine`].
        job: JobId,
        /// Meets the difficulty.
        nonce: PowNonce,
    },
    /// The key signed a block id.
    Signed {
        /// Of [`Effect::Sign`].
        job: JobId,
        /// Over the id.
        signature: Signature,
    },
    /// A peer has proven who it is.
    Joined {
        /// Number of its connection.
        peer: PeerId,
        /// Whether it makes blocks: a miner of the genesis block that says so.
        validator: bool,
        /// What it says that it has.
        height: Height,
    },
    /// A connection has ended.
    Left {
        /// Its number.
        peer: PeerId,
    },
    /// A peer tells its height.
    Heights {
        /// Who.
        peer: PeerId,
        /// What it says that it has.
        height: Height,
    },
    /// A peer shows a new block; header and signatures are checked.
    Block {
        /// Who.
        peer: PeerId,
        /// The block.
        block: SealedBlock,
    },
    /// A peer shows a block of which this node has checked a copy before; the machine may have
    /// it or not.
    Copy {
        /// Who.
        peer: PeerId,
        /// Which block.
        id: BlockId,
        /// Its number.
        height: Height,
    },
    /// A peer answers [`Effect::Ask`]; headers and signatures are checked.
    Answer {
        /// Who.
        peer: PeerId,
        /// The blocks, the oldest first.
        blocks: Vec<SealedBlock>,
        /// Whether its chain goes on behind the last.
        more: bool,
    },
    /// The node shall end: nothing is mined any more.
    Stop,
}

/// What the node must do, in this order.
#[derive(Debug)]
pub enum Effect {
    /// Make accepted transactions durable.
    PersistTransactions {
        /// When they arrived.
        arrived: Timestamp,
        /// The new ones.
        txns: Vec<VerifiedTransaction>,
    },
    /// Make durable what is about to be signed, beside the key.
    PersistSeal(SealMark),
    /// Make a block durable.
    PersistBlock {
        /// The block and what it does.
        applied: Arc<Applied>,
        /// Fork choice needs it again after a restart.
        timely: bool,
    },
    /// Answer a submission.
    Reply {
        /// Of [`Input::Submit`].
        ticket: Ticket,
        /// One per transaction, in its order.
        results: Vec<Result<Accepted, PoolError>>,
    },
    /// Hand accepted transactions on to all peers but one.
    Relay {
        /// New here.
        txns: Vec<VerifiedTransaction>,
        /// Where they came from.
        except: Option<PeerId>,
    },
    /// Show the new head to all peers but one.
    Announce {
        /// The block.
        applied: Arc<Applied>,
        /// Where it came from.
        except: Option<PeerId>,
    },
    /// Tell a peer how far this node is.
    Tell {
        /// Whom.
        peer: PeerId,
    },
    /// Ask a peer for blocks.
    Ask {
        /// Whom.
        peer: PeerId,
        /// For which.
        request: BlockRequest,
    },
    /// Ask all peers for their heights.
    AskHeights,
    /// A peer has broken a rule: end its connection. To the machine it has left.
    Blame {
        /// Who.
        peer: PeerId,
        /// Which rule.
        fault: Fault,
    },
    /// A peer owes an answer for too long: end its connection, without blame. To the
    /// machine it has left.
    Leave {
        /// Who.
        peer: PeerId,
    },
    /// A peer's branch leaves this node's too far back to be followed.
    Apart {
        /// Who.
        peer: PeerId,
    },
    /// Tell how far catching up has got.
    Progress {
        /// Own height.
        height: Height,
        /// The greatest height that a peer claims.
        target: Height,
    },
    /// Look for a nonce.
    Mine {
        /// Comes back in [`Input::Mined`].
        job: JobId,
        /// What the nonce is appended to.
        mining_hash: Hash,
        /// Zero hex digits wanted.
        difficulty: u8,
    },
    /// Stop looking.
    CancelMining(JobId),
    /// Sign a block id with the node's key.
    Sign {
        /// Comes back in [`Input::Signed`].
        job: JobId,
        /// The block id.
        message: Hash,
    },
    /// The head has changed.
    Head {
        /// Blocks left and entered.
        switch: Switch,
        /// Transactions that can never be included any more, and why.
        dropped: Vec<(VerifiedTransaction, PoolError)>,
    },
    /// The node's state has changed.
    State {
        /// What it was.
        from: NodeState,
        /// What it is.
        to: NodeState,
    },
}

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
