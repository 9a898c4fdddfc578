//! Where this node stands, for the peer that is asked for blocks: dense at the head, sparse
//! below.

use crate::{BlockId, Height, applied::Applied, chain::Chain};
use std::sync::Arc;

/// Head, head - 1, - 2, - 4 ... as far as blocks are whole, then the milestones and block 1: an
/// answer starts behind a block whose state is here.
pub(super) fn locator(chain: &Chain) -> Vec<(Height, BlockId)> {
    let key = |block: &Arc<Applied>| (block.block.header().number, block.block.id);
    let whole = chain.canonical();
    let (mut pairs, mut back) = (Vec::new(), 0usize);
    while let Some(block) = whole
        .len()
        .checked_sub(back.saturating_add(1))
        .and_then(|at| whole.get(at))
    {
        pairs.push(key(block));
        back = back.saturating_mul(2).max(back.saturating_add(1));
    }
    let genesis = (Height::GENESIS, chain.genesis());
    let last = whole.front().map(key).into_iter();
    for pair in last.chain(chain.milestones()).chain([genesis]) {
        if !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    pairs
}
