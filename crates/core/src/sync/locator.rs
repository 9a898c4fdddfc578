//! Where this node stands, for the peer that is asked for blocks: dense at the head, sparse
//! below.

use crate::{BlockId, Height, chain::Chain};

/// Head, head - 1, - 2, - 4 ... as far as the window reaches, then block 1.
pub(super) fn locator(chain: &Chain) -> Vec<(Height, BlockId)> {
    let mut pairs = Vec::new();
    let (mut back, mut step) = (0u64, 1u64);
    let head = chain.height();
    while let Some((number, id)) = head
        .checked_sub(back)
        .and_then(|number| Some((number, chain.canonical_at(number)?)))
    {
        pairs.push((number, id));
        back = back.saturating_add(step);
        step = if back < 2 { 1 } else { back };
    }
    let oldest = chain
        .canonical()
        .front()
        .map(|oldest| (oldest.block.header().number, oldest.block.id));
    let last = [oldest, Some((Height::GENESIS, chain.genesis()))];
    for pair in last.into_iter().flatten() {
        if !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    pairs
}
