//! Cryptography of the ledger: hashes, RSA keys and signatures, addresses,
//! the RFC 6962 transaction tree and the sparse Merkle state tree.
//!
//! It knows bytes and keys, never blocks, peers, files or clocks.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod bytes;
mod constant_time;
mod hash;
mod key_error;
pub mod merkle;
mod public_key;
mod random;
mod secret_key;
mod signature;
mod state_tree;
mod verifier;

pub use bytes::{BytesError, from_lower_hex};
pub use constant_time::constant_time_eq;
pub use hash::{Address, Hash, sha256};
pub use key_error::KeyError;
pub use public_key::PublicKey;
pub use random::{random_bytes, random_u32};
pub use secret_key::SecretKey;
pub use signature::{MAX_SIGNATURE, Signature, SignatureError};
pub use state_tree::{Proof, ProofError, StateTree, Value};
pub use verifier::Verifier;
