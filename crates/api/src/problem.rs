//! The kinds of problems that only a node has, and which error of the node is which.

use ccoin_core::{pool::PoolError, receipt::BuildError, transaction::TransactionError};
use ccoin_http::{Kind, Problem};
use ccoin_node::{ReadError, ReceiptError, SubmitError};

pub(crate) const BAD_ADDRESS: Kind = Kind(400, "bad-address");
pub(crate) const AMOUNT_RANGE: Kind = Kind(400, "amount-range");
pub(crate) const TOKEN_REQUIRED: Kind = Kind(401, "token-required");
pub(crate) const FORBIDDEN_ORIGIN: Kind = Kind(403, "forbidden-origin");
pub(crate) const BLOCK_NOT_FOUND: Kind = Kind(404, "block-not-found");
pub(crate) const TXN_NOT_FOUND: Kind = Kind(404, "txn-not-found");
const NOT_FINAL: Kind = Kind(409, "not-final");
const NONCE_USED: Kind = Kind(409, "nonce-used");
const NONCE_GAP: Kind = Kind(409, "nonce-gap");
const NO_CERTIFICATE: Kind = Kind(410, "no-certificate");
const DATA_TOO_LARGE: Kind = Kind(413, "data-too-large");
const BAD_SIGNATURE: Kind = Kind(422, "bad-signature");
const INSUFFICIENT_FUNDS: Kind = Kind(422, "insufficient-funds");
pub(crate) const DOCUMENT_NOT_NAMED: Kind = Kind(422, "document-not-named");
pub(crate) const TOO_MANY_ACCOUNTS: Kind = Kind(422, "too-many-accounts");
pub(crate) const RATE_LIMITED: Kind = Kind(429, "rate-limited");
const QUEUE_FULL: Kind = Kind(503, "queue-full");
pub(crate) const NOT_READY: Kind = Kind(503, "not-ready");
pub(crate) const WAIT_TIMEOUT: Kind = Kind(504, "wait-timeout");

/// Why a transaction was not accepted.
pub(crate) fn refused(error: SubmitError) -> Problem {
    let detail = error.to_string();
    match error {
        SubmitError::Invalid(TransactionError::Data { got, max }) => {
            Problem::new(DATA_TOO_LARGE, detail).values(got, max)
        }
        SubmitError::Invalid(TransactionError::Signature { .. }) => {
            Problem::new(BAD_SIGNATURE, detail).hint(
                "sign the SHA-256 of \"ccoin/1/txn\", the genesis id and the encoding of the first six fields",
            )
        }
        SubmitError::Pool(error) => not_queued(&error, detail),
        SubmitError::Stopping | SubmitError::Behind(_) | SubmitError::NotSigned(_) => Problem::new(NOT_READY, detail),
    }
}

fn not_queued(error: &PoolError, detail: String) -> Problem {
    match error {
        PoolError::NumberUsed { got, next } => Problem::new(NONCE_USED, detail)
            .values(got, next)
            .hint("use next_number of GET /v1/accounts/{address}"),
        PoolError::NumberGap { got, next } => Problem::new(NONCE_GAP, detail)
            .values(got, next)
            .hint("send the missing transactions first"),
        PoolError::Funds {
            balance,
            pending,
            amount,
        } => Problem::new(INSUFFICIENT_FUNDS, detail)
            .values(amount, balance.get().saturating_sub(*pending)),
        PoolError::NoCoins => Problem::new(INSUFFICIENT_FUNDS, detail)
            .hint("send it a coin from an account that has some, then try again"),
        PoolError::Budget { wait_s, .. } => Problem::new(RATE_LIMITED, detail)
            .retry_after(u32::try_from(*wait_s).unwrap_or(u32::MAX)),
        PoolError::DiskReserve => Problem::new(QUEUE_FULL, detail).hint("send to another node"),
        PoolError::AccountFull
        | PoolError::Full { .. }
        | PoolError::GapsFull
        | PoolError::Displaced
        | PoolError::GapExpired
        | PoolError::Expired
        | PoolError::Returning => {
            Problem::new(QUEUE_FULL, detail).hint("wait for a block and send again")
        }
    }
}

/// Why the chain could not be read.
pub(crate) fn unreadable(error: ReadError) -> Problem {
    let detail = error.to_string();
    match error {
        ReadError::Behind(_) => Problem::new(NOT_READY, detail),
        ReadError::Storage(_) => {
            tracing::error!("{detail}");
            Problem::internal(detail).hint("the node's log tells which file is meant")
        }
        ReadError::Mismatch(_) => {
            tracing::error!("{detail}");
            Problem::internal(detail).hint("restart the node with cnode --reindex")
        }
    }
}

/// Why there is no receipt; `retry_after`: seconds until a block may be final.
pub(crate) fn no_receipt(error: ReceiptError, retry_after: u32) -> Problem {
    let detail = error.to_string();
    match error {
        ReceiptError::NoTransaction(_) | ReceiptError::Dropped { .. } => {
            Problem::new(TXN_NOT_FOUND, detail)
        }
        ReceiptError::NoBlock(_) => Problem::new(BLOCK_NOT_FOUND, detail),
        ReceiptError::Pending(_) | ReceiptError::NotFinal { .. } => Problem::new(NOT_FINAL, detail)
            .hint("ask again later; GET /v1/why says what is missing")
            .retry_after(retry_after),
        ReceiptError::TooFar(_) | ReceiptError::Build(BuildError::Headers { .. }) => {
            Problem::new(NO_CERTIFICATE, detail)
                .hint("ask a node that ran when the block became final")
        }
        ReceiptError::Busy => Problem::new(RATE_LIMITED, detail).retry_after(retry_after),
        ReceiptError::Build(BuildError::Key(_)) => Problem::new(NOT_READY, detail)
            .hint("the node asks its peers for the key; another node may have it"),
        ReceiptError::Build(BuildError::Index(_) | BuildError::Account) => {
            tracing::error!("{detail}");
            Problem::internal(detail).hint("restart the node with cnode --reindex")
        }
        ReceiptError::Read(error) => unreadable(error),
    }
}
