//! The executed blocks that are not final, and which of them is the head.
//!
//! `tree` holds the blocks of all branches, `fork_choice` orders them, `certified` keeps
//! the head on the certified branch, `canonical` and `side` know which blocks are whole,
//! `window` and `prune` bound the memory, `unlogged` says what the log lacks, `reorg` moves the
//! head.

mod canonical;
mod certified;
mod fork_choice;
mod prune;
mod reorg;
mod side;
mod tree;
mod unlogged;
mod window;

pub use fork_choice::Score;
pub use reorg::Reorg;
pub use unlogged::{Origin, Unlogged};
pub use window::Window;

use crate::{
    BlockId, Height, Timestamp, applied::Applied, consensus::schedule::Schedule, genesis::Genesis,
    rules::ParentContext,
};
use canonical::Canonical;
use ccoin_crypto::Address;
use certified::Certified;
use fork_choice::Order;
use side::Side;
use std::{collections::VecDeque, sync::Arc};
use tree::{Entry, Tree};
use window::{ANCHOR_BLOCKS, ANCHOR_BYTES};

/// The blocks in memory.
#[derive(Debug)]
pub struct Chain {
    schedule: Schedule,
    genesis: BlockId,
    window: Window,
    tree: Tree,
    canonical: Canonical,
    side: Side,
    head: Arc<Applied>,
    certified: Certified,
    order: Order,
    /// A better block than the head is dated in the future.
    shelved: bool,
    /// Blocks that have lost their bodies and are not in the log yet.
    stripped: Vec<Unlogged>,
}

impl Chain {
    /// A chain of one block: block 1, or the block of a checkpoint with its score.
    #[must_use]
    pub fn new(root: Arc<Applied>, score: Option<Score>, genesis: &Genesis) -> Self {
        Self::with_window(root, score, genesis, Window::default())
    }

    /// The same with other bounds of memory.
    #[must_use]
    pub fn with_window(
        root: Arc<Applied>,
        score: Option<Score>,
        genesis: &Genesis,
        window: Window,
    ) -> Self {
        let schedule = genesis.schedule.clone();
        let score = score.unwrap_or_else(|| Score::genesis(&schedule));
        let certified = Certified::new(genesis.id, root.block.id, &score);
        Self {
            genesis: genesis.id,
            window,
            tree: Tree::new(Arc::clone(&root), score, schedule.clone()),
            schedule,
            canonical: Canonical::new(Arc::clone(&root)),
            side: Side::default(),
            head: root,
            certified,
            order: Order::ByWeight,
            shelved: false,
            stripped: Vec::new(),
        }
    }

    /// The best block.
    #[must_use]
    pub fn head(&self) -> &Arc<Applied> {
        &self.head
    }

    /// Number of the head.
    #[must_use]
    pub fn height(&self) -> Height {
        self.head.block.header().number
    }

    /// The newest blocks of the head's branch, whole, oldest first.
    #[must_use]
    pub fn canonical(&self) -> &VecDeque<Arc<Applied>> {
        &self.canonical.whole
    }

    /// Whole blocks of the head's branch below those, newest first.
    pub fn milestones(&self) -> impl Iterator<Item = (Height, BlockId)> {
        self.canonical.milestones.iter().rev().copied()
    }

    /// The lowest number of the head's branch at which another branch may leave it.
    #[must_use]
    pub fn lowest(&self) -> Height {
        self.canonical.lowest().unwrap_or(Height::GENESIS)
    }

    /// Id of the block with this number on the head's branch, if it is known here.
    #[must_use]
    pub fn canonical_at(&self, number: Height) -> Option<BlockId> {
        self.canonical.at(number)
    }

    /// Whether a block is one of [`canonical`](Self::canonical).
    #[must_use]
    pub fn is_canonical_and_whole(&self, number: Height, id: &BlockId) -> bool {
        let is_whole = self
            .canonical
            .lowest_whole()
            .is_some_and(|lowest| number >= lowest);
        is_whole && self.canonical.contains(&(number, *id))
    }

    /// A whole block, on any branch.
    #[must_use]
    pub fn get(&self, id: &BlockId) -> Option<&Arc<Applied>> {
        self.tree.get(id)?.whole.as_ref()
    }

    /// Whether a block is executed with all its ancestors, whole or not.
    #[must_use]
    pub fn contains(&self, id: &BlockId) -> bool {
        self.tree.get(id).is_some()
    }

    /// What must be made whole again before a child of this block can be executed, oldest
    /// first.
    #[must_use]
    pub fn bare_path(&self, id: &BlockId) -> Vec<(Height, BlockId)> {
        let mut path = Vec::new();
        let mut cursor = self.tree.get(id);
        while let Some(entry) = cursor.filter(|entry| entry.whole.is_none()) {
            path.push(entry.key());
            cursor = self.tree.get(&entry.parent);
        }
        path.reverse();
        path
    }

    /// Id of block 1.
    #[must_use]
    pub fn genesis(&self) -> BlockId {
        self.genesis
    }

