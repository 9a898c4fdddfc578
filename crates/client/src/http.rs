//! One keep-alive connection to a node: requests in, parsed answers or problems out.
//! It never buffers an unbounded body and never waits for ever.

use std::io;
use std::time::Duration;

use ccoin_home::{ExitCode, Failure};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, RETRY_AFTER};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use crate::NodeUrl;

/// Longest answer that is read: more than a block of 2.9 MB as JSON.
const MAX_BODY: usize = 16 << 20;

/// Longest time for a whole request, connecting included.
const PATIENCE: Duration = Duration::from_secs(20);

/// Longest wait that a node may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

/// A request that the node understood and did not do (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Stable code of the problem, empty if the answer was not a problem.
    pub code: String,
    /// What the node says.
    pub detail: String,
    /// What the node advises.
    pub hint: Option<String>,
    /// When to ask again, if that may help.
    pub retry_after: Option<Duration>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Nobody listens there.
    #[error("cannot connect to {url}: {source}")]
    Connect {
        /// The node.
        url: NodeUrl,
        /// What the system says.
        source: io::Error,
    },
    /// No whole answer in time.
    #[error("{url} did not answer within {} s", PATIENCE.as_secs())]
    TimedOut {
        /// The node.
        url: NodeUrl,
    },
    /// The connection broke, or something else than HTTP came.
    #[error("the connection to {url} broke: {reason}")]
    Broken {
        /// The node.
        url: NodeUrl,
        /// What the library says.
        reason: String,
    },
    /// An answer from 400 on.
    #[error("the node refused it: {} {} {}", .0.status, .0.code, .0.detail)]
    Refused(Refusal),
    /// An answer that is not what this path promises.
    #[error("the answer to {path} is not understood: {reason}")]
    Answer {
        /// The path asked.
        path: String,
        /// What does not fit.
        reason: String,
    },
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        let message = error.to_string();
        match error {
            HttpError::Connect { .. } => Self::new(ExitCode::Connect, message)
                .hint("is the node running? start it with cnode, or name another one with --url"),
            HttpError::TimedOut { .. } | HttpError::Broken { .. } => {
                Self::new(ExitCode::Connect, message)
            }
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
pub struct Connection {
    url: NodeUrl,
    open: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    /// A connection that is not open yet.
    #[must_use]
    pub fn new(url: NodeUrl) -> Self {
        Self { url, open: None }
    }

    /// Asks for a path and parses the JSON of the answer.
    ///
    /// # Errors
    /// [`HttpError`] for no answer, a refusal or another shape.
    pub async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, HttpError> {
        let bytes = self.send(&Method::GET, path, &Bytes::new()).await?;
        parse(path, &bytes)
    }

    /// Sends JSON and gives back the JSON of the answer. A broken connection is tried a
    /// second time: only for what may be said twice.
    ///
    /// # Errors
    /// [`HttpError`] for no answer or a refusal.
    pub async fn post(&mut self, path: &str, json: &Bytes) -> Result<Bytes, HttpError> {
        self.send(&Method::POST, path, json).await
    }

    async fn send(
        &mut self,
        method: &Method,
        path: &str,
        body: &Bytes,
    ) -> Result<Bytes, HttpError> {
        let url = self.url.clone();
        let work = async {
            let reused = self.open.is_some();
            match self.attempt(method, path, body).await {
                // A node closes an idle connection, perhaps while the request is on its way.
                Err(HttpError::Broken { .. }) if reused => self.attempt(method, path, body).await,
                answer => answer,
            }
        };
        let timed = tokio::time::timeout(PATIENCE, work).await;
        timed.unwrap_or(Err(HttpError::TimedOut { url }))
    }

    async fn attempt(
        &mut self,
        method: &Method,
        path: &str,
        body: &Bytes,
    ) -> Result<Bytes, HttpError> {
        // Taken out, so that whatever ends this early also ends the connection.
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.connect().await?,
        };
        let broken = |reason: String| HttpError::Broken {
            url: self.url.clone(),
            reason,
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.url.authority());
        if method == Method::POST {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(Full::new(body.clone()))
            .map_err(|error| broken(error.to_string()))?;
        open.ready()
            .await
            .map_err(|error| broken(error.to_string()))?;
        let response = open.send_request(request).await;
        let response = response.map_err(|error| broken(error.to_string()))?;
        let retry_after = retry_after(&response);
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MAX_BODY).collect().await;
        let bytes = body.map_err(|error| broken(error.to_string()))?.to_bytes();
        self.open = Some(open);
        if status >= 400 {
            return Err(HttpError::Refused(refusal(status, &bytes, retry_after)));
        }
        Ok(bytes)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, HttpError> {
        let stream = TcpStream::connect((self.url.host(), self.url.port())).await;
        let stream = stream.and_then(|stream| {
            stream.set_nodelay(true)?;
            Ok(stream)
        });
        let stream = stream.map_err(|source| HttpError::Connect {
            url: self.url.clone(),
            source,
        })?;
        let shaken = http1::handshake(TokioIo::new(stream)).await;
        let (open, driver) = shaken.map_err(|error| HttpError::Broken {
            url: self.url.clone(),
            reason: error.to_string(),
        })?;
        // It ends with the sender; what goes wrong is seen by the request on its way.
        tokio::spawn(driver);
        Ok(open)
    }
}

/// Parses the JSON that `path` answered.
pub(crate) fn parse<'a, T: Deserialize<'a>>(path: &str, bytes: &'a [u8]) -> Result<T, HttpError> {
    serde_json::from_slice(bytes).map_err(|error| HttpError::Answer {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn retry_after(response: &Response<Incoming>) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    let wait = Duration::from_secs(text.parse().ok()?);
    Some(wait.min(MAX_RETRY_AFTER))
}

/// Reads a problem; any other body, of a proxy perhaps, is shown in part.
fn refusal(status: u16, body: &[u8], retry_after: Option<Duration>) -> Refusal {
    #[derive(Deserialize)]
    struct Problem {
        code: String,
        detail: String,
        hint: Option<String>,
    }
    let (code, detail, hint) = match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => (problem.code, problem.detail, problem.hint),
        Err(_) => {
            let start: String = String::from_utf8_lossy(body).chars().take(200).collect();
            (String::new(), start, None)
        }
    };
    Refusal {
        status,
        code,
        detail,
        hint,
        retry_after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_keeps_its_code_and_advice() {
        let body = br#"{"type":"about:blank","title":"The queue is full","status":503,
            "code":"queue-full","detail":"100000 wait","hint":"wait for a block","got":"1"}"#;
        let wait = Some(Duration::from_secs(1));
        let refusal = refusal(503, body, wait);
        assert_eq!(refusal.code, "queue-full");
        assert_eq!(refusal.retry_after, wait);
        let failure = Failure::from(HttpError::Refused(refusal));
        assert_eq!(failure.code, ExitCode::Refused);
        assert_eq!(
            failure.message,
            "the node refused it: 503 queue-full 100000 wait"
        );
        assert_eq!(failure.hints, ["wait for a block"]);
    }

    #[test]
    fn what_is_no_problem_is_shown_in_part() {
        let page = "<html>\u{fffd}".to_owned() + &"x".repeat(5_000);
        let refusal = refusal(404, page.as_bytes(), None);
        assert_eq!(refusal.code, "");
        assert_eq!(refusal.detail.chars().count(), 200);
        assert_eq!(
            Failure::from(HttpError::Refused(refusal)).code,
            ExitCode::NotFound
        );
    }

    #[test]
    fn another_shape_is_not_an_answer() {
        let error = parse::<crate::BlockIds>("/v1/blocks/2", b"{\"body\": [5]}").unwrap_err();
        assert!(error.to_string().contains("/v1/blocks/2"), "{error}");
        assert_eq!(Failure::from(error).code, ExitCode::Unexpected);
    }
}
