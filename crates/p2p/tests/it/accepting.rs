//! What a caller costs before its handshake is over and while it is rejected.

use crate::{fixtures::*, log::Lines};
use ccoin_core::message::{ByeReason, Message, frame};
use ccoin_p2p::Limits;
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Resolves when the other end is closed.
async fn closed(raw: &mut Raw) {
    soon(async {
        while raw.0.write_all(&[0]).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_rejected_connection_counts_until_its_socket_is_closed() {
    let node = Node::start(0, |setup| {
        setup.limits.early = 3;
        setup.limits.closing = 10 * PATIENCE;
    })
    .await;
    let mut raws = Vec::new();
    for _ in 0..20 {
        // refused at once, but it does not close
        let mut raw = Raw::connect(node.port).await;
        raw.write(&frame(*b"XYZ", &[])).await;
        assert_eq!(raw.last_word().await, Some(ByeReason::Malformed));
        raws.push(raw);
    }
    raws.truncate(raws.len() - 3);
    for mut raw in raws {
        closed(&mut raw).await;
    }
}

#[tokio::test]
async fn an_early_connection_that_ends_for_a_newer_one_is_closed_at_once() {
    let node = Node::start(0, |setup| {
        setup.limits.early = 1;
        setup.limits.closing = 10 * PATIENCE;
        setup.limits.handshake = Duration::from_secs(3600);
    })
    .await;
    for _ in 0..5 {
        let mut old = Raw::connect(node.port).await;
        let _new = Raw::connect(node.port).await;
        assert_eq!(old.last_word().await, None);
        closed(&mut old).await;
    }
}

#[tokio::test]
async fn callers_wait_for_signatures_and_get_them() {
    let node = Node::start(0, |setup| setup.limits.signatures_a_second = 2).await;
    let start = Instant::now();
    let mut raws = Vec::new();
    for _ in 0..5 {
        let mut raw = Raw::connect(node.port).await;
        raw.say(&Message::Hey(hello(1, GENESIS))).await;
        raws.push(raw);
    }
    for mut raw in raws {
        assert!(matches!(raw.hear().await, Some(Message::Ack(_))));
    }
    // two at once, and then one every half second
    assert!(start.elapsed() >= Duration::from_millis(1500));
}

#[tokio::test]
async fn a_caller_that_gives_up_waiting_costs_no_signature() {
    let mut node = Node::start(0, |setup| {
        setup.limits.signatures_a_second = 1;
        setup.limits.early = 2;
    })
    .await;
    // at the rate this would be a minute
    for _ in 0..60 {
        let mut raw = Raw::connect(node.port).await;
        raw.say(&Message::Hey(hello(1, GENESIS))).await;
    }
    let _last = Raw::join(node.port, 2).await;
    node.meet().await;
}

#[tokio::test]
async fn callers_beyond_the_rate_wait_to_be_accepted() {
    let node = Node::start(0, |setup| setup.limits.accepts_a_second = 4).await;
    let start = Instant::now();
    for _ in 0..8 {
        let mut raw = Raw::connect(node.port).await;
        raw.write(&frame(*b"XYZ", &[])).await;
        assert_eq!(raw.last_word().await, Some(ByeReason::Malformed));
    }
    // four at once, and then one every quarter of a second
    assert!(start.elapsed() >= Duration::from_millis(900));
}

#[tokio::test]
async fn early_connections_are_bounded_and_the_oldest_ends() {
    let mut node = Node::start(0, |setup| setup.limits.early = 3).await;
    let mut raws = Vec::new();
    for _ in 0..4 {
        raws.push(Raw::connect(node.port).await);
    }
    assert_eq!(raws.remove(0).last_word().await, None);
    // a connection with a finished handshake counts no more
    for index in 2..4 {
        raws.pop().unwrap().call(hello(index, GENESIS), index).await;
        node.meet().await;
        raws.push(Raw::connect(node.port).await);
    }
    raws[0].call(hello(1, GENESIS), 1).await;
    node.meet().await;
}

#[tokio::test]
async fn ordinary_peers_leave_the_reserved_seats_to_miners() {
    let mut node = Node::start(0, |setup| {
        setup.miners = vec![address(3)];
        setup.limits = Limits {
            connections: 2,
            reserved: 1,
            ..setup.limits.clone()
        };
    })
    .await;
    let _first = Raw::join(node.port, 1).await;
    node.meet().await;
    let mut second = Raw::connect(node.port).await;
    second.say(&Message::Hey(hello(2, GENESIS))).await;
    assert_eq!(second.last_word().await, Some(ByeReason::Full));
    let _miner = Raw::join(node.port, 3).await;
    assert_eq!(node.meet().await.hello.address, address(3));
}

#[tokio::test]
async fn a_peer_off_the_allow_list_is_disconnected_and_rejected() {
    let mut node = Node::start(0, |_| {}).await;
    let mut one = Raw::join(node.port, 1).await;
    node.meet().await;
    let mut two = Raw::join(node.port, 2).await;
    node.meet().await;
    node.allow.send_replace(vec![address(2)]);
    assert_eq!(one.last_word().await, Some(ByeReason::NotAllowed));
    let mut again = Raw::connect(node.port).await;
    again.say(&Message::Hey(hello(1, GENESIS))).await;
    assert_eq!(again.last_word().await, Some(ByeReason::NotAllowed));
    two.say(&Message::AskHeights).await;
    two.hear_until(is_heights).await;
    node.allow.send_replace(Vec::new());
    let _back = Raw::join(node.port, 1).await;
    node.meet().await;
}

#[tokio::test]
async fn an_http_client_is_told_that_this_is_the_peer_port() {
    let (warnings, _guard) = Lines::capture(tracing::Level::WARN);
    let node = Node::start(0, |_| {}).await;
    for _ in 0..3 {
        let mut http = TcpStream::connect(("127.0.0.1", node.port)).await.unwrap();
        http.write_all(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        soon(http.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("listens on another port"), "{answer}");
    }
    let lines = warnings.lines();
    let text = format!("HTTP was sent to the peer port {}", node.port);
    assert!(lines.len() == 1 && lines[0].starts_with(&text), "{lines:?}");
}

/// The name of a test that runs in a process of its own, with few file descriptors.
const WITHOUT_DESCRIPTORS: &str = "accepting::without_descriptors";

#[test]
fn running_out_of_descriptors_is_logged_once_with_the_way_out() {
    let program = std::env::current_exe().unwrap();
    let child = std::process::Command::new("sh")
        .args(["-c", "ulimit -n 40; exec \"$0\" \"$@\""])
        .arg(program)
        .args(["--exact", WITHOUT_DESCRIPTORS, "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && output.contains("1 passed"),
        "{output}"
    );
}

#[tokio::test]
#[ignore = "runs with few file descriptors, started by another test"]
async fn without_descriptors() {
    let (warnings, _guard) = Lines::capture(tracing::Level::WARN);
    let node = Node::start(0, |setup| setup.limits.early = 1000).await;
    for _ in 0..3 {
        let mut raws = Vec::new();
        while let Ok(raw) = TcpStream::connect(("127.0.0.1", node.port)).await {
            raws.push(raw);
            tokio::task::yield_now().await;
        }
        until(|| !warnings.lines().is_empty()).await;
        drop(raws);
        let _raw = Raw::join(node.port, 1).await;
    }
    let lines = warnings.lines();
    assert!(
        lines.len() == 1 && lines[0].ends_with("(ulimit -n)"),
        "{lines:?}"
    );
}
