//! Finding peers and finding them again; who may stay; stopping.

mod fixtures;

use ccoin_core::message::{Bye, ByeReason, Message, PeerAddress};
use fixtures::*;
use std::time::{Duration, Instant};
use tokio::{net::TcpListener, time::timeout};

fn at(index: usize, port: u16) -> PeerAddress {
    PeerAddress {
        address: address(index),
        host: "127.0.0.1".into(),
        port,
    }
}

#[tokio::test]
async fn a_peer_that_restarts_is_found_again_also_by_memory() {
    let mut first = Node::start(0, |_| {}).await;
    let port = first.port;
    // What the first tells of the other is not followed.
    let mut configured = Node::start(1, |setup| {
        setup.configured = vec![first.place()];
        setup.limits.wanted = 0;
    })
    .await;
    let mut remembers = Node::start(2, |setup| {
        setup.remembered = vec![at(0, port)];
        setup.limits.wanted = 0;
    })
    .await;
    for _ in 0..2 {
        first.meet().await;
        first.meet().await;
        assert_eq!(configured.meet().await.hello.address, address(0));
        assert_eq!(remembers.meet().await.hello.address, address(0));
        first.network.stop().await;
        configured.count(0).await;
        remembers.count(0).await;
        first = Node::start_at(0, port, |_| {}).await;
    }
}

#[tokio::test]
async fn peers_of_peers_are_found() {
    let mut hub = Node::start(0, |setup| setup.limits.share = Duration::from_millis(50)).await;
    let mut a = Node::start(1, |setup| setup.configured = vec![hub.place()]).await;
    hub.meet().await;
    a.meet().await;
    // the hub knows a's place by a's own word and a's IP: who restarts elsewhere while
    // everybody calls and nobody is called finds the others by that
    let mut raw = Raw::join(hub.port, 3).await;
    hub.meet().await;
    let peers = |message: &Message| matches!(message, Message::Peers(_));
    let told = raw.hear_until(peers).await;
    assert_eq!(told, Message::Peers(vec![at(1, a.port)]));
    let mut b = Node::start(2, |_| {}).await;
    a.network.suggest(vec![at(2, b.port)]);
    b.meet().await;
    assert_eq!(a.meet().await.hello.address, address(2));
    // told by a raw peer, dialled, proven, and then told on
    raw.say(&Message::Peers(vec![at(2, b.port), at(0, hub.port)]))
        .await;
    assert_eq!(hub.meet().await.hello.address, address(2));
    let told = raw.hear_until(peers).await;
    assert_eq!(
        told,
        Message::Peers(vec![at(2, b.port), at(1, a.port)]),
        "proven ones first"
    );
}

#[tokio::test]
async fn a_hint_is_not_believed() {
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
async fn who_is_off_the_allow_list_goes_and_stays_out() {
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
    two.hear_until(|message| matches!(message, Message::Heights(_)))
        .await;
    node.allow.send_replace(Vec::new());
    let _back = Raw::join(node.port, 1).await;
    node.meet().await;
}

#[tokio::test]
async fn heights_are_remembered_and_handed_on() {
    let mut node = Node::start(0, |_| {}).await;
    let mut raw = Raw::join(node.port, 1).await;
    let mut connection = node.connection().await;
    let heights = ccoin_core::message::Heights {
        height: ccoin_core::Height::new(9).unwrap(),
        final_number: ccoin_core::Height::new(8).unwrap(),
    };
    raw.say(&Message::Heights(heights)).await;
    assert_eq!(
        soon(connection.frames.recv()).await.unwrap().header,
        *b"BLH"
    );
    assert_eq!(node.network.peers()[0].heights, heights);
    // dropping the frames ends it
    drop(connection);
    assert_eq!(raw.last_word().await, Some(ByeReason::Stopping));
}

#[tokio::test]
async fn stopping_says_goodbye_to_all_and_waits_for_nobody() {
    let mut node = Node::start(0, |_| {}).await;
    let mut raws = Vec::new();
    for index in 1..4 {
        raws.push(Raw::join(node.port, index).await);
        node.meet().await;
    }
    // none of them reads, and one has not even begun
    let mut early = Raw::connect(node.port).await;
    let start = Instant::now();
    node.network.stop().await;
    // a second by the rule; whoever waits for the handshake takes 10 s
    assert!(start.elapsed() < Duration::from_secs(5));
    for mut raw in raws {
        assert_eq!(raw.last_word().await, Some(ByeReason::Stopping));
    }
    // it may not even have been accepted; but it does not stay
    let last = early.last_word().await;
    assert!(matches!(last, None | Some(ByeReason::Stopping)), "{last:?}");
    assert_eq!(node.network.peers(), []);
}

/// Lets a node dial so often that it has had time to dial elsewhere as well.
async fn refuse_four_times(listener: &TcpListener) {
    for _ in 0..4 {
        let mut raw = Raw(soon(listener.accept()).await.unwrap().0);
        raw.hear().await;
        raw.say(&Message::Bye(Bye::new(ByeReason::Full, ""))).await;
    }
}

async fn nobody_dials(listener: &TcpListener) {
    assert!(timeout(Duration::ZERO, listener.accept()).await.is_err());
}

#[tokio::test]
async fn a_place_that_is_ourselves_is_not_dialled_again() {
    let (own, own_place) = raw_listener().await;
    let (other, other_place) = raw_listener().await;
    let _node = Node::start(0, |setup| setup.configured = vec![own_place, other_place]).await;
    let mut raw = Raw(soon(own.accept()).await.unwrap().0);
    assert!(matches!(raw.hear().await, Some(Message::Hey(_))));
    let bye = Bye::new(ByeReason::OwnAddress, "");
    raw.say(&Message::Bye(bye)).await;
    refuse_four_times(&other).await;
    nobody_dials(&own).await;
}

#[tokio::test]
async fn who_is_not_allowed_is_not_dialled() {
    let (banned, _) = raw_listener().await;
    let (other, place) = raw_listener().await;
    let node = Node::start(0, |setup| setup.configured = vec![place]).await;
    node.allow.send_replace(vec![address(2)]);
    let port = banned.local_addr().unwrap().port();
    node.network.suggest(vec![at(1, port)]);
    refuse_four_times(&other).await;
    nobody_dials(&banned).await;
}

#[tokio::test]
async fn a_peer_that_came_by_itself_is_dialled_when_it_is_gone() {
    let (listener, _) = raw_listener().await;
    let mut node = Node::start(0, |_| {}).await;
    let mut raw = Raw::connect(node.port).await;
    let mut mine = hello(1, GENESIS);
    mine.listen_port = listener.local_addr().unwrap().port();
    raw.call(mine, 1).await;
    node.meet().await;
    drop(raw);
    let mut dialled = Raw(soon(listener.accept()).await.unwrap().0);
    dialled.answer(hello(1, GENESIS), 1).await;
    assert!(node.meet().await.outgoing);
}
