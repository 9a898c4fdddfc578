//! Proofs of what a state root says about one account, for readers who have the
//! root and nothing else. Every part of a proof may come from an enemy.

use super::{
    ABSENT, Value,
    node::{bit, inner_hash, leaf_hash},
    path_of,
};
use crate::{Address, Hash};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Bits of a path, and so the greatest depth.
const MAX_DEPTH: usize = 256;

/// Sibling hashes from the end of an account's path up to the root, and what
/// stands at that end.
///
/// Serialized as two fields: the list of siblings, and a list of none or one
/// `[address, nonce, balance]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// From the end of the path up, at most 256.
    pub siblings: Vec<Hash>,
    /// The account at the end of the path, if any: the account in question (it
    /// exists) or another one in its place (it does not).
    pub end: Option<(Address, Value)>,
}

/// Why a proof proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// More siblings than a path has bits.
    #[error("{got} siblings where a path has at most {MAX_DEPTH}")]
    Depth {
        /// Siblings seen.
        got: usize,
    },
    /// The other account's path leaves the path in question above the end.
    #[error("{got} does not stand in the path of {expected}")]
    Elsewhere {
        /// The account in the proof.
        got: Address,
        /// The account in question.
        expected: Address,
    },
    /// The proof holds an account without nonce and balance, which no tree holds.
    #[error("{got} is shown with zeros, which stand for no account")]
    Absent {
        /// The account in the proof.
        got: Address,
    },
    /// The proof leads to another root.
    #[error("the proof leads to root {got}, not to {expected}")]
    Root {
        /// The root it leads to.
        got: Hash,
        /// The root in question.
        expected: Hash,
    },
}

impl Proof {
    /// What the tree with this root says about an account: its value, or `None`
    /// when it does not exist.
    ///
    /// # Errors
    /// [`ProofError`] if the proof does not show it.
    pub fn verify(&self, root: &Hash, address: &Address) -> Result<Option<Value>, ProofError> {
        let depth = self.siblings.len();
        if depth > MAX_DEPTH {
            return Err(ProofError::Depth { got: depth });
        }
        let path = path_of(address);
        let mut hash = Hash::ZERO;
        if let Some((got, value)) = &self.end {
            let end = path_of(got);
            if (0..depth).any(|at| bit(&end, at) != bit(&path, at)) {
                return Err(ProofError::Elsewhere {
                    got: *got,
                    expected: *address,
                });
            }
            if *value == ABSENT {
                return Err(ProofError::Absent { got: *got });
            }
            hash = leaf_hash(&end, got, value);
        }
        for (at, sibling) in (0..depth).rev().zip(&self.siblings) {
            hash = match bit(&path, at) {
                0 => inner_hash(&hash, sibling),
                _ => inner_hash(sibling, &hash),
            };
        }
        if hash != *root {
            return Err(ProofError::Root {
                got: hash,
                expected: *root,
            });
        }
        Ok(self
            .end
            .filter(|(end, _)| end == address)
            .map(|(_, value)| value))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "Proof", deny_unknown_fields)]
struct Fields {
    siblings: Vec<Hash>,
    end: Vec<(Address, u64, u64)>,
}

/// The two numbers of a value: nonce and balance.
fn numbers(value: Value) -> (u64, u64) {
    let (nonce, balance) = value.split_at(8);
    let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("half of 16 bytes"));
    (number(nonce), number(balance))
}

impl Serialize for Proof {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entry = |&(address, value): &(Address, Value)| {
            let (nonce, balance) = numbers(value);
            (address, nonce, balance)
        };
        Fields {
            siblings: self.siblings.clone(),
            end: self.end.iter().map(entry).collect(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Proof {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Fields { siblings, end } = Fields::deserialize(deserializer)?;
        if siblings.len() > MAX_DEPTH {
            return Err(D::Error::custom(ProofError::Depth {
                got: siblings.len(),
            }));
        }
        let end = match *end.as_slice() {
            [] => None,
            [(address, nonce, balance)] => {
                let both = u128::from(nonce) << 64 | u128::from(balance);
                Some((address, both.to_be_bytes()))
            }
            _ => return Err(D::Error::invalid_length(end.len(), &"none or one account")),
        };
        Ok(Self { siblings, end })
    }
}
