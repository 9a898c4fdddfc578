//! Which places a node dials, when, and which ones it never gives up.

use crate::fixtures::*;
use ccoin_core::message::{Bye, ByeReason, Message, frame};
use std::time::Duration;
use tokio::{net::TcpListener, time::timeout};

/// Lets a node dial so often that it has had time to dial elsewhere as well.
async fn refuse_four_times(listener: &TcpListener) {
    for _ in 0..4 {
        let mut raw = Raw::accept(listener).await;
        raw.hear().await;
        raw.say(&Message::Bye(Bye::new(ByeReason::Full, ""))).await;
    }
}

async fn no_dial(listener: &TcpListener) {
    assert!(timeout(Duration::ZERO, listener.accept()).await.is_err());
}

#[tokio::test]
async fn a_peer_that_restarts_is_found_again() {
    let mut first = Node::start(0, |_| {}).await;
    let port = first.port;
    // `wanted = 0`: places told by the first one are not dialled
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
async fn its_own_place_is_not_dialled_again() {
    let (own, own_place) = raw_listener().await;
    let (other, other_place) = raw_listener().await;
    let _node = Node::start(0, |setup| setup.configured = vec![own_place, other_place]).await;
    let mut raw = Raw::accept(&own).await;
    assert!(matches!(raw.hear().await, Some(Message::Hey(_))));
    let bye = Bye::new(ByeReason::OwnAddress, "");
    raw.say(&Message::Bye(bye)).await;
    refuse_four_times(&other).await;
    no_dial(&own).await;
}

#[tokio::test]
async fn an_address_off_the_allow_list_is_not_dialled() {
    let (banned, _) = raw_listener().await;
    let (other, place) = raw_listener().await;
    let node = Node::start(0, |setup| setup.configured = vec![place]).await;
    node.allow.send_replace(vec![address(2)]);
    let port = banned.local_addr().unwrap().port();
    node.network.suggest(vec![at(1, port)]);
    refuse_four_times(&other).await;
    no_dial(&banned).await;
}

#[tokio::test]
async fn a_caller_is_dialled_after_it_has_left() {
    let (listener, _) = raw_listener().await;
    let mut node = Node::start(0, |_| {}).await;
    let mut raw = Raw::connect(node.port).await;
    let mut mine = hello(1, GENESIS);
    mine.listen_port = listener.local_addr().unwrap().port();
    raw.call(mine, 1).await;
    node.meet().await;
    drop(raw);
    let mut dialled = Raw::accept(&listener).await;
    dialled.answer(hello(1, GENESIS), 1).await;
    assert!(node.meet().await.outgoing);
}

#[tokio::test]
async fn a_configured_peer_is_dialled_again_when_its_ban_is_over() {
    let (listener, place) = raw_listener().await;
    let mut node = Node::start(0, |setup| {
        setup.configured = vec![place];
        setup.limits.ban = Duration::from_secs(1);
        // a dial after the longest pause comes too late
        setup.limits.longest_pause = 10 * PATIENCE;
    })
    .await;
    let mut raw = Raw::accept(&listener).await;
    raw.answer(hello(1, GENESIS), 1).await;
    node.meet().await;
    raw.write(&frame(*b"PNG", &[0xc1])).await;
    assert_eq!(raw.last_word().await, Some(ByeReason::Malformed));
    let mut raw = Raw::accept(&listener).await;
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
        let mut raw = Raw::listen(stream).await.unwrap();
        raw.answer(hello(index, GENESIS), index).await;
        node.meet().await;
        raws.push(raw);
    }
}
