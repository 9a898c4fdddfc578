//! Request bodies: bounded in size and time, JSON only, parsed once.

use crate::problem::Problem;
use axum::{
    body::{Bytes, HttpBody as _, to_bytes},
    extract::Request,
    http::{HeaderMap, header},
};
use http_body_util::LengthLimitError;
use serde::{Deserialize, de::IgnoredAny};
use std::time::Duration;

/// Bytes of a body where nothing else is said.
pub(crate) const LIMIT: usize = 1 << 20;

/// Bytes of an array of transactions.
pub(crate) const TXNS_LIMIT: usize = 4 << 20;

/// Longest time for a whole body to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// The whole body, which must claim to be JSON.
pub(crate) async fn json_bytes(request: Request, limit: usize) -> Result<Bytes, Problem> {
    require_json(request.headers())?;
    let too_large = || Problem::body_too_large(format!("at most {limit} bytes are read here"));
    let broken = |error: axum::Error| match error.into_inner().downcast::<LengthLimitError>() {
        Ok(_) => too_large(),
        Err(error) => Problem::bad_json(format!("the body broke off: {error}")),
    };
    // A length that is announced is judged before anything is read.
    if request.body().size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    tokio::time::timeout(PATIENCE, to_bytes(request.into_body(), limit))
        .await
        .map_err(|_| Problem::bad_json("the body did not arrive within 10 s"))?
        .map_err(broken)
}

/// `Content-Type: application/json`, with or without parameters.
pub(crate) fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or("");
    let essence = kind.split(';').next().unwrap_or("").trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(
        Problem::unsupported_media_type("send Content-Type: application/json").values(
            if kind.is_empty() { "none" } else { kind },
            "application/json",
        ),
    )
}

/// Parses one JSON object; serde alone would also take an array of the fields' values.
pub(crate) fn parse_object<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Problem> {
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') | None => parse(bytes),
        Some(_) => {
            parse::<IgnoredAny>(bytes)?;
            Err(Problem::bad_field("a JSON object is needed"))
        }
    }
}

/// Parses one JSON value; duplicate keys are refused. What is not JSON at all is told
/// from a field that does not fit, wherever the first fault stands.
pub(crate) fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        let text = error.to_string();
        if !error.is_data() || text.starts_with("duplicate field") {
            return Problem::bad_json(text);
        }
        match serde_json::from_slice::<IgnoredAny>(bytes) {
            Ok(_) => Problem::bad_field(text),
            Err(error) => Problem::bad_json(error.to_string()),
        }
    })
}
