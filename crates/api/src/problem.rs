//! The kinds of problems that only a node has, and which error of the node is which.

use axum::http::StatusCode;
use ccoin_core::{pool::PoolError, transaction::TransactionError};
use ccoin_http::{Kind, Problem};
use ccoin_node::{HistoryError, SubmitError};

pub(crate) const BAD_ADDRESS: Kind =
    Kind::new(StatusCode::BAD_REQUEST, "bad-address", "Not an address");
pub(crate) const AMOUNT_RANGE: Kind = Kind::new(
    StatusCode::BAD_REQUEST,
    "amount-range",
    "Not an amount of coins",
);
pub(crate) const TOKEN_REQUIRED: Kind = Kind::new(
    StatusCode::UNAUTHORIZED,
    "token-required",
    "This path spends the node's coins and needs its token",
);
pub(crate) const FORBIDDEN_ORIGIN: Kind = Kind::new(
    StatusCode::FORBIDDEN,
    "forbidden-origin",
    "Requests from there may not spend coins",
);
pub(crate) const BLOCK_NOT_FOUND: Kind = Kind::new(
    StatusCode::NOT_FOUND,
    "block-not-found",
    "There is no such block",
);
pub(crate) const TXN_NOT_FOUND: Kind = Kind::new(
    StatusCode::NOT_FOUND,
    "txn-not-found",
    "There is no such transaction",
);
const NONCE_USED: Kind = Kind::new(
    StatusCode::CONFLICT,
    "nonce-used",
    "The number of the transaction is used",
);
const NONCE_GAP: Kind = Kind::new(
    StatusCode::CONFLICT,
    "nonce-gap",
    "Too many transactions are missing before this one",
);
const DATA_TOO_LARGE: Kind = Kind::new(
    StatusCode::PAYLOAD_TOO_LARGE,
    "data-too-large",
    "The data of the transaction is too large",
);
const BAD_SIGNATURE: Kind = Kind::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "bad-signature",
    "The signature does not fit",
);
const INSUFFICIENT_FUNDS: Kind = Kind::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "insufficient-funds",
    "The account does not have the coins",
);
pub(crate) const TOO_MANY_ACCOUNTS: Kind = Kind::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "too-many-accounts",
    "The block has too many accounts for one answer",
);
const QUEUE_FULL: Kind = Kind::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "queue-full",
    "The queue is full",
);
pub(crate) const NOT_READY: Kind = Kind::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "not-ready",
    "The node is not ready",
);
pub(crate) const WAIT_TIMEOUT: Kind = Kind::new(
    StatusCode::GATEWAY_TIMEOUT,
    "wait-timeout",
    "The transaction is still waiting",
);

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
        SubmitError::Stopping => Problem::new(NOT_READY, detail),
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
        PoolError::AccountFull | PoolError::Full { .. } => {
            Problem::new(QUEUE_FULL, detail).hint("wait for a block and send again")
        }
    }
}

/// Why the chain could not be read.
pub(crate) fn unreadable(error: HistoryError) -> Problem {
    let detail = error.to_string();
    match error {
        HistoryError::Behind(_) => Problem::new(NOT_READY, detail),
        HistoryError::Index(_) | HistoryError::Storage(_) | HistoryError::Mismatch(_) => {
            tracing::error!("{detail}");
            Problem::internal(detail).hint("restart the node with cnode --reindex")
        }
    }
}
