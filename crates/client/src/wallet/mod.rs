//! What a user does with a node from a terminal: look at it, and send coins. Keys never leave
//! this process: it signs, the node gets signed transactions.

mod accounts;
mod block;
mod known_accounts;
mod lists;
mod publish;
mod send;
mod show;
mod sign;
mod txn;
mod waiting;
mod watch;

pub use accounts::{account, accounts};
pub use block::block;
pub use known_accounts::{Account, KnownAccounts};
pub use lists::{Page, blocks, history, waiting as waiting_txns};
pub use publish::{parse_signed, publish};
pub use send::{Transfer, send};
pub use show::{balance, next_number, status, why};
pub use sign::{Draft, sign};
pub use txn::txn;
pub(crate) use waiting::TxnAnswer;
pub use waiting::{Goal, Wait};
pub use watch::watch;
