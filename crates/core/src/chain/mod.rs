//! The newest executed blocks, and which of them is the head.
//!
//! `tree` holds the blocks of all branches, `fork_choice` orders them, `certified` keeps
//! the head on the certified branch, `window` bounds the memory. A block below the window
//! can never be left any more; only storage knows it.

mod certified;
mod fork_choice;
mod tree;
mod window;

pub use fork_choice::Score;
pub use window::{WINDOW_BLOCKS, WINDOW_BYTES};

use crate::{
    BlockId, Height, Timestamp, applied::Applied, consensus::schedule::Schedule, genesis::Genesis,
    rules::ParentContext,
};
use ccoin_crypto::Address;
use certified::Certified;
use fork_choice::Order;
use std::{collections::VecDeque, sync::Arc};
use tree::{Entry, Tree};
use window::{ANCHOR_BLOCKS, ANCHOR_BYTES};

/// A change of head.
#[derive(Clone, Debug, Default)]
pub struct Reorg {
    /// Blocks of the old branch, newest first; their transactions return to the pool.
    pub reverted: Vec<Arc<Applied>>,
    /// Blocks of the new branch, oldest first.
    pub applied: Vec<Arc<Applied>>,
}

/// The window of blocks.
#[derive(Debug)]
pub struct Chain {
    schedule: Schedule,
    genesis: BlockId,
    tree: Tree,
    /// The head's branch, oldest first, without gaps; never empty.
    canonical: VecDeque<Arc<Applied>>,
    head: Arc<Applied>,
    /// Estimated bytes of the canonical branch, and of all other blocks.
    canonical_bytes: usize,
    side_bytes: usize,
    certified: Certified,
    order: Order,
    /// A better block than the head is dated in the future.
    shelved: bool,
}

