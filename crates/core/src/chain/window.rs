//! How many blocks stay in memory. The canonical branch and all other branches have
//! budgets of their own: side blocks of a peer never shorten the canonical branch.

use crate::applied::Applied;

/// Most blocks of the canonical branch in memory, and most of all others.
pub const WINDOW_BLOCKS: usize = 16_384;

/// Most estimated bytes of the blocks of the canonical branch; the same for all others.
pub const WINDOW_BYTES: usize = 128 << 20;

/// How far behind the head a restart begins, if the window reaches so far: a restart
/// executes these blocks again.
pub(super) const ANCHOR_BLOCKS: usize = 4_096;
pub(super) const ANCHOR_BYTES: usize = 64 << 20;

/// Blocks that stay however large they are.
const WINDOW_LEAST: usize = 4;

/// Bytes of a block besides transactions and changes.
const BLOCK_BYTES: usize = 1_024;

/// Bytes of a node of the state tree: a change keeps one alive on each level.
const NODE_BYTES: usize = 72;

/// Bytes of a whole state per account: no block keeps more than that alive.
const ACCOUNT_BYTES: usize = 143;

/// Whether the canonical branch exceeds its budget.
pub(super) fn is_canonical_over(blocks: usize, bytes: usize) -> bool {
    blocks > WINDOW_LEAST && (blocks > WINDOW_BLOCKS || bytes > WINDOW_BYTES)
}

/// Whether the other branches exceed theirs.
pub(super) fn is_side_over(blocks: usize, bytes: usize) -> bool {
    blocks > WINDOW_BLOCKS || bytes > WINDOW_BYTES
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
