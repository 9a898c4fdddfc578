//! The ledger and its consensus as pure functions and one pure machine.
//!
//! Nothing here reads a clock, opens a file or a socket, spawns a thread or
//! draws a random number: what varies comes in, what must happen goes out.

#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::float_arithmetic,
        clippy::indexing_slicing,
        clippy::iter_over_hash_type,
        clippy::panic,
        clippy::unwrap_used
    )
)]

pub mod applied;
pub mod block;
pub mod block_pieces;
pub mod chain;
pub mod consensus;
pub mod encoding;
pub mod execution;
pub mod genesis;
pub mod genesis_config;
pub mod gossip;
mod host_port;
pub mod ledger;
pub mod machine;
pub mod message;
mod now;
pub mod pool;
pub mod pow;
pub mod receipt;
pub mod rules;
pub mod sync;
pub mod transaction;
mod values;

pub use ccoin_crypto::{Address, Hash};
pub use host_port::{HostPort, HostPortError};
pub use now::{MonoTime, Now};
pub use values::{
    AccountNonce, Amount, BlockId, Height, MAX_INTEGER, PowNonce, StateHash, Timestamp, TxId,
    TxnsHash, ValueError,
};
