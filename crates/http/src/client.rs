//! One HTTP/1.1 connection to a server, plain or over TLS: opened at the first request, kept
//! for further ones. Each request is bounded in time, each answer in size. It follows no
//! redirect and uses no proxy.

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    HeaderMap, Method, Request,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
    header::{CONTENT_TYPE, HOST, LOCATION, RETRY_AFTER},
};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use std::{io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use crate::tls;

/// Longest `Retry-After` that is followed.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

/// Characters of an unknown error text that are shown.
const EXCERPT: usize = 200;

/// Bounds of every request on a [`Connection`].
#[derive(Clone, Copy, Debug)]
pub struct ClientLimits {
    /// Longest time for a whole request, connecting included.
    pub timeout: Duration,
    /// Bytes of the longest answer that is read.
    pub answer_bytes: usize,
}

/// Why there is no answer. `server` is `host:port`.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages name the fields")]
pub enum RequestError {
    #[error("cannot connect to {server}: {source}")]
    Connect { server: String, source: io::Error },
    #[error("{server} did not answer within {} s", .timeout.as_secs())]
    TimedOut { server: String, timeout: Duration },
    /// The connection ended early, or the bytes are not HTTP, or too many.
    #[error("the connection to {server} broke: {reason}")]
    Broken { server: String, reason: String },
}

/// A whole answer with any status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// At most 30 s.
    pub retry_after: Option<Duration>,
    /// Where a redirect points to.
    pub location: Option<String>,
    /// At most [`ClientLimits::answer_bytes`].
    pub body: Bytes,
}

/// A request that the server understood and did not do (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Stable code of the problem, empty if the answer is not a problem.
    pub code: String,
    /// The server's words on one line; of an answer that is not a problem the start.
    pub detail: String,
    /// The server's advice.
    pub hint: Option<String>,
    /// When another attempt may succeed.
    pub retry_after: Option<Duration>,
}

impl Answer {
    /// The reason of an answer that is an error.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        #[derive(Deserialize)]
        struct Problem {
            code: String,
            detail: String,
            hint: Option<String>,
        }
        let problem = serde_json::from_slice(&self.body).unwrap_or_else(|_| Problem {
            code: String::new(),
            detail: String::from_utf8_lossy(&self.body)
                .chars()
                .take(EXCERPT)
                .collect(),
            hint: None,
        });
        Refusal {
            status: self.status,
            code: problem.code,
            detail: on_one_line(&problem.detail),
            hint: problem.hint,
            retry_after: self.retry_after,
        }
    }
}

fn on_one_line(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.collect()
}

/// A connection that opens when it is used, and again after a break.
#[derive(Debug)]
pub struct Connection {
    host: String,
    port: u16,
    tls: bool,
    limits: ClientLimits,
    open: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    /// `host` is an IP address without brackets, or a name.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16, limits: ClientLimits) -> Self {
        Self {
            host: host.into(),
            port,
            tls: false,
            limits,
            open: None,
        }
    }

    /// The same over TLS, to a server whose certificate this host trusts.
    #[must_use]
    pub fn over_tls(host: impl Into<String>, port: u16, limits: ClientLimits) -> Self {
        Self {
            tls: true,
            ..Self::new(host, port, limits)
        }
    }

    /// `host:port` as in a URL.
    #[must_use]
    pub fn server(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Asks for a path.
    ///
    /// # Errors
    /// [`RequestError`] if there is no whole answer.
    pub async fn get(&mut self, path: &str) -> Result<Answer, RequestError> {
        self.send(&Method::GET, path, &Bytes::new()).await
    }

    /// Sends JSON. When a kept connection turns out to be broken, the request is sent a
    /// second time: use it only for requests that may arrive twice.
    ///
    /// # Errors
    /// [`RequestError`] if there is no whole answer.
    pub async fn post(&mut self, path: &str, json: &Bytes) -> Result<Answer, RequestError> {
        self.send(&Method::POST, path, json).await
    }

    async fn send(
        &mut self,
        method: &Method,
        path: &str,
        body: &Bytes,
    ) -> Result<Answer, RequestError> {
        let (server, timeout) = (self.server(), self.limits.timeout);
        let work = async {
            let kept = self.open.is_some();
            match self.attempt(method, path, body).await {
                // The server closes idle connections, perhaps while the request is on its way.
                Err(RequestError::Broken { .. }) if kept => self.attempt(method, path, body).await,
                answer => answer,
            }
        };
        let timed = tokio::time::timeout(timeout, work).await;
        timed.unwrap_or(Err(RequestError::TimedOut { server, timeout }))
    }

    async fn attempt(
        &mut self,
        method: &Method,
        path: &str,
        body: &Bytes,
    ) -> Result<Answer, RequestError> {
        let server = self.server();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &server);
        if method == Method::POST {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(Full::new(body.clone()))
            .map_err(|error| self.broken(&error))?;
        // Taken out: a request that ends early ends the connection, too.
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.connect().await?,
        };
        open.ready().await.map_err(|error| self.broken(&error))?;
        let response = open.send_request(request).await;
        let response = response.map_err(|error| self.broken(&error))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, self.limits.answer_bytes).collect().await;
        let body = body.map_err(|error| self.broken(&error))?.to_bytes();
        self.open = Some(open);
        Ok(Answer {
            status: head.status.as_u16(),
            retry_after: retry_after(&head.headers),
            location: location(&head.headers),
            body,
        })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, RequestError> {
        let failed = |source| RequestError::Connect {
            server: self.server(),
            source,
        };
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await;
        let stream = stream.and_then(|stream| {
            stream.set_nodelay(true)?;
            Ok(stream)
        });
        let stream = stream.map_err(failed)?;
        if !self.tls {
            return self.shake_hands(stream).await;
        }
        let stream = tls::connect(&self.host, stream).await.map_err(failed)?;
        self.shake_hands(stream).await
    }

    async fn shake_hands(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<SendRequest<Full<Bytes>>, RequestError> {
        let shaken = http1::handshake(TokioIo::new(stream)).await;
        let (open, driver) = shaken.map_err(|error| self.broken(&error))?;
        // It ends with the sender; its errors are seen by the request on its way.
        tokio::spawn(driver);
        Ok(open)
    }

    fn broken(&self, reason: &dyn std::fmt::Display) -> RequestError {
        RequestError::Broken {
            server: self.server(),
            reason: reason.to_string(),
        }
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    let wait = Duration::from_secs(text.parse().ok()?);
    Some(wait.min(MAX_RETRY_AFTER))
}

fn location(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(LOCATION)?.to_str().ok()?;
    Some(text.chars().take(EXCERPT).collect())
}
