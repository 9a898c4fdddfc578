//! A server with a few routes on a free port, and plain reading of its answers.

use axum::{
    Extension, Router,
    extract::Request,
    http::StatusCode,
    routing::{get, post},
};
use ccoin_http::{Endpoints, Place, Problem, ServerLimits, body, guard, serve};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

pub(crate) const LIMITS: ServerLimits = ServerLimits {
    connections_per_address: 16,
    idle: Some(Duration::from_secs(60)),
    lifetime: None,
    shutdown: Duration::from_secs(2),
};

/// Bytes of the answer at `/large`: more than all buffers of a connection.
pub(crate) const LARGE: usize = 64 << 20;

pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

impl TestServer {
    pub(crate) async fn start(limits: ServerLimits) -> Self {
        let routes = Router::new()
            .route("/", get(|| async { "ok" }))
            .route("/large", get(|| async { vec![b'x'; LARGE] }))
            .route("/sleep", get(sleep))
            .route("/away", get(away))
            .route("/length", post(length))
            .route("/refuse", post(|| async { StatusCode::FORBIDDEN }))
            .route("/ends", get(ends));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve(listener, guard(routes), limits, stop.clone()));
        Self {
            address,
            stop,
            task,
        }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A connection on which these bytes are sent.
    pub(crate) async fn send(&self, bytes: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        stream
    }
}

async fn sleep() -> &'static str {
    tokio::time::sleep(Duration::from_secs(300)).await;
    "slept"
}

async fn away(Extension(place): Extension<Place>) -> &'static str {
    let _away = place.leave();
    sleep().await
}

async fn length(request: Request) -> Result<String, Problem> {
    Ok(body::read(request, 1_000).await?.len().to_string())
}

async fn ends(request: Request) -> String {
    let ends = request.extensions().get::<Endpoints>().unwrap();
    format!("{} {}", ends.remote, ends.local)
}

pub(crate) fn get_request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}

pub(crate) fn post_request(path: &str, length: usize, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}")
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    /// In small letters.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    /// Reads one answer.
    pub(crate) async fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            let got = stream.read_buf(&mut bytes).await.unwrap();
            assert_ne!(got, 0, "closed after {:?}", String::from_utf8_lossy(&bytes));
        };
        let mut body = bytes.split_off(end + 4);
        let head = String::from_utf8(bytes).unwrap().to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        while body.len() < length {
            assert_ne!(stream.read_buf(&mut body).await.unwrap(), 0, "{head}");
        }
        assert_eq!(body.len(), length);
        Self {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head,
            body: String::from_utf8(body).unwrap(),
        }
    }

    pub(crate) fn closes(&self) -> bool {
        self.head.contains("connection: close")
    }
}

/// Reads until the server closes; a reset is an end as well.
pub(crate) async fn closed(stream: &mut TcpStream) {
    let mut bytes = Vec::new();
    while stream.read_buf(&mut bytes).await.is_ok_and(|got| got > 0) {
        bytes.clear();
    }
}
