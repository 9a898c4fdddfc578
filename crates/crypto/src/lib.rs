//! Cryptography of the ledger: hashes, RSA keys and signatures, addresses,
//! the RFC 6962 transaction tree and the sparse Merkle state tree.
//!
//! It knows bytes and keys, never blocks, peers, files or clocks.

mod bytes;
mod hash;

pub use bytes::{BytesError, from_lower_hex};
pub use hash::{Address, Hash, sha256};
