//! Requests on one connection, full servers, the end.

use crate::fixtures::{LIMITS, Reply, TestServer, closed, get_request, post_request};
use ccoin_http::ServerLimits;
use std::time::Duration;
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpSocket, TcpStream},
    time::{Instant, timeout},
};

/// The next request on a pooled connection failed.
#[tokio::test]
async fn an_answer_before_the_end_of_the_body_announces_the_close() {
    let server = TestServer::start(LIMITS).await;
    for (path, length, body) in [
        ("/refuse", 1_000_000, "{"),
        ("/refuse", 1_000, ""),
        ("/nothing", 9, "{"),
        // Announced as too large: nothing of it is read.
        ("/length", 1_001, "{"),
    ] {
        let mut stream = server.send(&post_request(path, length, body)).await;
        let reply = Reply::read(&mut stream).await;
        assert!(reply.status >= 400 && reply.closes(), "{}", reply.head);
        closed(&mut stream).await;
    }
}

#[tokio::test]
async fn a_connection_is_kept_when_the_body_was_read() {
    let server = TestServer::start(LIMITS).await;
    let mut stream = server.connect().await;
    let chunked = "POST /length HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
        3\r\nabc\r\n0\r\n\r\n";
    for (request, body) in [
        (post_request("/length", 3, "abc"), "3"),
        (post_request("/length", 0, ""), "0"),
        (chunked.to_owned(), "3"),
        (get_request("/"), "ok"),
    ] {
        stream.write_all(request.as_bytes()).await.unwrap();
        let reply = Reply::read(&mut stream).await;
        assert_eq!((reply.body.as_str(), reply.closes()), (body, false));
    }
    // A refusal without a body closes nothing either.
    stream
        .write_all(get_request("/nothing").as_bytes())
        .await
        .unwrap();
    let reply = Reply::read(&mut stream).await;
    assert_eq!((reply.status, reply.closes()), (404, false));
}

#[tokio::test]
async fn without_an_idle_time_a_connection_has_one_request() {
    let server = TestServer::start(ServerLimits {
        idle: None,
        ..LIMITS
    })
    .await;
    let mut stream = server.send(&get_request("/").repeat(2)).await;
    assert_eq!(Reply::read(&mut stream).await.body, "ok");
    closed(&mut stream).await;
}

#[tokio::test]
async fn a_request_knows_both_ends_of_its_connection() {
    let server = TestServer::start(LIMITS).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    stream
        .write_all(get_request("/ends").as_bytes())
        .await
        .unwrap();
    let ends = format!("{} {}", stream.local_addr().unwrap(), server.address);
    assert_eq!(Reply::read(&mut stream).await.body, ends);
}

/// Before there is a request no route can say more.
#[tokio::test]
async fn bytes_that_are_not_http_get_a_bare_status() {
    let server = TestServer::start(LIMITS).await;
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(70_000));
    for (request, status) in [
        ("rubbish\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (&long, 414),
    ] {
        let reply = Reply::read(&mut server.send(request).await).await;
        assert_eq!((reply.status, reply.body.as_str()), (status, ""));
    }
}

/// Connections with a request under way.
async fn busy(server: &TestServer, count: usize) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        streams.push(server.send(&get_request("/sleep")).await);
    }
    streams
}

#[tokio::test(start_paused = true)]
async fn at_most_256_connections_are_served_and_the_next_one_waits() {
    let server = TestServer::start(LIMITS).await;
    let mut streams = busy(&server, 256).await;
    let mut late = server.send(&get_request("/")).await;
    let answered = timeout(Duration::from_secs(100), late.readable()).await;
    assert!(answered.is_err(), "the 257th is served");
    drop(streams.pop());
    assert_eq!(Reply::read(&mut late).await.body, "ok");
}

/// Those that come back when all places are taken close.
#[tokio::test(start_paused = true)]
async fn requests_that_left_their_places_keep_nobody_out() {
    let server = TestServer::start(LIMITS).await;
    let mut away = Vec::new();
    for _ in 0..256 {
        away.push(server.send(&get_request("/away")).await);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let _busy = busy(&server, 255).await;
    for _ in 0..3 {
        let mut late = server.send(&get_request("/")).await;
        assert_eq!(Reply::read(&mut late).await.body, "ok");
    }
    let mut closing = 0;
    for stream in &mut away {
        let reply = Reply::read(stream).await;
        assert_eq!(reply.body, "slept");
        closing += usize::from(reply.closes());
    }
    assert!(closing > 0, "more connections than places");
}

#[tokio::test(start_paused = true)]
async fn the_end_closes_idle_connections_at_once_and_lets_requests_finish() {
    let server = TestServer::start(ServerLimits {
        shutdown: Duration::from_secs(400),
        ..LIMITS
    })
    .await;
    let mut idle = server.send(&get_request("/")).await;
    Reply::read(&mut idle).await;
    let mut open = server.send(&get_request("/sleep")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let since = Instant::now();
    server.stop.cancel();
    closed(&mut idle).await;
    assert_eq!(since.elapsed().as_secs(), 0);
    assert!(TcpStream::connect(server.address).await.is_err());
    assert_eq!(Reply::read(&mut open).await.body, "slept");
    server.task.await.unwrap();
    assert_eq!(since.elapsed().as_secs(), 299);
}

#[tokio::test(start_paused = true)]
async fn the_end_comes_in_time_with_all_connections_taken() {
    let server = TestServer::start(LIMITS).await;
    let streams = busy(&server, 256).await;
    let late = server.send(&get_request("/")).await;
    let waited = timeout(Duration::from_secs(1), late.readable()).await;
    assert!(waited.is_err());
    let since = Instant::now();
    server.stop.cancel();
    server.task.await.unwrap();
    assert_eq!(since.elapsed().as_secs(), 2);
    drop(streams);
}