    /// The block from which a restart replays, and its score: far enough back that
    /// branches which left the canonical one a while ago still join, and not above final, so
    /// that the certificates lie behind it in the log.
    #[must_use]
    pub fn anchor(&self) -> Option<(&Arc<Applied>, &Score)> {
        if let Some((_, id)) = self.canonical.milestones.front() {
            return Some((self.get(id)?, self.score(id)?));
        }
        let (mut bytes, mut blocks) = (0usize, 0usize);
        let last_final = self.certified.last_final.0;
        let newest = self.canonical.whole.iter().rev();
        let anchor = newest
            .take_while(|block| {
                let is_near = bytes <= ANCHOR_BYTES && blocks <= ANCHOR_BLOCKS;
                bytes = bytes.saturating_add(self.cost(&block.block.id));
                blocks = blocks.saturating_add(1);
                is_near || block.block.header().number >= last_final
            })
            .last()?;
        Some((anchor, self.score(&anchor.block.id)?))
    }

    fn cost(&self, id: &BlockId) -> usize {
        self.tree.get(id).map_or(0, |entry| entry.cost)
    }

    /// The score of a block.
    #[must_use]
    pub fn score(&self, id: &BlockId) -> Option<&Score> {
        self.tree.get(id).map(|entry| &entry.score)
    }

    /// What the rules need of the parent of a block that `signer` makes.
    #[must_use]
    pub fn parent_context(&self, parent: &BlockId, signer: &Address) -> Option<ParentContext> {
        let entry = self.tree.get(parent)?;
        let index = self.schedule.index(signer);
        let last = index.and_then(|index| entry.score.last_by_miner.get(index));
        Some(ParentContext {
            number: entry.number,
            time: entry.time,
            last_by_signer: last.copied().filter(|time| *time > Timestamp::ZERO),
        })
    }

    /// How many blocks with this number the leader of this time has made.
    #[must_use]
    pub fn siblings(&self, number: Height, time: Timestamp) -> u8 {
        self.tree.siblings(number, self.schedule.slot(time))
    }

    /// A block with this number in the slot of this time: its leader must not sign another.
    #[must_use]
    pub fn sibling(&self, number: Height, time: Timestamp) -> Option<&Arc<Applied>> {
        let sibling = self.tree.sibling(number, self.schedule.slot(time));
        sibling?.whole.as_ref()
    }

    /// Adds an executed block whose parent is here, and which came in time or not. Returns
    /// the change of head if it is the best block now. The caller then writes
    /// [`take_unlogged`](Self::take_unlogged).
    pub fn insert(&mut self, applied: Arc<Applied>, timely: bool, origin: Origin) -> Option<Reorg> {
        if !self.tree.insert(Arc::clone(&applied), timely, origin) {
            return None;
        }
        self.side
            .add(applied.block.id, self.cost(&applied.block.id));
        let slot = self.schedule.slot(applied.block.header().time);
        let candidate = self.certified.on_inserted(&applied, timely.then_some(slot));
        let rank = |id: &BlockId| self.tree.get(id).map(|entry| entry.rank(self.order));
        let better = candidate && rank(&applied.block.id) > rank(&self.head.block.id);
        let reorg = if better { self.set_head(applied) } else { None };
        self.prune();
        reorg
    }

    /// Makes a block whole again that was executed before.
    pub fn restore(&mut self, applied: Arc<Applied>) {
        self.side
            .add(applied.block.id, self.cost(&applied.block.id));
        self.tree.restore(applied);
        self.prune();
    }

    /// Chooses the head again where time has changed the choice. A block dated after `latest`
    /// cannot be the head (F4); a clock that was set back leaves such blocks behind. Blocks that
    /// have waited long for finality are compared by slots (F3). The caller repeats the call as
    /// time goes by.
    pub fn on_moment(&mut self, now: Timestamp, latest: Timestamp) -> Option<Reorg> {
        let order = self.certified.order(&self.schedule, now);
        let reordered = core::mem::replace(&mut self.order, order) != order;
        let ahead = self.head.block.header().time > latest;
        if reordered || ahead || self.shelved {
            return self.choose_head(Some(latest));
        }
        None
    }

    /// Moves to the best candidate that is not dated after `latest`.
    fn choose_head(&mut self, latest: Option<Timestamp>) -> Option<Reorg> {
        let high = self.certified.high.1;
        let in_time =
            |entry: &&Entry| latest.is_none_or(|latest| entry.time <= latest) || entry.id == high;
        let order = self.order;
        let candidates = || self.candidates();
        let best = candidates()
            .filter(in_time)
            .max_by_key(|entry| entry.rank(order))?;
        let best_of_all = candidates().max_by_key(|entry| entry.rank(order))?;
        let shelved = best.id != best_of_all.id;
        let best = best.whole.clone()?;
        self.shelved = shelved;
        if best.block.id == self.head.block.id {
            return None;
        }
        self.set_head(best)
    }

    /// The blocks that may be head.
    fn candidates(&self) -> impl Iterator<Item = &Entry> {
        let ids = self.certified.candidates.iter();
        let entries = ids.filter_map(|id| self.tree.get(id));
        entries.filter(|entry| entry.whole.is_some())
    }

    /// Number and time of the latest dated block of the head, and of a better block that
    /// waits for its time.
    #[must_use]
    pub fn newest_time(&self) -> (Height, Timestamp) {
        let head = self.head.block.header();
        let head = (head.number, head.time);
        let waiting = self.shelved.then(|| {
            let best = self.candidates().max_by_key(|entry| entry.rank(self.order));
            best.map_or(head, |entry| (entry.number, entry.time))
        });
        waiting.unwrap_or(head)
    }
}
