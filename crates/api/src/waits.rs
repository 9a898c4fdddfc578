//! Requests that wait for a block. They leave their places to others and have places of their
//! own: however many wait, all else is answered.

use crate::problem::RATE_LIMITED;
use axum::http::Extensions;
use ccoin_http::{AddressCounts, AddressPermit, Away, Endpoints, Place, Problem};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests that wait at a time.
const WAITS: usize = 64;

/// Of them, those of one address group; those from this machine are not counted.
const WAITS_PER_ADDRESS: usize = 8;

/// The places of waiting requests; clones share them.
#[derive(Clone)]
pub(crate) struct Waits {
    all: Arc<Semaphore>,
    by_address: AddressCounts,
}

/// The right to wait, and where: for the length of a request.
pub(crate) struct WaitPlace {
    _permit: OwnedSemaphorePermit,
    _of_address: Option<AddressPermit>,
    ordinary: Option<Place>,
}

impl Waits {
    pub(crate) fn new() -> Self {
        Self {
            all: Arc::new(Semaphore::new(WAITS)),
            by_address: AddressCounts::new(WAITS_PER_ADDRESS),
        }
    }

    /// # Errors
    /// 429 if too many wait.
    pub(crate) fn take(&self, request: &Extensions) -> Result<WaitPlace, Problem> {
        let full = |detail: String| {
            Problem::new(RATE_LIMITED, detail)
                .retry_after(5)
                .hint("send it without wait, and ask GET /v1/txns/{id} or GET /v1/events")
        };
        let remote = request.get::<Endpoints>().map(|ends| ends.remote.ip());
        let of_address = match remote.map(|remote| self.by_address.take(remote)) {
            Some(None) => {
                let detail = format!("{WAITS_PER_ADDRESS} requests from your address wait already");
                return Err(full(detail));
            }
            counted => counted.flatten(),
        };
        let permit = Arc::clone(&self.all).try_acquire_owned();
        let permit = permit.map_err(|_| full(format!("{WAITS} requests wait here already")))?;
        Ok(WaitPlace {
            _permit: permit,
            _of_address: of_address,
            ordinary: request.get::<Place>().cloned(),
        })
    }
}

impl WaitPlace {
    /// The wait begins: the place of the connection is free for others until it ends.
    pub(crate) fn leave(&self) -> Option<Away> {
        self.ordinary.as_ref().map(Place::leave)
    }
}
