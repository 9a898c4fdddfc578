//! Receipts: proof for an outsider, without a node and without a clock, that a document, a
//! transaction or the state of an account existed on a ledger, and that its miners have made
//! it permanent.
//!
//! A receipt is JSON ([`Receipt::parse`], [`Receipt::to_json`]); [`Receipt::verify`] takes the
//! eight steps of which the first failure is the answer. Whoever has the id of block 1 from a
//! person whom they trust needs nothing else.

mod account;
mod build;
mod document;
mod json;
mod parse;
mod refused;
mod transaction;
mod verified;
mod verify;

use crate::{
    BlockId, Height,
    consensus::{ballot::Ballot, vote::VoterIndex},
};
use ccoin_crypto::Hash;

pub use account::AccountPath;
pub use build::{BuildError, CertifiedHeaders};
pub use document::{DocumentPath, DocumentRoot};
pub use refused::Refused;
pub use verified::{Permanence, Verified, VerifiedBlock, VerifiedTxn};

/// Bytes of the longest receipt.
pub const MAX_RECEIPT_BYTES: usize = 4 << 20;

/// Most headers in a receipt.
pub const MAX_HEADERS: usize = 4_096;

/// The version of the format.
const FORMAT: u64 = 1;

/// A receipt whose shape has been checked and nothing else. Encodings stay bytes: the step
/// that needs a value decodes it.
///
/// # Examples
/// ```
/// use ccoin_core::receipt::Receipt;
/// use ccoin_crypto::Verifier;
///
/// # let text = include_bytes!(concat!(
/// #     env!("CARGO_MANIFEST_DIR"), "/../../tests/data/receipts/document.ccoin"
/// # ));
/// let receipt = Receipt::parse(text)?;
/// // A real reader has the id from a person that they trust, not from the receipt.
/// let genesis = receipt.claimed_genesis().unwrap();
/// let verified = receipt.verify(&genesis, None, &mut Verifier::new(8))?;
/// assert_eq!(verified.block.number.get(), 2);
/// assert_eq!(verified.permanence.voters.len(), 2);
/// # Ok::<(), ccoin_core::receipt::Refused>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Encoding of the signed header of block 1.
    pub genesis: Vec<u8>,
    /// What it is about.
    pub subject: Subject,
    /// Encodings of signed headers: the block in question first, the certified one last.
    pub headers: Vec<Vec<u8>>,
    /// Votes of phase 2 for the last header.
    pub certificate: CertificateVotes,
    /// DER of the public keys of voters and of signers of headers, ascending.
    pub keys: Vec<(VoterIndex, Vec<u8>)>,
}

/// What a receipt is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A transaction, and possibly a document that it names.
    Transaction(TxnPath),
    /// An account under `hash_state` of the first header.
    Account(AccountPath),
}

/// A transaction in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxnPath {
    /// Encoding of the signed transaction.
    pub transaction: Vec<u8>,
    /// Where its id stands under `hash_txns` of the first header.
    pub inclusion: Inclusion,
    /// A document that it names.
    pub document: Option<DocumentPath>,
}

/// Where a transaction stands in its block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// Its place, from 0.
    pub index: u64,
    /// Transactions of the block.
    pub size: u64,
    /// Siblings up to the root.
    pub path: Vec<Hash>,
}

/// A certificate of phase 2 that nothing has checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateVotes {
    /// Of the proposal.
    pub ballot: Ballot,
    /// Of the block.
    pub number: Height,
    /// Of the block.
    pub id: BlockId,
    /// Voters and their signatures.
    pub votes: Vec<(VoterIndex, Vec<u8>)>,
}
