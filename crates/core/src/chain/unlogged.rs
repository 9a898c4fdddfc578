//! Which blocks the log lacks. A block of another branch stays in memory only: a miner can sign
//! many of them, and what memory forgets must not stay on disk.
//!
//! A block goes into the log, its ancestors first, when it joins the head's branch, when a
//! certificate or a vote of this node names it, or when memory lets go of its body and keeps its
//! place. Only a branch that peers were asked for loses bodies; others are forgotten whole.

use super::Chain;
use crate::{BlockId, applied::Applied};
use std::sync::Arc;

/// Where a block comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A peer has announced it; the log lacks it.
    Announced,
    /// A peer was asked for it; the log lacks it.
    Fetched,
    /// The log holds it, or the step that takes it writes it.
    Log,
}

/// A block for the log.
#[derive(Clone, Debug)]
pub struct Unlogged {
    /// The block and what it does.
    pub applied: Arc<Applied>,
    /// Whether it came in time (F1).
    pub timely: bool,
}

impl Chain {
    /// A peer was asked for a block that an announcement brought: its branch may be long.
    pub fn note_fetched(&mut self, id: &BlockId) {
        self.tree.note_fetched(id);
    }

    /// What the log lacks of the head's branch, and of what has lost its body, parents first.
    /// The caller writes it.
    #[must_use]
    pub fn take_unlogged(&mut self) -> Vec<Unlogged> {
        let head = self.head.block.id;
        let mut taken = core::mem::take(&mut self.stripped);
        taken.extend(self.tree.take_unlogged(&head));
        taken
    }

    /// What the log lacks of the branch up to a block, parents first. The caller writes it.
    #[must_use]
    pub fn take_unlogged_to(&mut self, id: &BlockId) -> Vec<Unlogged> {
        self.tree.take_unlogged(id)
    }

    /// Drops body and state of a block, which the log must hold.
    pub(super) fn strip(&mut self, id: &BlockId) {
        let unlogged = self.tree.take_unlogged(id);
        self.stripped.extend(unlogged);
        self.tree.strip(id);
    }
}
