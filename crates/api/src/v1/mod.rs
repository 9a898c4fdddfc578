//! The paths under `/v1`, the same on every node.

mod accounts;
mod blocks;
mod documents;
pub(crate) mod events;
mod history;
mod network;
mod notarize;
mod peers;
pub(crate) mod proofs;
pub(crate) mod status;
mod txns;
mod why;

use crate::{
    Api,
    problem::{BLOCK_NOT_FOUND, TXN_NOT_FOUND},
};
use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use ccoin_core::{Height, TxId};
use ccoin_http::{Problem, json::unfit_value};
use serde::de::DeserializeOwned;
use std::error::Error as _;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes under `/v1`.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(status::status))
        .routes(routes!(why::why))
        .routes(routes!(why::evidence))
        .routes(routes!(events::stream))
        .routes(routes!(status::queue))
        .routes(routes!(peers::list))
        .routes(routes!(blocks::list))
        .routes(routes!(blocks::one))
        .routes(routes!(blocks::state))
        .routes(routes!(txns::submit))
        .routes(routes!(txns::check))
        .routes(routes!(txns::one))
        .routes(routes!(documents::list))
        .routes(routes!(network::genesis))
        .routes(routes!(network::miners))
        .routes(routes!(accounts::one))
        .routes(routes!(history::txns))
        .routes(routes!(history::changes))
        .routes(routes!(proofs::transaction))
        .routes(routes!(proofs::account))
        .routes(routes!(notarize::notarize))
}

/// A query string whose every error is a problem.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(params)| Self(params)).map_err(|error| {
            let text = error.source().map(ToString::to_string).unwrap_or_default();
            let (field, message) = match text.split_once(": ") {
                Some((field, message)) => (Some(field), message),
                None => (None, text.as_str()),
            };
            Problem::bad_field(format!("query: {}", unfit_value(field, message)))
        })
    }
}

/// A block number in a path; other text is a block that does not exist.
pub(crate) fn block_number(text: &str) -> Result<Height, Problem> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text
        .parse()
        .ok()
        .filter(|_| digits)
        .and_then(|number| Height::new(number).ok());
    number.ok_or_else(|| {
        Problem::new(BLOCK_NOT_FOUND, "this is not the number of a block").values(
            text.chars().take(40).collect::<String>(),
            "a whole number from 1",
        )
    })
}

/// A transaction id in a path; other text is a transaction that does not exist.
pub(crate) fn txn_id(text: &str) -> Result<TxId, Problem> {
    text.parse().map_err(|error| {
        Problem::new(TXN_NOT_FOUND, format!("not a transaction id: {error}")).values(
            text.chars().take(80).collect::<String>(),
            "64 lower-case hex digits",
        )
    })
}

/// `limit` of a list: from 1 to `most`, 20 by default.
pub(crate) fn limit(asked: Option<usize>, most: usize) -> Result<usize, Problem> {
    match asked {
        None => Ok(20),
        Some(limit) if (1..=most).contains(&limit) => Ok(limit),
        Some(limit) => {
            Err(Problem::bad_field("limit is out of range").values(limit, format!("1 to {most}")))
        }
    }
}