impl Chain {
    /// A chain of one block: block 1, or the block of a checkpoint with its score.
    #[must_use]
    pub fn new(root: Arc<Applied>, score: Option<Score>, genesis: &Genesis) -> Self {
        let schedule = genesis.schedule.clone();
        let score = score.unwrap_or_else(|| Score::genesis(&schedule));
        let certified = Certified::new(genesis.id, root.block.id, &score);
        Self {
            genesis: genesis.id,
            tree: Tree::new(Arc::clone(&root), score, schedule.clone()),
            schedule,
            canonical: VecDeque::from([Arc::clone(&root)]),
            head: root,
            canonical_bytes: 0,
            side_bytes: 0,
            certified,
            order: Order::ByWeight,
            shelved: false,
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

    /// The part of the head's branch in memory, oldest first.
    #[must_use]
    pub fn canonical(&self) -> &VecDeque<Arc<Applied>> {
        &self.canonical
    }

    /// Id of the block with this number on the head's branch, if it is in memory.
    #[must_use]
    pub fn canonical_at(&self, number: Height) -> Option<BlockId> {
        let first = self.canonical.front()?.block.header().number;
        let index = usize::try_from(number.get().checked_sub(first.get())?).ok()?;
        self.canonical.get(index).map(|applied| applied.block.id)
    }

    /// A block of the window, on any branch.
    #[must_use]
    pub fn get(&self, id: &BlockId) -> Option<&Arc<Applied>> {
        self.tree.get(id).map(|entry| &entry.applied)
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
        let (mut bytes, mut blocks) = (0usize, 0usize);
        let last_final = self.certified.last_final.0;
        let newest = self.canonical.iter().rev();
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

    /// The score of a block of the window.
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
        let header = entry.applied.block.header();
        Some(ParentContext {
            number: header.number,
            time: header.time,
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
        sibling.map(|entry| &entry.applied)
    }

    /// Adds an executed block whose parent is here, and which came in time or not. Returns
    /// the change of head if it is the best block now.
    pub fn insert(&mut self, applied: Arc<Applied>, timely: bool) -> Option<Reorg> {
        let cost = self.tree.insert(Arc::clone(&applied), timely)?;
        self.side_bytes = self.side_bytes.saturating_add(cost);
        let slot = self.schedule.slot(applied.block.header().time);
        let candidate = self.certified.on_inserted(&applied, timely.then_some(slot));
        let rank = |id: &BlockId| self.tree.get(id).map(|entry| entry.rank(self.order));
        let better = candidate && rank(&applied.block.id) > rank(&self.head.block.id);
        let reorg = if better { self.set_head(applied) } else { None };
        self.prune();
        reorg
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
        let in_time = |entry: &&Entry| {
            let header = entry.applied.block.header();
            latest.is_none_or(|latest| header.time <= latest) || entry.applied.block.id == high
        };
        let order = self.order;
        let candidates = || self.candidates();
        let best = candidates()
            .filter(in_time)
            .max_by_key(|entry| entry.rank(order))?;
        let best_of_all = candidates().max_by_key(|entry| entry.rank(order))?;
        let shelved = best.applied.block.id != best_of_all.applied.block.id;
        let best = Arc::clone(&best.applied);
        self.shelved = shelved;
        if best.block.id == self.head.block.id {
            return None;
        }
        self.set_head(best)
    }

    /// The blocks of the window that may be head.
    fn candidates(&self) -> impl Iterator<Item = &Entry> {
        let ids = self.certified.candidates.iter();
        ids.filter_map(|id| self.tree.get(id))
    }

    /// Number and time of the latest dated block of the head, and of a better block that
    /// waits for its time.
    #[must_use]
    pub fn newest_time(&self) -> (Height, Timestamp) {
        let dated = |block: &Arc<Applied>| {
            let header = block.block.header();
            (header.number, header.time)
        };
        let head = dated(&self.head);
        let waiting = self.shelved.then(|| {
            let best = self.candidates().max_by_key(|entry| entry.rank(self.order));
            best.map_or(head, |entry| dated(&entry.applied))
        });
        waiting.unwrap_or(head)
    }

    /// `None` if the branch leaves the canonical one below the window.
    fn set_head(&mut self, head: Arc<Applied>) -> Option<Reorg> {
        let mut reorg = Reorg::default();
        let mut cursor = Arc::clone(&head);
        while self.canonical_at(cursor.block.header().number) != Some(cursor.block.id) {
            let parent = self.get(&cursor.block.header().hash_parent).cloned();
            reorg.applied.push(cursor);
            cursor = parent?;
        }
        reorg.applied.reverse();
        let fork = cursor.block.header().number;
        while let Some(newest) = self
            .canonical
            .pop_back_if(|block| block.block.header().number > fork)
        {
            reorg.reverted.push(newest);
        }
        self.canonical.extend(reorg.applied.iter().cloned());
        let (less, more) = (self.costs(&reorg.reverted), self.costs(&reorg.applied));
        let change =
            |all: usize, more: usize, less: usize| all.saturating_add(more).saturating_sub(less);
        self.canonical_bytes = change(self.canonical_bytes, more, less);
        self.side_bytes = change(self.side_bytes, less, more);
        self.head = head;
        Some(reorg)
    }

    /// Forgets the oldest canonical blocks beyond the budget with all that forks off below
    /// them, then the worst leaves of the other branches.
    fn prune(&mut self) {
        while window::is_canonical_over(self.canonical.len(), self.canonical_bytes) {
            let Some(oldest) = self.canonical.pop_front() else {
                break;
            };
            let cost = self.cost(&oldest.block.id);
            self.canonical_bytes = self.canonical_bytes.saturating_sub(cost);
            self.side_bytes = self.side_bytes.saturating_add(cost);
        }
        let first = self.canonical.front().map(|b| b.block.header().number);
        while let (Some(first), Some((number, id))) = (first, self.tree.lowest()) {
            if number >= first {
                break;
            }
            self.forget(&id);
        }
        while window::is_side_over(self.side_blocks(), self.side_bytes) {
            let leaves = self.tree.entries().filter(|entry| {
                let (number, id) = entry.key();
                entry.is_leaf() && self.canonical_at(number) != Some(id)
            });
            // On the way to a certified block nothing is dropped (Y4).
            let is_certified = |entry: &Entry| self.certified.high.1 == entry.applied.block.id;
            let leaves = leaves.filter(|entry| !is_certified(entry));
            let Some(worst) = leaves.min_by_key(|entry| entry.rank(self.order)) else {
                break;
            };
            let id = worst.applied.block.id;
            self.forget(&id);
        }
    }

    fn forget(&mut self, id: &BlockId) {
        let cost = self.tree.remove(id);
        self.certified.candidates.remove(id);
        self.side_bytes = self.side_bytes.saturating_sub(cost);
    }

    fn side_blocks(&self) -> usize {
        self.tree.len().saturating_sub(self.canonical.len())
    }

    fn cost(&self, id: &BlockId) -> usize {
        self.tree.get(id).map_or(0, |entry| entry.cost)
    }

    fn costs(&self, blocks: &[Arc<Applied>]) -> usize {
        let costs = blocks.iter().map(|block| self.cost(&block.block.id));
        costs.fold(0, usize::saturating_add)
    }
}
