//! The API through real sockets: slashes, reuse, bodies, the end. Limits of time and of
//! connections are tested in the crate `http`.

use crate::fixtures::{
    DEADLINE, QUEUEING, Signed, TestNode, numbered,
    sockets::{Server, answer, closed},
};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};

const POST: &str =
    "POST /v1/txns HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_trailing_slash_is_optional_everywhere() {
    let node = TestNode::start(&QUEUEING);
    let server = Server::start(&node).await;
    let own = node.own("");
    let txn = Signed::new(node.handle().genesis().id, 1, 1);
    assert_eq!(node.post("/v1/txns", txn.to_string()).await.status, 202);
    for path in node.readable_paths(&txn) {
        let bare = server.get(&path).await;
        let slash = server.get(&format!("{path}/")).await;
        if path == "/v1/status" {
            bare.ok();
            slash.ok();
        } else {
            assert_eq!(slash.ok(), bare.ok(), "{path}");
        }
        assert_eq!(slash.header("content-type"), "application/json");
    }
    let count = server.get(&format!("{own}/blk/cnt/")).await;
    assert_eq!(
        (count.body.as_str(), count.header("content-type")),
        ("1", "application/json")
    );
    assert_eq!(
        server.get("/v1/blocks/?limit=1").await.ok(),
        server.get("/v1/blocks?limit=1").await.ok()
    );
    let body = format!(r#"{{"sendto_address": "{}", "amount": 1}}"#, numbered(1));
    for (number, path) in [(1, "/txn"), (2, "/txn/")] {
        let request = format!(
            "POST {own}{path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            server.address,
            node.token,
            body.len(),
        );
        assert_eq!(server.ask(&request).await.ok()["number"], number);
    }
    server.get("/nothing/").await.is(404, "not-found");
    server.get("/explorer").await.is(404, "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_serves_many_requests() {
    let node = TestNode::start(&QUEUEING);
    let server = Server::start(&node).await;
    let mut stream = server.connect().await;
    let path = node.own("/blk/cnt/");
    for _ in 0..20 {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream
            .write_all(request.as_bytes())
            .await
            .expect("it reads");
        assert_eq!(answer(&mut stream).await.body, "1");
    }
    let bad = format!("{POST}Content-Length: 2\r\n\r\n{{}}");
    stream.write_all(bad.as_bytes()).await.expect("it reads");
    answer(&mut stream).await.is(400, "bad-field");
    let last = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(last.as_bytes()).await.expect("it reads");
    assert_eq!(answer(&mut stream).await.body, "1");
    assert!(closed(&mut stream).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_beyond_the_limit_or_cut_short_is_a_problem() {
    let node = TestNode::start(&QUEUEING);
    let server = Server::start(&node).await;
    // Announced: refused before it comes.
    let announced = format!("{POST}Content-Length: {}\r\n\r\n", (4 << 20) + 1);
    server.ask(&announced).await.is(413, "body-too-large");
    let huge = format!("{POST}Content-Length: 1073741824\r\n\r\n");
    server.ask(&huge).await.is(413, "body-too-large");
    // In chunks: refused at the first byte too many.
    for (limit, path) in [
        (4 << 20, "/v1/txns".to_owned()),
        (1 << 20, node.own(&format!("/txn/{}", "0".repeat(64)))),
    ] {
        for (bytes, status) in [(limit, 400), (limit + 1, 413)] {
            let head = POST.replace("/v1/txns", &path);
            let mut stream = server.connect().await;
            let body = format!(
                "{head}Transfer-Encoding: chunked\r\n\r\n{bytes:x}\r\n{}",
                " ".repeat(bytes)
            );
            stream.write_all(body.as_bytes()).await.expect("it reads");
            // It may be closed already.
            let _ = stream.write_all(b"\r\n0\r\n\r\n").await;
            assert_eq!(
                answer(&mut stream).await.status,
                status,
                "{bytes} bytes to {path}"
            );
        }
    }
    let broken = format!("{POST}Transfer-Encoding: chunked\r\n\r\nxyz\r\n");
    server.ask(&broken).await.is(400, "bad-json");
    assert_eq!(node.get("/v1/queue").await.ok()["txns"], 0);
}

/// A client that pools connections must not use this one for its next request.
#[tokio::test(flavor = "multi_thread")]
async fn a_payment_refused_before_its_body_came_announces_the_close() {
    let node = TestNode::start(&QUEUEING);
    let server = Server::start(&node).await;
    let mut stream = server.connect().await;
    let head = format!("POST {} HTTP/1.1\r\nHost: localhost\r\n", node.own("/txn"));
    let request = format!("{head}Content-Length: 100000\r\n\r\n{{");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it reads");
    let refused = answer(&mut stream).await;
    refused.is(401, "token-required");
    assert_eq!(refused.header("connection"), "close");
    closed(&mut stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_server_closes_idle_connections() {
    let node = TestNode::start(&QUEUEING);
    let server = Server::start(&node).await;
    let mut idle = server.connect().await;
    server.get("/healthz").await.ok();
    server.stop.cancel();
    closed(&mut idle).await;
    timeout(DEADLINE, server.task)
        .await
        .expect("it ends")
        .expect("no panic");
    let refused = TcpStream::connect(server.address).await;
    assert!(refused.is_err(), "the port is still open");
}
