//! Request bodies: bounded in size and time.

use crate::{
    Problem,
    problem::{BUSY, UNSUPPORTED_MEDIA_TYPE},
};
use axum::{
    body::{Bytes, HttpBody as _, to_bytes},
    extract::Request,
    http::{HeaderMap, header},
};
use http_body_util::LengthLimitError;
use std::{ops::Deref, time::Duration};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Longest time for a whole body to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of a body that has a place in any case.
const SMALL: u64 = 64 << 10;

/// Larger bodies that are read and judged at a time; further ones wait for their turn.
const LARGE_BODIES: usize = 8;

static LARGE: Semaphore = Semaphore::const_new(LARGE_BODIES);

/// A body, and its place among the large ones until it is dropped.
pub struct WholeBody {
    bytes: Bytes,
    _place: Option<SemaphorePermit<'static>>,
}

impl Deref for WholeBody {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The whole body.
///
/// # Errors
/// 413 beyond `limit` bytes, 400 for a body that does not arrive whole and in time, 503 if too
/// many large ones are being read.
pub async fn read(request: Request, limit: usize) -> Result<WholeBody, Problem> {
    let too_large = || Problem::body_too_large(format!("at most {limit} bytes are read here"));
    let announced = request.body().size_hint();
    // The announced length is checked before anything is read.
    if announced.lower() > limit as u64 {
        return Err(too_large());
    }
    let place = match announced.upper() {
        Some(length) if length <= SMALL => None,
        _ => Some(large_place().await?),
    };
    let bytes = tokio::time::timeout(BODY_TIMEOUT, to_bytes(request.into_body(), limit))
        .await
        .map_err(|_| {
            let seconds = BODY_TIMEOUT.as_secs();
            Problem::bad_json(format!("the body did not arrive within {seconds} s"))
        })?
        .map_err(|error| match error.into_inner().downcast() {
            Ok::<Box<LengthLimitError>, _>(_) => too_large(),
            Err(_) => Problem::bad_json("the body broke off, or its chunks are malformed"),
        })?;
    Ok(WholeBody {
        bytes,
        _place: place,
    })
}

async fn large_place() -> Result<SemaphorePermit<'static>, Problem> {
    let place = tokio::time::timeout(BODY_TIMEOUT, LARGE.acquire()).await;
    place.ok().and_then(Result::ok).ok_or_else(|| {
        let detail = format!("{LARGE_BODIES} bodies of more than {SMALL} bytes are being read");
        Problem::new(BUSY, detail).hint("send fewer transactions in one body, or later")
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
