//! What becomes of a transaction that is offered to the pool.

use super::{
    LONGEST_GAP_MS, LONGEST_WAIT_MS, MAX_GAP, MAX_GAP_BYTES, MAX_PER_ACCOUNT, MAX_PER_ACCOUNT_BYTES,
};
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
    /// The sender never owned a coin that it could send, and is no miner.
    #[error("the account has no coins: an account that owns a coin may send transactions")]
    NoCoins,
    /// The account has sent the bytes of an hour.
    #[error(
        "the account may send {allowance} bytes an hour (it grows with its coins) and has sent them: wait {wait_s} s"
    )]
    Budget {
        /// Bytes an hour.
        allowance: u64,
        /// Seconds until this transaction fits.
        wait_s: u64,
    },
    /// The account has as many waiting transactions as it may.
    #[error(
        "{MAX_PER_ACCOUNT} transactions or {MAX_PER_ACCOUNT_BYTES} bytes of this account are waiting already"
    )]
    AccountFull,
    /// Too much waits behind missing numbers.
    #[error(
        "{MAX_GAP_BYTES} bytes of all accounts are waiting behind missing numbers: send the missing ones first"
    )]
    GapsFull,
    /// It made room for senders that hold less for their coins.
    #[error("the queue was full, and its sender held more than its share by coins")]
    Displaced,
    /// A number before it never came.
    #[error("expired: a number before it was missing for {} s", LONGEST_GAP_MS / 1_000)]
    GapExpired,
    /// No block has taken it.
    #[error("expired: no block has taken it for {} h", LONGEST_WAIT_MS / 3_600_000)]
    Expired,
    /// The disk of this node has room for blocks only.
    #[error(
        "the disk of this node is nearly full: what is left is kept for blocks; its operator makes room"
    )]
    DiskReserve,
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
