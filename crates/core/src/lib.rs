//! The ledger and its consensus as pure functions and one pure machine.
//!
//! Nothing here reads a clock, opens a file or a socket, spawns a thread or
//! draws a random number: what varies comes in, what must happen goes out.

mod values;

pub use ccoin_crypto::{Address, Hash};
pub use values::{
    AccountNonce, Amount, BlockId, Height, MAX_INTEGER, PowNonce, StateHash, Timestamp, TxId,
    TxnsHash, ValueError,
};
