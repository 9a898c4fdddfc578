//! Places that peers tell each other, and places that are remembered.

use crate::fixtures::*;
use ccoin_core::message::{Message, PeerAddress};
use std::time::Duration;

#[tokio::test]
async fn peers_of_peers_are_found() {
    let mut hub = Node::start(0, |setup| setup.limits.share = Duration::from_millis(50)).await;
    let mut a = Node::start(1, |setup| setup.configured = vec![hub.place()]).await;
    hub.meet().await;
    a.meet().await;
    // the hub knows a's place by a's claim and a's IP address: a node that restarts at
    // another place finds the others by that
    let mut raw = Raw::join(hub.port, 3).await;
    hub.meet().await;
    let told = Message::Peers(vec![at(1, a.port)]);
    soon(raw.hear_until(|message| *message == told)).await;
    let mut b = Node::start(2, |_| {}).await;
    a.network.suggest(vec![at(2, b.port)]);
    b.meet().await;
    assert_eq!(a.meet().await.hello.address, address(2));
    // told by a raw peer, dialled, proven, and then told on
    raw.say(&Message::Peers(vec![at(2, b.port), at(0, hub.port)]))
        .await;
    assert_eq!(hub.meet().await.hello.address, address(2));
    // proven ones first
    let told = Message::Peers(vec![at(2, b.port), at(1, a.port)]);
    soon(raw.hear_until(|message| *message == told)).await;
}

#[tokio::test]
async fn a_claim_without_proof_is_not_shared() {
    let mut liar = Node::start(3, |_| {}).await;
    let node = Node::start(0, |_| {}).await;
    node.network.suggest(vec![at(1, liar.port), at(1, 1)]);
    liar.meet().await;
    let mut known = node.network.known();
    soon(known.wait_for(|known| !known.is_empty()))
        .await
        .unwrap();
    assert_eq!(*node.network.known().borrow(), [at(3, liar.port)]);
}

#[tokio::test]
async fn the_newest_of_the_remembered_peers_stay_the_newest() {
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
