//! Each phase of a connection has its limit. Limits are checked to the second: time is
//! virtual, so a slow machine changes nothing.

use crate::fixtures::{LIMITS, Reply, TestServer, closed, get_request, post_request};
use ccoin_http::ServerLimits;
use std::{io::ErrorKind, time::Duration};
use tokio::{
    io::AsyncWriteExt as _,
    time::{Instant, sleep},
};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_new_connection_has_5_s_for_the_head_of_a_request() {
    let server = TestServer::start(LIMITS).await;
    for sent in ["", "GET / HTTP/1.1\r\nHost:"] {
        let mut stream = server.send(sent).await;
        let since = Instant::now();
        closed(&mut stream).await;
        assert_eq!(since.elapsed().as_secs(), 5, "{sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_in_small_pieces_does_not_buy_time() {
    let server = TestServer::start(LIMITS).await;
    let since = Instant::now();
    let mut stream = server.connect().await;
    while stream.write_all(b"G").await.is_ok() {
        assert!(since.elapsed() < 10 * SECOND);
        sleep(SECOND / 4).await;
    }
    assert!(since.elapsed() >= 5 * SECOND);
}

/// Clients that pool connections found them closed after 5 s.
#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_kept_for_60_s() {
    let server = TestServer::start(LIMITS).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream.write_all(get_request("/").as_bytes()).await.unwrap();
        assert_eq!(Reply::read(&mut stream).await.body, "ok");
        sleep(50 * SECOND).await;
    }
    let since = Instant::now();
    closed(&mut stream).await;
    assert_eq!(since.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn the_head_of_a_later_request_has_5_s_from_its_first_byte() {
    let server = TestServer::start(LIMITS).await;
    let mut stream = server.send(&get_request("/")).await;
    assert_eq!(Reply::read(&mut stream).await.body, "ok");
    sleep(30 * SECOND).await;
    stream.write_all(b"GET").await.unwrap();
    let since = Instant::now();
    closed(&mut stream).await;
    assert_eq!(since.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_body_has_10_s_and_its_end_is_a_problem() {
    let server = TestServer::start(LIMITS).await;
    let mut stream = server.send(&post_request("/length", 100, "{")).await;
    let since = Instant::now();
    for _ in 0..9 {
        sleep(SECOND).await;
        stream.write_all(b" ").await.unwrap();
    }
    let reply = Reply::read(&mut stream).await;
    assert_eq!(since.elapsed().as_secs(), 10);
    assert_eq!(reply.status, 400, "{}", reply.body);
    assert!(reply.body.contains("\"bad-json\"") && reply.closes());
    closed(&mut stream).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_closed_after_10_s() {
    let server = TestServer::start(LIMITS).await;
    let stream = server.send(&get_request("/large")).await;
    let since = Instant::now();
    loop {
        match stream.try_write(b"G") {
            Err(error) if error.kind() != ErrorKind::WouldBlock => break,
            _ => sleep(SECOND / 4).await,
        }
        assert!(since.elapsed() < 20 * SECOND, "still open");
    }
    assert!(since.elapsed() >= 10 * SECOND, "{:?}", since.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_take_its_time() {
    let server = TestServer::start(LIMITS).await;
    let mut stream = server.send(&get_request("/sleep")).await;
    let since = Instant::now();
    assert_eq!(Reply::read(&mut stream).await.body, "slept");
    assert_eq!(since.elapsed().as_secs(), 300);
    stream.write_all(get_request("/").as_bytes()).await.unwrap();
    assert_eq!(Reply::read(&mut stream).await.body, "ok");
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_a_lifetime_ends_with_it() {
    let server = TestServer::start(ServerLimits {
        lifetime: Some(15 * SECOND),
        ..LIMITS
    })
    .await;
    let mut stream = server.send(&get_request("/sleep")).await;
    let since = Instant::now();
    closed(&mut stream).await;
    assert_eq!(since.elapsed().as_secs(), 15);
}
