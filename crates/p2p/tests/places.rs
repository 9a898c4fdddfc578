//! Whom a node dials, in what order, and that it never gives up whom it must not.

mod fixtures;

use ccoin_core::message::{ByeReason, PeerAddress, frame};
use fixtures::*;
use std::time::Duration;

#[tokio::test]
async fn a_configured_peer_is_dialled_again_when_its_ban_is_over() {
    let (listener, place) = raw_listener().await;
    let mut node = Node::start(0, |setup| {
        setup.configured = vec![place];
        setup.limits.ban = Duration::from_secs(1);
        // whoever waits for the longest pause fails
        setup.limits.longest_pause = 10 * PATIENCE;
    })
    .await;
    let mut raw = Raw(soon(listener.accept()).await.unwrap().0);
    raw.answer(hello(1, GENESIS), 1).await;
    node.meet().await;
    raw.write(&frame(*b"PNG", &[0xc1])).await;
    assert_eq!(raw.last_word().await, Some(ByeReason::Malformed));
    let mut raw = Raw(soon(listener.accept()).await.unwrap().0);
    raw.answer(hello(1, GENESIS), 1).await;
    node.meet().await;
}

#[tokio::test]
async fn a_dial_that_succeeds_makes_room_for_the_next() {
    let (one, first) = raw_listener().await;
    let (two, second) = raw_listener().await;
    let mut node = Node::start(0, |setup| {
        setup.configured = vec![first, second];
        setup.limits.dials = 1;
        setup.limits.longest_pause = 10 * PATIENCE;
    })
    .await;
    let mut raws = Vec::new();
    for index in 1..3 {
        let (stream, _) = tokio::select! {
            accepted = soon(one.accept()) => accepted.unwrap(),
            accepted = soon(two.accept()) => accepted.unwrap(),
        };
        let mut raw = Raw(stream);
        raw.answer(hello(index, GENESIS), index).await;
        node.meet().await;
        raws.push(raw);
    }
}

#[tokio::test]
async fn the_freshest_of_the_remembered_peers_stays_the_freshest() {
    let mut remembered: Vec<PeerAddress> = (1..4)
        .map(|index| PeerAddress {
            address: address(index),
            host: "127.0.0.1".into(),
            port: index as u16,
        })
        .collect();
    let start = |remembered: &Vec<PeerAddress>| {
        let remembered = remembered.clone();
        Node::start(0, |setup| {
            setup.remembered = remembered;
            setup.limits.dials = 0;
        })
    };
    let node = start(&remembered).await;
    assert_eq!(*node.network.known().borrow(), remembered);
    // of too many the freshest ones are kept
    for port in 1000..1200 {
        let host = "127.0.0.1".into();
        let address = ccoin_core::Address::new([port as u8; 20]);
        remembered.push(PeerAddress {
            address,
            host,
            port,
        });
    }
    let node = start(&remembered).await;
    assert_eq!(*node.network.known().borrow(), remembered[..100]);
}
