//! The client: against our own server, and against servers that do harm.

use crate::fixtures::{LARGE, LIMITS, TestServer};
use ccoin_http::{ClientLimits, Connection, RequestError, ServerLimits};
use hyper::body::Bytes;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::Instant,
};

const CLIENT: ClientLimits = ClientLimits {
    timeout: Duration::from_secs(20),
    answer_bytes: 1_000,
};

fn client(server: &TestServer) -> Connection {
    Connection::new("127.0.0.1", server.address.port(), CLIENT)
}

/// A client of a server that answers once with these bytes, and closes.
async fn answering(bytes: String) -> Connection {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1_024]).await;
        let _ = stream.write_all(bytes.as_bytes()).await;
    });
    Connection::new("127.0.0.1", port, CLIENT)
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let server = TestServer::start(LIMITS).await;
    let mut client = client(&server);
    let first = client.get("/ends").await.unwrap();
    assert_eq!(client.get("/ends").await.unwrap().body, first.body);
    let posted = client.post("/length", &Bytes::from("abc")).await.unwrap();
    assert_eq!((posted.status, &posted.body[..]), (200, &b"3"[..]));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_the_server_closed_is_opened_again() {
    let server = TestServer::start(LIMITS).await;
    let mut client = client(&server);
    let first = client.get("/ends").await.unwrap();
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_ne!(client.get("/ends").await.unwrap().body, first.body);
    let server = TestServer::start(ServerLimits {
        idle: None,
        ..LIMITS
    })
    .await;
    let mut client = Connection::new("127.0.0.1", server.address.port(), CLIENT);
    for _ in 0..3 {
        assert_eq!(client.get("/").await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn a_refusal_keeps_the_servers_words() {
    let body = "{\"type\":\"about:blank\",\"title\":\"The queue is full\",\"status\":503,\
        \"code\":\"queue-full\",\"detail\":\"100000\\nwait\",\"hint\":\"wait for a block\"}";
    for (seconds, followed) in [(1, 1), (1_000_000, 30)] {
        let head = format!("HTTP/1.1 503 Busy\r\nRetry-After: {seconds}\r\n");
        let length = body.len();
        let answer = format!("{head}Content-Length: {length}\r\n\r\n{body}");
        let answer = answering(answer).await.get("/").await.unwrap();
        let refusal = answer.refusal();
        assert_eq!((refusal.status, refusal.code.as_str()), (503, "queue-full"));
        assert_eq!(refusal.detail, "100000 wait");
        assert_eq!(refusal.hint.as_deref(), Some("wait for a block"));
        assert_eq!(refusal.retry_after, Some(Duration::from_secs(followed)));
    }
}

#[tokio::test]
async fn an_error_page_is_shown_in_part_on_one_line() {
    let page = format!("HTTP/1.1 502 Bad\r\n\r\n<p>\r\n{}", "é".repeat(400));
    let answer = answering(page).await.get("/").await.unwrap();
    let refusal = answer.refusal();
    assert_eq!(refusal.code, "");
    assert_eq!(refusal.detail.chars().count(), 200);
    assert!(refusal.detail.starts_with("<p>  é"), "{}", refusal.detail);
}

#[tokio::test]
async fn an_answer_is_bounded() {
    let server = TestServer::start(LIMITS).await;
    const { assert!(LARGE > CLIENT.answer_bytes) };
    let error = client(&server).get("/large").await.unwrap_err();
    assert!(matches!(error, RequestError::Broken { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_request_is_bounded_in_time() {
    let server = TestServer::start(LIMITS).await;
    let since = Instant::now();
    let error = client(&server).get("/sleep").await.unwrap_err();
    assert!(matches!(error, RequestError::TimedOut { .. }), "{error}");
    assert_eq!(since.elapsed().as_secs(), 20);
}

#[tokio::test]
async fn nonsense_and_silence_are_a_broken_connection() {
    for nonsense in [
        "",
        "SSH-2.0\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[]",
    ] {
        let error = answering(nonsense.to_owned()).await.get("/").await;
        assert!(
            matches!(error, Err(RequestError::Broken { .. })),
            "{nonsense:?}"
        );
    }
    // A host that no header can hold must not panic either.
    let error = Connection::new("a\r\nb", 1, CLIENT).get("/").await;
    assert!(matches!(error, Err(RequestError::Broken { .. })));
}

#[tokio::test]
async fn a_closed_port_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = Connection::new("127.0.0.1", port, CLIENT).get("/").await;
    let error = error.unwrap_err();
    assert!(matches!(error, RequestError::Connect { .. }));
    let named = format!("cannot connect to 127.0.0.1:{port}: ");
    assert!(error.to_string().starts_with(&named), "{error}");
    assert_eq!(Connection::new("::1", 7, CLIENT).server(), "[::1]:7");
}
