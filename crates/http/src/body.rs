//! Request bodies: bounded in size and time.

use crate::{Problem, problem::UNSUPPORTED_MEDIA_TYPE};
use axum::{
    body::{Bytes, HttpBody as _, to_bytes},
    extract::Request,
    http::{HeaderMap, header},
};
use http_body_util::LengthLimitError;
use std::time::Duration;

/// Longest time for a whole body to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The whole body.
///
/// # Errors
/// 413 beyond `limit` bytes, 400 for a body that does not arrive whole and in time.
pub async fn read(request: Request, limit: usize) -> Result<Bytes, Problem> {
    let too_large = || Problem::body_too_large(format!("at most {limit} bytes are read here"));
    // The announced length is checked before anything is read.
    if request.body().size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    tokio::time::timeout(BODY_TIMEOUT, to_bytes(request.into_body(), limit))
        .await
        .map_err(|_| {
            let seconds = BODY_TIMEOUT.as_secs();
            Problem::bad_json(format!("the body did not arrive within {seconds} s"))
        })?
        .map_err(|error| match error.into_inner().downcast() {
            Ok::<Box<LengthLimitError>, _>(_) => too_large(),
            Err(_) => Problem::bad_json("the body broke off, or its chunks are malformed"),
        })
}

/// `Content-Type: application/json`, with or without parameters.
///
/// # Errors
/// 415 with the type that came.
pub fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or("");
    let essence = kind.split(';').next().unwrap_or("").trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let got = if kind.is_empty() { "none" } else { kind };
    let got: String = got.chars().take(80).collect();
    let detail = "send Content-Type: application/json";
    Err(Problem::new(UNSUPPORTED_MEDIA_TYPE, detail).values(got, "application/json"))
}
