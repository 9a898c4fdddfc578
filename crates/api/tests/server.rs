//! The accept loop: slow peers are let go, slashes do not matter, the end is orderly.

mod fixture;

use fixture::TestNode;
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

/// Sends `text`, then says nothing more; returns what came back and after how long the
/// connection ended.
async fn dribble(address: std::net::SocketAddr, text: &str) -> (String, Duration) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let started = Instant::now();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A reset ends a connection as well.
    let _ = stream.read_to_end(&mut answer).await;
    (
        String::from_utf8_lossy(&answer).into_owned(),
        started.elapsed(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_headers_and_bodies_are_let_go() {
    let node = TestNode::start(1);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let server = tokio::spawn(ccoin_api::serve(
        listener,
        node.router.clone(),
        stop.clone(),
    ));
    let head = "POST /v1/txns HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    let slow_body = format!("{head}Connection: close\r\nContent-Length: 1000\r\n\r\n{{");
    let count = format!(
        "GET /{}/blk/cnt/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        node.address
    );
    let large = format!("{head}Content-Length: 4194305\r\nConnection: close\r\n\r\n");
    let (headers, body, count, large) = tokio::join!(
        dribble(address, head),
        dribble(address, &slow_body),
        dribble(address, &count),
        dribble(address, &large),
    );
    assert!(
        headers.1 < Duration::from_secs(7),
        "slow headers: {:?}",
        headers.1
    );
    assert!(body.1 < Duration::from_secs(13), "slow body: {:?}", body.1);
    assert!(
        body.0.starts_with("HTTP/1.1 400") && body.0.contains("bad-json"),
        "{}",
        body.0
    );
    assert!(
        count.0.starts_with("HTTP/1.1 200") && count.0.ends_with("\r\n\r\n1"),
        "{}",
        count.0
    );
    assert!(
        large.0.starts_with("HTTP/1.1 413") && large.0.contains("body-too-large"),
        "{}",
        large.0
    );
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), server)
        .await
        .unwrap()
        .unwrap();
    assert!(
        TcpStream::connect(address).await.is_err(),
        "nobody listens any more"
    );
}
