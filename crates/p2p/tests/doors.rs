//! What a stranger may cost before its handshake is over, and after its end.

mod fixtures;

use ccoin_core::message::{ByeReason, Message, frame};
use fixtures::*;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

/// Resolves when nobody reads the other end any more.
async fn closed(raw: &mut Raw) {
    soon(async {
        while raw.0.write_all(&[0]).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_is_refused_counts_until_its_socket_is_closed() {
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
async fn an_early_connection_hears_that_the_node_stops() {
    let node = Node::start(0, |_| {}).await;
    let mut raw = Raw::connect(node.port).await;
    raw.say(&Message::Hey(hello(1, GENESIS))).await;
    assert!(matches!(raw.hear().await, Some(Message::Ack(_))));
    let stops = tokio::spawn(async move { node.network.stop().await });
    assert_eq!(raw.last_word().await, Some(ByeReason::Stopping));
    drop(raw);
    stops.await.unwrap();
}

#[tokio::test]
async fn strangers_wait_for_signatures_and_get_them() {
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
async fn whoever_gives_up_waiting_costs_no_signature() {
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
async fn callers_beyond_the_rate_wait_to_be_heard() {
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
