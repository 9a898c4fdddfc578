//! Silent peers, quiet peers, and the end of a node.

use crate::fixtures::*;
use ccoin_core::message::{ByeReason, Message, frame};
use std::time::Instant;

#[tokio::test]
async fn silence_ends_a_connection_before_and_after_the_handshake() {
    let node = Node::start(0, |setup| setup.limits.handshake = SHORT).await;
    let start = Instant::now();
    let mut silent = Raw::connect(node.port).await;
    assert_eq!(silent.last_word().await, Some(ByeReason::Silent));
    assert!(start.elapsed() >= SHORT);
    let mut half = Raw::connect(node.port).await;
    half.write(&Message::Hey(hello(1, GENESIS)).frame()[..99])
        .await;
    assert_eq!(half.last_word().await, Some(ByeReason::Silent));
    let mut node = Node::start(0, |setup| setup.limits.silence = SHORT).await;
    let start = Instant::now();
    let mut raw = Raw::join(node.port, 1).await;
    node.meet().await;
    assert_eq!(raw.last_word().await, Some(ByeReason::Silent));
    assert!(start.elapsed() >= SHORT);
}

#[tokio::test]
async fn a_frame_that_keeps_arriving_is_never_silent() {
    let silence = 3 * SHORT;
    let mut node = Node::start(0, |setup| {
        setup.limits.silence = silence;
        setup.limits.pong = silence / 2;
    })
    .await;
    let mut raw = Raw::join(node.port, 1).await;
    let mut connection = node.connection().await;
    let (start, mut ticks) = (Instant::now(), tokio::time::interval(SHORT / 5));
    for piece in frame(*b"TXN", &[7; 2000]).chunks(90) {
        ticks.tick().await;
        raw.write(piece).await;
    }
    let frame = soon(connection.frames.recv()).await.unwrap();
    assert_eq!(frame.body.len(), 2000);
    assert!(start.elapsed() > silence);
}

#[tokio::test]
async fn quiet_peers_keep_each_other_alive_by_pings() {
    let limits = |setup: &mut ccoin_p2p::NetworkSetup| {
        setup.limits.ping = SHORT / 20;
        setup.limits.silence = 20 * SHORT;
    };
    let mut a = Node::start(0, limits).await;
    let mut b = Node::start(1, |setup| {
        limits(setup);
        setup.configured = vec![a.place()];
    })
    .await;
    let (at_a, at_b) = (a.meet().await.id, b.meet().await.id);
    let pings = |node: &Node, id| {
        let peers = node.network.peers();
        assert_eq!(peers[0].id, id);
        peers[0].messages_in
    };
    until(|| pings(&a, at_a) > 20 && pings(&b, at_b) > 20).await;
}

#[tokio::test]
async fn stopping_says_goodbye_and_waits_for_no_peer() {
    let mut node = Node::start(0, |setup| setup.limits.handshake = 10 * PATIENCE).await;
    let mut raws = Vec::new();
    for index in 1..4 {
        raws.push(Raw::join(node.port, index).await);
        node.meet().await;
    }
    // none of them reads, and one has not even begun
    let mut early = Raw::connect(node.port).await;
    soon(node.network.stop()).await;
    for mut raw in raws {
        assert_eq!(raw.last_word().await, Some(ByeReason::Stopping));
    }
    // it may not even have been accepted; but it does not stay
    let last = early.last_word().await;
    assert!(matches!(last, None | Some(ByeReason::Stopping)), "{last:?}");
    assert_eq!(node.network.peers(), []);
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
