//! Cryptography of the ledger: hashes, RSA keys and signatures, addresses,
//! the RFC 6962 transaction tree and the sparse Merkle state tree.
//!
//! For WebAssembly it verifies in pure Rust, and has neither secret keys nor randomness.
//!
//! It knows bytes and keys, never blocks, peers, files or clocks.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod bytes;
mod claim;
#[cfg(not(target_family = "wasm"))]
mod constant_time;
mod cose;
mod hash;
mod key_error;
#[cfg(not(target_family = "wasm"))]
mod key_signer;
#[cfg(not(target_family = "wasm"))]
mod lanes;
pub mod merkle;
#[cfg(not(target_family = "wasm"))]
mod pss;
#[cfg(any(test, target_family = "wasm"))]
mod pss_portable;
mod public_key;
#[cfg(not(target_family = "wasm"))]
mod random;
#[cfg(not(target_family = "wasm"))]
mod secret_key;
mod signature;
mod state_tree;
mod verifier;

pub use bytes::{BytesError, from_lower_hex};
pub use claim::Claim;
#[cfg(not(target_family = "wasm"))]
pub use constant_time::constant_time_eq;
pub use cose::SigStructure;
pub use hash::{Address, Hash, sha256};
pub use key_error::KeyError;
#[cfg(not(target_family = "wasm"))]
pub use key_signer::{KeySigner, SignError, Urgency};
#[cfg(not(target_family = "wasm"))]
pub use lanes::{LaneFault, Lanes};
pub use public_key::PublicKey;
#[cfg(not(target_family = "wasm"))]
pub use random::{random_bytes, random_u32};
#[cfg(not(target_family = "wasm"))]
pub use secret_key::SecretKey;
pub use signature::{MAX_SIGNATURE, Signature, SignatureError};
pub use state_tree::{Proof, ProofError, StateTree, Value};
pub use verifier::Verifier;
