//! The answer yes: what a receipt proves.

use crate::{Amount, BlockId, Height, Timestamp, TxId, ledger::Account};
use ccoin_crypto::{Address, Hash};

/// What a receipt proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The network.
    pub genesis: BlockId,
    /// SHA-256 of the document.
    pub document: Option<Hash>,
    /// The transaction.
    pub transaction: Option<VerifiedTxn>,
    /// The account as it was after the block; zeros: it did not exist.
    pub account: Option<(Address, Account)>,
    /// The block in question.
    pub block: VerifiedBlock,
    /// Why nobody can take it back.
    pub permanence: Permanence,
}

/// A transaction that its sender signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedTxn {
    /// Its id.
    pub id: TxId,
    /// Who signed.
    pub sender: Address,
    /// Who is paid.
    pub to: Address,
    /// Coins.
    pub amount: Amount,
    /// Text.
    pub data: String,
    /// What the sender says about the time.
    pub time: Timestamp,
}

/// A block of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedBlock {
    /// Its number.
    pub number: Height,
    /// Its id.
    pub id: BlockId,
    /// What its miner says about the time.
    pub time: Timestamp,
    /// Who signed it.
    pub miner: Address,
}

/// The votes that made a block permanent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permanence {
    /// The block that they voted for: the one in question or a descendant.
    pub block: VerifiedBlock,
    /// The miners that voted.
    pub voters: Vec<Address>,
    /// End of the slot after that of their ballot: by their clocks they had voted.
    pub voted_by: u64,
    /// Miners of the network.
    pub miners: usize,
    /// Miners that may sign contradictions without breaking finality.
    pub tolerated: u32,
}
