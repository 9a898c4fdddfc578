//! What a user does with a node from a terminal: look at it, and send coins. Keys never leave
//! this process: it signs, the node gets signed transactions.

mod known_accounts;
mod send;
mod show;

pub use known_accounts::{Account, KnownAccounts};
pub use send::{Goal, Transfer, send};
pub(crate) use send::{TxnAnswer, wait};
pub use show::{balance, block, next_number, status, txn, why};
