//! Whom a node dials, in what order, and that it never gives up whom it must not.

mod fixtures;

use ccoin_core::message::{ByeReason, frame};
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
