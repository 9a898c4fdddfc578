//! Request bodies: bounded in size and time.

use crate::{
    AddressCounts, AddressPermit, Endpoints, Problem,
    problem::{BUSY, UNSUPPORTED_MEDIA_TYPE},
};
use axum::{
    body::{Bytes, HttpBody as _, to_bytes},
    extract::Request,
    http::{HeaderMap, header},
};
use http_body_util::LengthLimitError;
use std::{net::IpAddr, ops::Deref, sync::LazyLock, time::Duration};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

/// Longest time for a whole body to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of a body that has a place in any case.
const SMALL: u64 = 64 << 10;

/// Larger bodies that are read and judged at a time; further ones wait for their turn.
const LARGE_BODIES: usize = 8;

/// Those of one address group; loopback has no such limit.
const LARGE_PER_ADDRESS: usize = 2;

/// How often a caller whose address has its share looks for a place.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

static LARGE: LazyLock<LargeBodies> = LazyLock::new(LargeBodies::new);

/// The places of large bodies.
struct LargeBodies {
    all: Semaphore,
    by_address: AddressCounts,
}

/// One of them, until it is dropped.
struct LargePlace {
    _permit: SemaphorePermit<'static>,
    _of_address: Option<AddressPermit>,
}

/// A body, and its place among the large ones until it is dropped.
pub struct WholeBody {
    bytes: Bytes,
    _place: Option<LargePlace>,
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
        _ => {
            let ends = request.extensions().get::<Endpoints>();
            Some(LARGE.place(ends.map(|ends| ends.remote.ip())).await?)
        }
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

impl LargeBodies {
    fn new() -> Self {
        Self {
            all: Semaphore::new(LARGE_BODIES),
            by_address: AddressCounts::new(LARGE_PER_ADDRESS),
        }
    }

    /// Waits for a place, first for one of the address: many bodies of one caller do
    /// not delay those of others.
    async fn place(&'static self, remote: Option<IpAddr>) -> Result<LargePlace, Problem> {
        let until = Instant::now() + BODY_TIMEOUT;
        let of_address = loop {
            match remote.map(|remote| self.by_address.take(remote)) {
                None => break None,
                Some(Some(permit)) => break Some(permit),
                Some(None) if Instant::now() >= until => {
                    let most = LARGE_PER_ADDRESS;
                    return Err(busy(&format!("{most} bodies from your address")));
                }
                Some(None) => tokio::time::sleep(LOOK_AGAIN).await,
            }
        };
        let permit = tokio::time::timeout_at(until, self.all.acquire()).await;
        let permit = permit.ok().and_then(Result::ok);
        let permit = permit.ok_or_else(|| busy(&format!("{LARGE_BODIES} bodies")))?;
        Ok(LargePlace {
            _permit: permit,
            _of_address: of_address,
        })
    }
}

fn busy(read: &str) -> Problem {
    let detail = format!("{read} of more than {SMALL} bytes are being read");
    Problem::new(BUSY, detail).hint("send fewer transactions in one body, or later")
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

#[cfg(test)]
mod tests {
    use super::*;

    /// One address took all eight places, and others got 503.
    #[tokio::test(start_paused = true)]
    async fn an_address_with_many_large_bodies_leaves_places_to_others() {
        let bodies: &'static LargeBodies = Box::leak(Box::new(LargeBodies::new()));
        let place = |text: &str| bodies.place(Some(text.parse().expect("an address")));
        let mut held = Vec::new();
        for _ in 0..LARGE_PER_ADDRESS {
            held.push(
                place("192.0.2.1")
                    .await
                    .unwrap_or_else(|_| panic!("its share")),
            );
        }
        assert!(place("192.0.2.1").await.is_err(), "it waits in vain");
        let other = place("192.0.2.2").await;
        assert!(other.is_ok(), "another address gets in");
        held.pop();
        assert!(place("192.0.2.1").await.is_ok());
    }
}
