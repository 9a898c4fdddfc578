//! Requests to a node: parsed answers or problems out. The crate `http` bounds the time
//! of a request and the size of an answer.

use std::io::ErrorKind;
use std::time::Duration;

use ccoin_home::{ExitCode, Failure};
pub use ccoin_http::Refusal;
use ccoin_http::{Answer, Bytes, ClientLimits, RequestError};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{NodeUrl, StatusAnswer};

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
    #[error("{}", refused(.0))]
    Refused(Refusal),
    /// The node looks for a chain.
    #[error("the node has no chain yet: {0}")]
    NoChain(String),
    /// A redirect; `to` is empty if it names no place.
    #[error("the server says that the node is elsewhere: {to}")]
    #[allow(missing_docs, reason = "the message names the field")]
    Moved { to: String },
    /// An answer that does not have the form of this path.
    #[error("the answer to {path} is not understood: {reason}")]
    #[allow(missing_docs, reason = "the message names the fields")]
    Answer { path: String, reason: String },
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        let message = error.to_string();
        match error {
            // The TLS library says so of a certificate.
            HttpError::Request(RequestError::Connect { source, .. })
                if source.kind() == ErrorKind::InvalidData =>
            {
                Self::new(ExitCode::Connect, message)
                    .hint("this host does not trust the server for that name")
                    .hint("SSL_CERT_FILE=FILE names the certificate of its authority")
            }
            HttpError::Request(RequestError::Connect { .. }) => {
                Self::new(ExitCode::Connect, message)
                    .hint("is the node running? cnode starts one, ccoin devnet a whole network")
                    .hint("another one: --url URL, CCOIN_URL, or -c FILE with its account")
            }
            HttpError::Request(_) => Self::new(ExitCode::Connect, message),
            HttpError::Moved { .. } => Self::new(ExitCode::Connect, message)
                .hint("name that place with --url, without /v1/..."),
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
            HttpError::NoChain(_) => Self::new(ExitCode::Refused, message)
                .hint("wait until it has found a peer, or name another node with --url"),
            HttpError::Answer { .. } => Self::new(ExitCode::Unexpected, message)
                .hint("is it a node of this version? see GET /v1/status"),
        }
    }
}

/// A connection to a node, opened when first used and again after a break.
#[derive(Debug)]
pub struct Connection {
    inner: ccoin_http::Connection,
    prefix: String,
}

impl Connection {
    /// A connection that is not open yet.
    #[must_use]
    pub fn new(url: NodeUrl) -> Self {
        let (host, port) = (url.host(), url.port());
        Self {
            inner: match url.tls() {
                true => ccoin_http::Connection::over_tls(host, port, LIMITS),
                false => ccoin_http::Connection::new(host, port, LIMITS),
            },
            prefix: url.prefix().to_owned(),
        }
    }

    /// Asks for a path and parses the JSON of the answer.
    ///
    /// # Errors
    /// [`HttpError`] for no answer, a refusal or another form.
    pub async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, HttpError> {
        let whole = format!("{}{path}", self.prefix);
        parse(path, &accepted(self.inner.get(&whole).await?)?)
    }

    /// Asks how the node is.
    ///
    /// # Errors
    /// [`HttpError`] for no answer, a refusal, another form, or a node without a chain.
    pub async fn status(&mut self) -> Result<StatusAnswer, HttpError> {
        let path = "/v1/status";
        let status: Value = self.get(path).await?;
        if status["genesis_id"].is_null() && status["version"].is_string() {
            let reason = status["not_ready"][0].as_str().unwrap_or("it starts");
            return Err(HttpError::NoChain(reason.to_owned()));
        }
        StatusAnswer::deserialize(status).map_err(|error| HttpError::Answer {
            path: path.to_owned(),
            reason: error.to_string(),
        })
    }

    /// Sends JSON and returns the JSON of the answer. When a kept connection turns out to be
    /// broken, the request is sent a second time: use it only for requests that may arrive twice.
    ///
    /// # Errors
    /// [`HttpError`] for no answer or a refusal.
    pub async fn post(&mut self, path: &str, json: &Bytes) -> Result<Bytes, HttpError> {
        let whole = format!("{}{path}", self.prefix);
        accepted(self.inner.post(&whole, json).await?)
    }
}

/// The words of the node, with the code that documents name.
fn refused(refusal: &Refusal) -> String {
    let Refusal {
        status,
        code,
        detail,
        ..
    } = refusal;
    match (status, code.as_str()) {
        (404, code) if !code.is_empty() => detail.clone(),
        (_, "") => format!("the server answers {status}: {detail}"),
        _ => format!("the node refused it: {detail} ({status} {code})"),
    }
}

fn accepted(answer: Answer) -> Result<Bytes, HttpError> {
    match answer.status {
        400.. => Err(HttpError::Refused(answer.refusal())),
        300.. => Err(HttpError::Moved {
            to: answer.location.unwrap_or_default(),
        }),
        _ => Ok(answer.body),
    }
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
        for (status, code, exit, message) in [
            (
                503,
                "queue-full",
                ExitCode::Refused,
                "the node refused it: 100000 wait (503 queue-full)",
            ),
            (404, "not-found", ExitCode::NotFound, "100000 wait"),
            (
                502,
                "",
                ExitCode::Refused,
                "the server answers 502: 100000 wait",
            ),
        ] {
            let failure = Failure::from(HttpError::Refused(Refusal {
                status,
                code: code.to_owned(),
                detail: "100000 wait".to_owned(),
                hint: Some("wait for a block".to_owned()),
                retry_after: None,
            }));
            assert_eq!(failure.code, exit);
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
