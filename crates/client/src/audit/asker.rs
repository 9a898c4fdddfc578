//! One connection of an audit: requests that wait for their answer. A node that is busy is asked
//! again, and so is one whose connection breaks, a few times.

use std::time::Duration;

use ccoin_home::Failure;
use ccoin_http::RequestError;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;

use crate::{Connection, HttpError, NodeUrl, StatusAnswer, runtime};

/// Attempts behind a broken connection.
const BREAKS: u32 = 3;

/// Attempts at a node that is busy.
const BUSY: u32 = 20;

/// Wait where the node names no time.
const WAIT: Duration = Duration::from_secs(1);

/// A connection and the thread that waits for it.
pub(super) struct Asker {
    runtime: Runtime,
    connection: Connection,
}

impl Asker {
    /// A connection that is not open yet.
    ///
    /// # Errors
    /// [`Failure`] if this host has no room for it.
    pub(super) fn new(url: &NodeUrl) -> Result<Self, Failure> {
        Ok(Self {
            runtime: runtime()?,
            connection: Connection::new(url.clone()),
        })
    }

    /// How the node is.
    ///
    /// # Errors
    /// [`HttpError`].
    pub(super) fn status(&mut self) -> Result<StatusAnswer, HttpError> {
        self.runtime.block_on(self.connection.status())
    }

    /// The answer to `path`.
    ///
    /// # Errors
    /// [`HttpError`] of the last attempt.
    pub(super) fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, HttpError> {
        let connection = &mut self.connection;
        self.runtime.block_on(async {
            let (mut breaks, mut busy) = (0, 0);
            loop {
                let error = match connection.get(path).await {
                    Ok(answer) => return Ok(answer),
                    Err(error) => error,
                };
                let wait = match &error {
                    HttpError::Request(
                        RequestError::Broken { .. } | RequestError::TimedOut { .. },
                    ) if breaks < BREAKS => {
                        breaks += 1;
                        Duration::ZERO
                    }
                    HttpError::Refused(refusal)
                        if matches!(refusal.status, 429 | 503) && busy < BUSY =>
                    {
                        busy += 1;
                        refusal.retry_after.unwrap_or(WAIT)
                    }
                    _ => return Err(error),
                };
                tokio::time::sleep(wait).await;
            }
        })
    }
}
