//! The state of all accounts as a sparse Merkle tree that is never changed in
//! place: a new state shares with the old one whatever is equal.
//! It knows 16-byte values, never what they mean, and touches no disk.

mod node;
mod proof;

use crate::{Address, Hash, sha256};
use node::{Change, Node};
pub use proof::{Proof, ProofError};
use std::fmt;

/// What an account holds: nonce and balance, each as 8 bytes big-endian. All
/// zeros: the account does not exist.
pub type Value = [u8; 16];

/// The value of an account that does not exist.
const ABSENT: Value = [0; 16];

/// A map from address to value with a hash that depends on its content alone.
/// Cloning costs nothing; a clone is a snapshot that any thread may read.
///
/// With `path` = SHA-256 of an address, bit 0 the top bit of byte 0, the root is:
///
/// ```text
/// root(S, depth) = 32 zero bytes                                           if S is empty
///                = SHA256(0x00 | path | address | value)                   if S holds one account
///                = SHA256(0x01 | root(S0, depth + 1) | root(S1, depth + 1))  else, S split by bit
///                                                                          `depth` of path
/// ```
#[derive(Clone, Default)]
pub struct StateTree {
    root: Node,
}

/// Where an account stands in the tree.
fn path_of(address: &Address) -> Hash {
    sha256(&[address.as_bytes()])
}

impl StateTree {
    /// The tree of these accounts; of equal addresses the last counts.
    pub fn from_values(values: impl IntoIterator<Item = (Address, Value)>) -> Self {
        Self::default().update(&values.into_iter().collect::<Vec<_>>())
    }

    /// The root hash of the definition above.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.root.hash
    }

    /// Number of accounts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.root.len()
    }

    /// Whether there is no account.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of an account, `None` if it does not exist.
    #[must_use]
    pub fn get(&self, address: &Address) -> Option<Value> {
        self.root
            .find(&path_of(address))
            .map(|account| account.value)
    }

    /// The tree after these changes, in any order; a value of zeros removes the
    /// account, of equal addresses the last counts. This tree stays as it is.
    #[must_use]
    pub fn update(&self, changes: &[(Address, Value)]) -> Self {
        let mut changes: Vec<Change> = changes
            .iter()
            .map(|&(address, value)| Change {
                path: path_of(&address),
                address,
                value,
            })
            .collect();
        changes.sort_by_key(|change| change.path);
        changes.dedup_by(|later, kept| {
            let same = later.path == kept.path;
            if same {
                kept.value = later.value;
            }
            same
        });
        Self {
            root: self.root.update(0, &changes),
        }
    }

    /// Proves what the tree says about an account: its value or its absence.
    #[must_use]
    pub fn prove(&self, address: &Address) -> Proof {
        let mut siblings = Vec::new();
        let end = self
            .root
            .descend(&path_of(address), |sibling| siblings.push(sibling));
        siblings.reverse();
        Proof {
            siblings,
            end: end.map(|account| (account.address, account.value)),
        }
    }

    /// All accounts in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (Address, Value)> + '_ {
        self.root
            .accounts()
            .map(|account| (account.address, account.value))
    }
}

impl fmt::Debug for StateTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "StateTree({} accounts, root {})",
            self.len(),
            self.root()
        )
    }
}
