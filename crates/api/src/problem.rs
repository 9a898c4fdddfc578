//! Errors as RFC 9457 problem details: what happened, with the values, and what to
//! do next. Every response from 400 on is one, the framework's own included.

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use ccoin_core::{pool::PoolError, transaction::TransactionError};
use ccoin_node::{ReadError, SubmitError};
use serde::Serialize;

/// Media type of RFC 9457.
const MEDIA_TYPE: &str = "application/problem+json";

/// Seconds after which a refused request may be tried again.
const RETRY_AFTER_SECONDS: u32 = 1;

/// An error response.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    #[serde(serialize_with = "status_number")]
    status: StatusCode,
    /// Stable, for programs.
    code: &'static str,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    got: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
}

fn status_number<S: serde::Serializer>(
    status: &StatusCode,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

macro_rules! problems {
    ($($name:ident $status:ident $code:literal $title:literal;)*) => {
        impl Problem {$(
            #[doc = $title]
            pub(crate) fn $name(detail: impl Into<String>) -> Self {
                Self::new(StatusCode::$status, $code, $title, detail.into())
            }
        )*}
    };
}

problems! {
    bad_json BAD_REQUEST "bad-json" "The body is not the JSON that is needed";
    bad_field BAD_REQUEST "bad-field" "A field or parameter is not usable";
    bad_address BAD_REQUEST "bad-address" "Not an address";
    amount_range BAD_REQUEST "amount-range" "Not an amount of coins";
    token_required UNAUTHORIZED "token-required" "This path spends the node's coins and needs its token";
    forbidden_origin FORBIDDEN "forbidden-origin" "Requests from there may not spend coins";
    not_found NOT_FOUND "not-found" "There is nothing at this path";
    block_not_found NOT_FOUND "block-not-found" "There is no such block";
    txn_not_found NOT_FOUND "txn-not-found" "There is no such transaction";
    method_not_allowed METHOD_NOT_ALLOWED "method-not-allowed" "This path does not take that method";
    nonce_used CONFLICT "nonce-used" "The number of the transaction is used";
    nonce_gap CONFLICT "nonce-gap" "Too many transactions are missing before this one";
    body_too_large PAYLOAD_TOO_LARGE "body-too-large" "The body is too large";
    data_too_large PAYLOAD_TOO_LARGE "data-too-large" "The data of the transaction is too large";
    unsupported_media_type UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" "The body must be JSON";
    bad_signature UNPROCESSABLE_ENTITY "bad-signature" "The signature does not fit";
    insufficient_funds UNPROCESSABLE_ENTITY "insufficient-funds" "The account does not have the coins";
    too_many_accounts UNPROCESSABLE_ENTITY "too-many-accounts" "The block has too many accounts for one answer";
    rate_limited TOO_MANY_REQUESTS "rate-limited" "Too many requests";
    queue_full SERVICE_UNAVAILABLE "queue-full" "The queue is full";
    not_ready SERVICE_UNAVAILABLE "not-ready" "The node is not ready";
    wait_timeout GATEWAY_TIMEOUT "wait-timeout" "The transaction is still waiting";
    internal INTERNAL_SERVER_ERROR "internal" "The node has failed";
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, title: &'static str, detail: String) -> Self {
        Self {
            kind: "about:blank",
            title,
            status,
            code,
            detail,
            hint: None,
            got: None,
            expected: None,
        }
    }

    /// What to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The value seen and the value needed.
    pub(crate) fn values(mut self, got: impl ToString, expected: impl ToString) -> Self {
        self.got = Some(got.to_string());
        self.expected = Some(expected.to_string());
        self
    }

    /// The problem that a bare error status of the framework stands for.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::not_found("no such path"),
            StatusCode::METHOD_NOT_ALLOWED => {
                Self::method_not_allowed("see the Allow header for what this path takes")
            }
            StatusCode::PAYLOAD_TOO_LARGE => Self::body_too_large("the body is too large"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                Self::unsupported_media_type("send Content-Type: application/json")
            }
            status if status.is_client_error() => Self::bad_field("the request is not usable"),
            _ => Self::internal("the log of the node says more"),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let body = serde_json::to_vec(&self).expect("a problem has only text and a number");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if matches!(
            self.status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        ) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Turns every error response that is not a problem yet into one.
pub(crate) async fn only_problems(response: Response<Body>) -> Response<Body> {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    if status.as_u16() < 400 || kind.is_some_and(|kind| kind == MEDIA_TYPE) {
        return response;
    }
    let mut problem = Problem::of_status(status).into_response();
    if let Some(allow) = response.headers().get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, allow.clone());
    }
    problem
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        let detail = error.to_string();
        match error {
            SubmitError::Invalid(TransactionError::Data { got, max }) => {
                Self::data_too_large(detail).values(got, max)
            }
            SubmitError::Invalid(TransactionError::Signature { .. }) => Self::bad_signature(detail)
                .hint("sign the SHA-256 of \"ccoin/1/txn\", the genesis id and the encoding of the first six fields"),
            SubmitError::Pool(error) => error.into(),
            SubmitError::Stopping => Self::not_ready(detail),
        }
    }
}

impl From<PoolError> for Problem {
    fn from(error: PoolError) -> Self {
        let detail = error.to_string();
        match error {
            PoolError::NumberUsed { got, next } => Self::nonce_used(detail)
                .values(got, next)
                .hint("use next_number of GET /v1/accounts/{address}"),
            PoolError::NumberGap { got, next } => Self::nonce_gap(detail)
                .values(got, next)
                .hint("send the missing transactions first"),
            PoolError::Funds {
                balance,
                pending,
                amount,
            } => Self::insufficient_funds(detail)
                .values(amount, balance.get().saturating_sub(pending)),
            PoolError::AccountFull | PoolError::Full { .. } => {
                Self::queue_full(detail).hint("wait for a block and send again")
            }
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Behind(_) => Self::not_ready(error.to_string()),
            ReadError::Index(_) | ReadError::Storage(_) | ReadError::Mismatch(_) => {
                tracing::error!("{error}");
                Self::internal(error.to_string()).hint("restart the node with cnode --reindex")
            }
        }
    }
}
