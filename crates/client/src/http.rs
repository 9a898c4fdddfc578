//! Requests to a node: parsed answers or problems out. The crate `http` bounds the time
//! of a request and the size of an answer.

use std::time::Duration;

use ccoin_home::{ExitCode, Failure};
pub use ccoin_http::Refusal;
use ccoin_http::{Answer, Bytes, ClientLimits, RequestError};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::NodeUrl;

const LIMITS: ClientLimits = ClientLimits {
    timeout: Duration::from_secs(20),
    // More than a block of 2.9 MB as JSON.
    answer_bytes: 16 << 20,
};

/// Why there is no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// There is no whole answer.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// An answer from 400 on.
    #[error("the node refused it: {} {} {}", .0.status, .0.code, .0.detail)]
    Refused(Refusal),
    /// An answer that does not have the form of this path.
    #[error("the answer to {path} is not understood: {reason}")]
    #[allow(missing_docs, reason = "the message names the fields")]
    Answer { path: String, reason: String },
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        let message = error.to_string();
        match error {
            HttpError::Request(RequestError::Connect { .. }) => {
                Self::new(ExitCode::Connect, message).hint(
                    "is the node running? start it with cnode, or name another one with --url",
                )
            }
            HttpError::Request(_) => Self::new(ExitCode::Connect, message),
            HttpError::Refused(refusal) => {
                let missing = refusal.status == 404;
                let code = if missing {
                    ExitCode::NotFound
                } else {
                    ExitCode::Refused
                };
                let failure = Self::new(code, message);
                refusal.hint.into_iter().fold(failure, Self::hint)
            }
            HttpError::Answer { .. } => Self::new(ExitCode::Unexpected, message)
                .hint("is it a node of this version? see GET /v1/status"),
        }
    }
}

/// A connection to a node, opened when first used and again after a break.
#[derive(Debug)]
pub struct Connection(ccoin_http::Connection);

impl Connection {
    /// A connection that is not open yet.
    #[must_use]
    pub fn new(url: NodeUrl) -> Self {
        let (host, port) = (url.host(), url.port());
        Self(ccoin_http::Connection::new(host, port, LIMITS))
    }

    /// Asks for a path and parses the JSON of the answer.
    ///
    /// # Errors
    /// [`HttpError`] for no answer, a refusal or another form.
    pub async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, HttpError> {
        parse(path, &accepted(self.0.get(path).await?)?)
    }

    /// Sends JSON and returns the JSON of the answer. When a kept connection turns out to be
    /// broken, the request is sent a second time: use it only for requests that may arrive twice.
    ///
    /// # Errors
    /// [`HttpError`] for no answer or a refusal.
    pub async fn post(&mut self, path: &str, json: &Bytes) -> Result<Bytes, HttpError> {
        accepted(self.0.post(path, json).await?)
    }
}

fn accepted(answer: Answer) -> Result<Bytes, HttpError> {
    if answer.status >= 400 {
        return Err(HttpError::Refused(answer.refusal()));
    }
    Ok(answer.body)
}

/// Parses the JSON that `path` answered.
pub(crate) fn parse<'a, T: Deserialize<'a>>(path: &str, bytes: &'a [u8]) -> Result<T, HttpError> {
    serde_json::from_slice(bytes).map_err(|error| HttpError::Answer {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_its_code_and_advice() {
        for (status, code) in [(503, ExitCode::Refused), (404, ExitCode::NotFound)] {
            let failure = Failure::from(HttpError::Refused(Refusal {
                status,
                code: "queue-full".to_owned(),
                detail: "100000 wait".to_owned(),
                hint: Some("wait for a block".to_owned()),
                retry_after: None,
            }));
            assert_eq!(failure.code, code);
            let message = format!("the node refused it: {status} queue-full 100000 wait");
            assert_eq!(failure.message, message);
            assert_eq!(failure.hints, ["wait for a block"]);
        }
    }

    #[test]
    fn another_shape_is_not_an_answer() {
        let error = parse::<crate::BlockIds>("/v1/blocks/2", b"{\"body\": [5]}").unwrap_err();
        assert!(error.to_string().contains("/v1/blocks/2"), "{error}");
        assert_eq!(Failure::from(error).code, ExitCode::Unexpected);
    }
}
