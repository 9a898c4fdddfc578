//! What a block does: its transactions in order, the reward, the new state. Nothing that
//! exists is changed; a block that fails leaves no trace.

use crate::{
    applied::Applied,
    block::{Header, SealedBlock},
    genesis::Genesis,
    ledger::{Change, Draft, State},
    rules::BlockError,
};

/// Rules 13 and 14: every transaction in order, reward, state root.
///
/// # Errors
/// The first [`BlockError`] in order; nothing has changed then.
pub fn execute(
    block: SealedBlock,
    parent: &State,
    genesis: &Genesis,
) -> Result<Applied, BlockError> {
    let header = block.header();
    let mut draft = Draft::new(parent);
    for (index, txn) in block.transactions.iter().enumerate() {
        draft
            .apply(txn)
            .map_err(|source| BlockError::Apply { index, source })?;
    }
    let (state, changes) = pay_reward(draft, header, genesis)?;
    if header.hash_state != state.root() {
        return Err(BlockError::StateHash {
            got: header.hash_state,
            expected: state.root(),
        });
    }
    Ok(Applied {
        block,
        state,
        changes,
    })
}

/// Pays the reward that the header names to its miner, and closes the draft.
///
/// # Errors
/// [`BlockError::Supply`] if the coins of the chain would pass 2^53 - 1.
pub fn pay_reward(
    mut draft: Draft<'_>,
    header: &Header,
    genesis: &Genesis,
) -> Result<(State, Vec<Change>), BlockError> {
    genesis
        .most_supply_at(header.number)
        .ok_or(BlockError::Supply)?;
    draft
        .credit(header.coinbase, header.reward)
        .map_err(|_| BlockError::Supply)?;
    Ok(draft.finish())
}
