//! The account of a receipt: what it holds, and the proof under a state root.

use crate::ledger::{Account, Change};
use ccoin_crypto::{Address, Hash, Proof, ProofError};

/// Most siblings: bits of a path in the state tree.
pub(super) const MAX_SIBLINGS: usize = 256;

/// An account with its path in the state tree; zeros if it does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountPath {
    /// Whose.
    pub address: Address,
    /// What it is.
    pub account: Account,
    /// From the end of the path up.
    pub siblings: Vec<Hash>,
    /// Of an account that does not exist: the one that stands in its place, if any.
    pub other: Option<Change>,
}

/// Why a path does not show what it claims.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AccountError {
    #[error(transparent)]
    Proof(#[from] ProofError),
    #[error("another account in the place of one that exists")]
    Both,
}

impl AccountPath {
    /// The path of a proof; `None` if the proof holds numbers that no account has.
    pub(super) fn new(address: Address, proof: Proof) -> Option<Self> {
        let end = match proof.end {
            Some((end, value)) => Some((end, Account::from_value(value)?)),
            None => None,
        };
        let own = end.filter(|(end, _)| *end == address);
        Some(Self {
            address,
            account: own.map_or_else(Account::default, |(_, account)| account),
            siblings: proof.siblings,
            other: end.filter(|(end, _)| *end != address),
        })
    }

    pub(super) fn exists(&self) -> bool {
        self.account != Account::default()
    }

    /// Checks that the tree with this root says so.
    pub(super) fn verify(&self, root: &Hash) -> Result<(), AccountError> {
        let own = self.exists().then_some((self.address, self.account));
        let foreign = self.other.filter(|(other, _)| *other != self.address);
        if foreign != self.other || (own.is_some() && foreign.is_some()) {
            return Err(AccountError::Both);
        }
        let end = own.or(foreign);
        let proof = Proof {
            siblings: self.siblings.clone(),
            end: end.map(|(address, account)| (address, account.to_value())),
        };
        // The end is the account itself or another one, so the proof shows no third thing.
        proof.verify(root, &self.address)?;
        Ok(())
    }
}
