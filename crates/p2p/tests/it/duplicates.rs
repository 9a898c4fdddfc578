//! Two connections of one address.

use crate::{fixtures::*, log::Warnings};
use ccoin_core::message::{Bye, ByeReason, Message};

/// The node has key 1; the other one a smaller or a greater address.
async fn crossing(other: usize, node_dials_first: bool) {
    let (listener, place) = raw_listener().await;
    let mut node = Node::start(1, |_| {}).await;
    let told = ccoin_core::message::PeerAddress {
        address: address(other),
        host: "127.0.0.1".into(),
        port: place.rsplit(':').next().unwrap().parse().unwrap(),
    };
    let mut dialled_by_raw = Raw::connect(node.port).await;
    node.network.suggest(vec![told]);
    let mut dialled_by_node = Raw(soon(listener.accept()).await.unwrap().0);
    let answer = async |raw: &mut Raw| raw.answer(hello(other, GENESIS), other).await;
    if node_dials_first {
        assert!(matches!(
            answer(&mut dialled_by_node).await,
            Some(Message::Oky(_))
        ));
        assert!(node.meet().await.outgoing);
        dialled_by_raw.call(hello(other, GENESIS), other).await;
    } else {
        dialled_by_raw.call(hello(other, GENESIS), other).await;
        assert!(!node.meet().await.outgoing);
        answer(&mut dialled_by_node).await;
    }
    let (mut loser, mut winner) = match address(1) < address(other) {
        true => (dialled_by_raw, dialled_by_node),
        false => (dialled_by_node, dialled_by_raw),
    };
    // the node has taken its word back, or says it now
    let last = loser.last_word().await;
    assert!(
        matches!(last, Some(ByeReason::Duplicate) | None),
        "{last:?}"
    );
    winner.say(&Message::AskHeights).await;
    winner.hear_until(is_heights).await;
    assert_eq!(node.network.peers().len(), 1);
}

#[tokio::test]
async fn one_of_two_crossing_connections_survives_in_any_order() {
    for other in [0, 2] {
        for node_dials_first in [true, false] {
            crossing(other, node_dials_first).await;
        }
    }
}

#[tokio::test]
async fn two_nodes_that_dial_each_other_keep_one_connection() {
    for _ in 0..5 {
        // the port is never free: no other process can take it
        let (listener, place) = raw_listener().await;
        let a = Node::start(0, |setup| setup.configured = vec![place]).await;
        let b = Node::start(1, |setup| {
            setup.configured = vec![a.place()];
            setup.listener = Some(listener);
        })
        .await;
        let sides = || (a.network.peers(), b.network.peers());
        until(|| {
            let (a, b) = sides();
            matches!((&a[..], &b[..]), ([a], [b]) if a.outgoing != b.outgoing
                && a.clock_offset_ms.is_some() && b.clock_offset_ms.is_some())
        })
        .await;
        a.network.stop().await;
        b.network.stop().await;
    }
}

#[tokio::test]
async fn a_newer_connection_of_the_same_dialler_replaces_the_older() {
    let mut node = Node::start(0, |_| {}).await;
    let mut old = Raw::join(node.port, 1).await;
    let mut frames = node.connection().await.frames;
    let _new = Raw::join(node.port, 1).await;
    let new = node.connection().await;
    assert_eq!(old.last_word().await, Some(ByeReason::Duplicate));
    assert_eq!(soon(frames.recv()).await, None);
    assert_eq!(node.network.peers()[0].id, new.id);
    node.count(1).await;
}

/// Joins with key 1 as a process that listens on this port.
async fn join(node: &mut Node, listen_port: u16) -> Raw {
    let mut raw = Raw::connect(node.port).await;
    let mut mine = hello(1, GENESIS);
    mine.listen_port = listen_port;
    raw.call(mine, 1).await;
    node.meet().await;
    raw
}

async fn bye(raw: &mut Raw) -> Bye {
    let bye = raw.hear_until(|message| matches!(message, Message::Bye(_)));
    match bye.await {
        Message::Bye(bye) => bye,
        _ => unreachable!(),
    }
}

#[tokio::test]
async fn a_second_process_with_the_same_key_is_logged_once() {
    let (warnings, _guard) = Warnings::capture();
    let told = || warnings.lines();
    let mut node = Node::start(0, |setup| setup.limits.dials = 0).await;
    let mut first = join(&mut node, 4001).await;
    // the same process calls again: its old connection may hang
    let mut second = join(&mut node, 4001).await;
    assert_eq!(bye(&mut first).await.reason(), ByeReason::Duplicate);
    assert_eq!(told(), [""; 0]);
    let third = join(&mut node, 4002).await;
    let (from, old) = (
        third.0.local_addr().unwrap(),
        second.0.local_addr().unwrap(),
    );
    let replaced = format!("replaced by the connection of {} from {from}", address(1));
    assert_eq!(bye(&mut second).await.text(), replaced);
    let connected = format!("{} is connected already from {old}, for ", address(1));
    let lines = told();
    assert!(
        lines.len() == 1 && lines[0].starts_with(&connected),
        "{lines:?}"
    );
    assert!(lines[0].contains(&format!("and now from {from} as well")));
    let _fourth = join(&mut node, 4001).await;
    assert_eq!(told().len(), 1);
}

#[tokio::test]
async fn a_crossing_connection_is_not_logged_and_hears_the_reason() {
    let (warnings, _guard) = Warnings::capture();
    let (listener, place) = raw_listener().await;
    let mut node = Node::start(0, |setup| setup.configured = vec![place.clone()]).await;
    let mut dialled = Raw(soon(listener.accept()).await.unwrap().0);
    dialled.answer(hello(1, GENESIS), 1).await;
    node.meet().await;
    let mut crossing = Raw::connect(node.port).await;
    crossing.call(hello(1, GENESIS), 1).await;
    let bye = bye(&mut crossing).await;
    assert_eq!(bye.reason(), ByeReason::Duplicate);
    let connected = format!("{} is connected already from {place}, for ", address(1));
    assert!(bye.text().starts_with(&connected), "{}", bye.text());
    assert_eq!(warnings.lines(), [""; 0]);
}
