//! A block together with what it does to the accounts.

use crate::{
    block::SealedBlock,
    ledger::{Change, State},
};

/// A block and what it does: executed against its parent's state, without touching it.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The block.
    pub block: SealedBlock,
    /// All accounts after it.
    pub state: State,
    /// Every account that a transaction or the reward named and that exists now,
    /// sorted by address, with its value after the block.
    pub changes: Vec<Change>,
}
