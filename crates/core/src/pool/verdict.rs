//! What becomes of a transaction that is offered to the pool.

use super::{MAX_GAP, MAX_PER_ACCOUNT};
use crate::{AccountNonce, Amount};

/// Why a valid transaction cannot wait here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// A transaction of this sender with this number is waiting or in a block.
    #[error("number {got} of this account is used, the next is {next}")]
    NumberUsed {
        /// The number in the transaction.
        got: AccountNonce,
        /// The sender's next number.
        next: u64,
    },
    /// Too many numbers are missing before this one.
    #[error("number {got} is more than {MAX_GAP} beyond this account's next number {next}")]
    NumberGap {
        /// The number in the transaction.
        got: AccountNonce,
        /// The sender's next number.
        next: u64,
    },
    /// The sender's coins do not cover all that it has waiting.
    #[error(
        "the account has {balance} coins, {pending} of them are spent by waiting transactions, {amount} are wanted"
    )]
    Funds {
        /// What the sender has.
        balance: Amount,
        /// What its waiting transactions spend.
        pending: u64,
        /// What this one would spend.
        amount: Amount,
    },
    /// The account has as many waiting transactions as it may.
    #[error("{MAX_PER_ACCOUNT} transactions of this account are waiting already")]
    AccountFull,
    /// The pool is full.
    #[error("the queue is full: {txns} transactions with {bytes} bytes are waiting")]
    Full {
        /// Waiting transactions.
        txns: usize,
        /// Their bytes.
        bytes: usize,
    },
    /// Numbers are not known until the transactions of a left branch are back.
    #[error("the transactions of a left branch are coming back: try again in a moment")]
    Returning,
}

/// What became of a submission that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It waits now; its bytes must be made durable before anyone hears of it.
    New,
    /// The same transaction was waiting already.
    Known,
}
