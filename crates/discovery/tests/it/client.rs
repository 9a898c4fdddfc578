//! A node's side: against the service, and against hostile servers.

use crate::fixtures::{GENESIS, Running, add, remove};
use ccoin_discovery::{ClientError, DiscoveryClient, Member};
use ccoin_http::RequestError;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// A server that answers anything with these bytes, once, and closes.
async fn answering(bytes: Vec<u8>) -> DiscoveryClient {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1_024];
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(&bytes).await;
    });
    DiscoveryClient::new("127.0.0.1", port)
}

async fn listing(body: &str) -> Result<Vec<Member>, ClientError> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let client = answering((head + body).into_bytes()).await;
    client.get_all(None, None, &[]).await
}

fn member(number: usize) -> Value {
    json!({"id": format!("{number:040x}"), "ip": "10.0.0.1", "port": 4001})
}

#[tokio::test]
async fn a_node_is_listed_found_and_removed() {
    let service = Running::start().await;
    let client = service.client();
    let record = add(0, "10.0.0.1", 0);
    client.add(&record).await.unwrap();
    let found = client.get_all(Some(7), Some(GENESIS), &[]).await.unwrap();
    let expected = Member {
        id: record.id,
        ip: "10.0.0.1".parse().unwrap(),
        port: 4001,
    };
    assert_eq!(found, [expected]);
    assert_eq!(client.get_all(Some(8), None, &[]).await.unwrap(), []);
    let other = ccoin_core::BlockId::new([1; 32]);
    assert_eq!(client.get_all(None, Some(other), &[]).await.unwrap(), []);
    let refused = client.add(&record).await.unwrap_err();
    let said = refused.to_string();
    assert!(matches!(refused, ClientError::Refused { status: 409, .. }));
    assert!(said.contains(" 409 time ") && !said.contains('{'), "{said}");
    client.remove(&remove(0, 1)).await.unwrap();
    assert_eq!(client.get_all(None, None, &[]).await.unwrap(), []);
}

#[tokio::test]
async fn entries_that_are_not_nodes_are_left_out() {
    let good = member(1);
    let mut list = vec![json!(5), json!(null), json!([]), json!({}), good.clone()];
    for (field, value) in [
        ("id", json!("5")),
        ("ip", json!("<b>")),
        ("ip", json!("0.0.0.0")),
        ("ip", json!("")),
        ("port", json!(0)),
        ("port", json!(70_000)),
        ("port", json!("4001")),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        list.push(bad);
    }
    list.push(member(2));
    let found = listing(&json!(list).to_string()).await.unwrap();
    assert_eq!(json!(found), json!([good, member(2)]));
}

#[tokio::test]
async fn an_answer_has_at_most_1000_nodes_and_1_mib() {
    let many: Vec<_> = (0..5_000).map(member).collect();
    let found = listing(&json!(many).to_string()).await.unwrap();
    assert_eq!(json!(found), json!(many[..1_000]));
    // As large as is read, and a byte more.
    let blank = " ".repeat((1 << 20) - 2);
    assert_eq!(listing(&format!("[{blank}]")).await.unwrap(), []);
    let error = listing(&format!("[{blank} ]")).await.unwrap_err();
    assert!(
        matches!(error, ClientError::Request(RequestError::Broken { .. })),
        "{error}"
    );
}

#[tokio::test]
async fn another_answer_is_an_error_on_one_line() {
    for body in ["", "{}", "true", "[", "[] []", "[5", &"[".repeat(100_000)] {
        let error = listing(body).await.unwrap_err();
        assert!(matches!(error, ClientError::Answer { .. }), "{error}");
    }
    let said = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfalse";
    let error = answering(said.into()).await.add(&add(0, "", 0)).await;
    assert!(matches!(error, Err(ClientError::Answer { .. })));
    let long = format!("HTTP/1.1 502 Bad\r\n\r\n<p>\r\n{}", "é".repeat(9_000));
    let error = answering(long.into()).await.get_all(None, None, &[]).await;
    let said = error.unwrap_err().to_string();
    assert!(
        said.contains(" 502 <p>") && said.chars().count() < 300,
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
}

/// Time is virtual here: it passes as soon as every task waits.
#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_is_left_after_5_s() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let since = tokio::time::Instant::now();
    let error = DiscoveryClient::new("127.0.0.1", port)
        .get_all(None, None, &[])
        .await;
    let said = error.unwrap_err().to_string();
    assert_eq!(said, format!("127.0.0.1:{port} did not answer within 5 s"));
    assert_eq!(since.elapsed().as_secs(), 5);
}
