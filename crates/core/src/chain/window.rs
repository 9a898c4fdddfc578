//! How many blocks stay in memory. The canonical branch and all other branches have
//! budgets of their own: side blocks of a peer never shorten the canonical branch.

use crate::applied::Applied;

/// How much a chain keeps in memory.
///
/// The newest blocks are kept whole, with body and state. Older ones that are not final are
/// kept without them, so that a branch that left them still joins: it is executed again from
/// the newest whole block below the fork on. Those are the final block, or milestones where
/// finality stands still for very long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Most whole blocks of the canonical branch, and most of all others.
    pub blocks: usize,
    /// Most estimated bytes of the whole blocks of the canonical branch; the same for others.
    pub bytes: usize,
    /// Blocks between two milestones below the whole ones.
    pub milestone: u64,
    /// Most blocks of other branches, whole or not.
    pub side_blocks: usize,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            blocks: 16_384,
            bytes: 128 << 20,
            milestone: 1 << 16,
            side_blocks: 1 << 18,
        }
    }
}

/// Milestones that are kept: branches that leave below the oldest one are not followed.
pub(super) const MILESTONES: usize = 4;

/// How far behind the head a restart begins, if the window reaches so far: a restart
/// executes these blocks again.
pub(super) const ANCHOR_BLOCKS: usize = 4_096;
pub(super) const ANCHOR_BYTES: usize = 64 << 20;

/// Blocks that stay whole however large they are.
const WHOLE_LEAST: usize = 4;

/// Bytes of a block besides transactions and changes.
const BLOCK_BYTES: usize = 1_024;

/// Bytes of a node of the state tree: a change keeps one alive on each level.
const NODE_BYTES: usize = 72;

/// Bytes of a whole state per account: no block keeps more than that alive.
const ACCOUNT_BYTES: usize = 143;

impl Window {
    /// Most numbers below the head at which a branch may leave the canonical one.
    #[must_use]
    pub fn reach(&self) -> u64 {
        let milestones = self.milestone.saturating_mul(MILESTONES as u64);
        milestones.saturating_add(self.blocks as u64)
    }

    /// Whether the canonical branch exceeds its budget.
    pub(super) fn is_canonical_over(&self, blocks: usize, bytes: usize) -> bool {
        blocks > WHOLE_LEAST && (blocks > self.blocks || bytes > self.bytes)
    }

    /// Whether the other branches exceed theirs.
    pub(super) fn is_side_over(&self, blocks: usize, bytes: usize) -> bool {
        blocks > self.blocks || bytes > self.bytes
    }
}

/// Estimated bytes that a block keeps in memory: its transactions, and the nodes of the
/// state before it that the state after it does not share.
pub(super) fn cost(applied: &Applied) -> usize {
    let txns = applied.block.transactions.iter().map(|txn| txn.size());
    let accounts = applied.state.len();
    let levels = accounts.checked_ilog2().unwrap_or(0).saturating_add(2);
    let nodes = applied.changes.len().saturating_mul(levels as usize);
    let state = nodes
        .saturating_mul(NODE_BYTES)
        .min(accounts.saturating_mul(ACCOUNT_BYTES));
    txns.fold(BLOCK_BYTES.saturating_add(state), usize::saturating_add)
}
