//! The node's decisions as one pure machine: `step(now, input) -> Step { ask, write, publish }`.
//!
//! It never reads a clock, waits, signs, verifies or writes. Each input has a handler in a
//! file of its own (`on_*`); `lifecycle` calls them, `fetch` asks peers for blocks, `produce`
//! makes blocks, `finality` votes.

mod apply;
mod fetch;
mod finality;
mod hindrance;
mod input;
mod lifecycle;
mod miners;
mod on_block;
mod on_blocks;
mod on_mined;
mod on_submit;
mod placeholder;
mod pool_follow;
mod produce;
mod restart;
mod step;
mod surplus;
mod twin;
mod why;

pub use crate::{
    consensus::status::VerifiedStatus,
    sync::{NodeState, PeerId},
};
pub use fetch::Fault;
pub use hindrance::Hindrance;
pub use input::{Input, JobId, Ticket};
pub use miners::MinerVotes;
pub use placeholder::PlaceholderText;
pub use step::{Ask, Publish, Step, Write};
pub use twin::Meeting;
pub use why::{Voting, Why};

use crate::{
    BlockId, Height,
    applied::Applied,
    chain::{Chain, Score, Window},
    consensus::{
        schedule::{Schedule, Slot},
        vote::VoterIndex,
        voter_record::VoterRecord,
    },
    genesis::Genesis,
    ledger::{Account, State},
    pool::Pool,
    sync::{block_fetcher::BlockFetcher, orphans::Orphans},
};
use ccoin_crypto::Address;
use std::sync::Arc;

/// The newest (slot, number) for which this key has signed a block. It only grows: a key
/// signs at most one block for each, across crashes (T2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SealMark {
    /// The slot.
    pub slot: Slot,
    /// The block number.
    pub number: Height,
}

impl SealMark {
    /// The mark of a key whose record is lost, at a moment in `slot`: it may have signed
    /// anything up to the end of the next slot, whose leader's clock may be ahead (A2).
    #[must_use]
    pub fn after_lost_record(slot: Slot) -> Self {
        Self {
            slot: slot.saturating_add(1),
            number: Height::MAX,
        }
    }
}

/// What a machine starts from.
#[derive(Clone, Debug)]
pub struct Start {
    /// The rules.
    pub genesis: Arc<Genesis>,
    /// The newest checkpoint: a block, its state, and its score in fork choice.
    pub checkpoint: Option<(Arc<Applied>, Score)>,
    /// The address to mine with; `None` for a node that only follows.
    pub miner: Option<Address>,
    /// From beside the key.
    pub last_sealed: SealMark,
    /// From beside the key; `None` for a node that only follows.
    pub voter_record: Option<VoterRecord>,
    /// The text of the blocks it makes.
    pub block_text: PlaceholderText,
}

/// The machine.
#[derive(Debug)]
pub struct Machine {
    genesis: Arc<Genesis>,
    chain: Chain,
    pool: Pool,
    finality: finality::Finality,
    state: NodeState,
    clocks: lifecycle::Clocks,
    follower: fetch::Follower,
    fetcher: BlockFetcher,
    orphans: Orphans,
    surplus: surplus::Surplus,
    clock_offsets: hindrance::ClockOffsets,
    twin: twin::Twin,
    /// What keeps the program that holds the key from signing.
    signer_fault: Option<String>,
    miner: Option<Address>,
    last_sealed: SealMark,
    block_text: PlaceholderText,
    /// A block is made only when it is asked for.
    by_hand: bool,
    /// A block is asked for, and not made yet.
    asked: bool,
    /// The only block with its number that is accepted (Y1).
    trusted: Option<(Height, BlockId)>,
    /// Left branches whose older transactions are not back yet.
    returning: u32,
    /// The disk has room for blocks only.
    disk_is_low: bool,
    job: Option<produce::Job>,
    next_job: JobId,
}

impl Machine {
    /// A machine that knows one block; [`Machine::replay`] brings it up to date.
    #[must_use]
    pub fn new(start: Start) -> Self {
        Self::with_window(start, Window::default())
    }

    /// The same with other bounds of memory: a test need not make thousands of blocks.
    #[must_use]
    pub fn with_window(start: Start, window: Window) -> Self {
        let Start {
            genesis,
            checkpoint,
            miner,
            last_sealed,
            voter_record,
            block_text,
        } = start;
        let index = miner.and_then(|miner| genesis.schedule.index(&miner));
        let index = index.and_then(|index| VoterIndex::try_from(index).ok());
        let voter = index.zip(voter_record);
        let (root, score) = match checkpoint {
            Some((applied, score)) => (applied, Some(score)),
            None => (Arc::new(genesis.applied()), None),
        };
        Self {
            chain: Chain::with_window(root, score, &genesis, window),
            pool: Pool::new(genesis.config.miners.iter().copied()),
            state: NodeState::Genesis,
            finality: finality::Finality::new(&genesis, voter),
            clocks: lifecycle::Clocks::default(),
            follower: fetch::Follower::default(),
            fetcher: BlockFetcher::default(),
            orphans: Orphans::default(),
            surplus: surplus::Surplus::default(),
            clock_offsets: hindrance::ClockOffsets::default(),
            twin: twin::Twin::default(),
            signer_fault: None,
            miner,
            last_sealed,
            block_text,
            by_hand: false,
            asked: false,
            trusted: None,
            returning: 0,
            disk_is_low: false,
            job: None,
            next_job: 0,
            genesis,
        }
    }

    /// Accepts no other block with this number: old keys that were stolen could sign a whole
    /// chain to a node that has none (Y1).
    pub fn trust(&mut self, number: Height, id: BlockId) {
        self.trusted = Some((number, id));
    }

    /// Makes a block only for [`Input::MakeBlock`], and only when the rules allow it: for networks
    /// that exist for tests.
    pub fn make_by_hand(&mut self) {
        self.by_hand = true;
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

    fn schedule(&self) -> &Schedule {
        &self.genesis.schedule
    }
}
