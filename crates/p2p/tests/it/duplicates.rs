//! Several connections of one address: a working one is never replaced.

use crate::{fixtures::*, log::Lines};
use ccoin_core::message::{Bye, ByeReason, Message};
use std::time::Duration;

/// Joins with key 1 as this process.
async fn join(node: &mut Node, process: u8) -> Raw {
    let mut raw = Raw::connect_as(process, node.port).await;
    raw.call(hello(1, GENESIS), 1).await;
    node.meet().await;
    raw
}

async fn works(raw: &mut Raw) {
    raw.say(&Message::AskHeights).await;
    raw.hear_until(is_heights).await;
}

/// Answers pings until a `BYE` comes.
async fn bye(raw: &mut Raw) -> Bye {
    loop {
        match raw
            .hear_until(|message| matches!(message, Message::Ping(_) | Message::Bye(_)))
            .await
        {
            Message::Bye(bye) => return bye,
            _ => raw.say(&Message::Pong(clock())).await,
        }
    }
}

#[tokio::test]
async fn a_working_connection_is_never_replaced() {
    let mut node = Node::start(0, |_| {}).await;
    let mut first = join(&mut node, 1).await;
    let mut second = join(&mut node, 1).await;
    let mut third = Raw::connect(node.port).await;
    third.call(hello(1, GENESIS), 1).await;
    let rejected = bye(&mut third).await;
    assert_eq!(rejected.reason(), ByeReason::Duplicate);
    let connected = format!("{} is connected already from ", address(1));
    assert!(
        rejected.text().starts_with(&connected),
        "{}",
        rejected.text()
    );
    works(&mut first).await;
    works(&mut second).await;
    assert_eq!(node.network.peers().len(), 2);
    node.count(1).await;
}

#[tokio::test]
async fn a_silent_connection_is_replaced_by_one_beside_it() {
    let (listener, place) = raw_listener().await;
    let mut node = Node::start(0, |setup| {
        setup.configured = vec![place];
        setup.limits.lived = Duration::ZERO;
        setup.limits.pong = SHORT;
        // no dial without a reason
        setup.limits.longest_pause = 10 * PATIENCE;
        setup.limits.silence = 10 * PATIENCE;
    })
    .await;
    let mut silent = Raw::accept(&listener).await;
    silent.answer(hello(1, GENESIS), 1).await;
    node.meet().await;
    // the first one is open, but its peer says nothing
    let mut second = Raw::accept(&listener).await;
    second.answer(hello(1, GENESIS), 1).await;
    node.meet().await;
    assert_eq!(silent.last_word().await, Some(ByeReason::Duplicate));
    works(&mut second).await;
}

#[tokio::test]
async fn a_connection_that_falls_silent_ends_when_another_one_stands() {
    let mut node = Node::start(0, |setup| {
        setup.limits.ping = SHORT / 10;
        setup.limits.pong = 2 * SHORT;
        setup.limits.silence = 10 * PATIENCE;
    })
    .await;
    let mut silent = join(&mut node, 1).await;
    let mut second = join(&mut node, 2).await;
    let answers = tokio::spawn(async move { bye(&mut second).await });
    assert_eq!(silent.last_word().await, Some(ByeReason::Silent));
    assert_eq!(node.network.peers().len(), 1);
    answers.abort();
}

#[tokio::test]
async fn the_side_with_the_smaller_address_ends_the_newer_of_two_that_work() {
    let mut node = Node::start(0, |_| {}).await;
    let mut first = join(&mut node, 1).await;
    let mut second = join(&mut node, 1).await;
    let answers = tokio::spawn(async move { bye(&mut first).await });
    assert_eq!(bye(&mut second).await.reason(), ByeReason::Duplicate);
    assert_eq!(node.network.peers().len(), 1);
    assert!(!answers.is_finished());
    answers.abort();
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
async fn two_processes_with_one_key_stay_and_are_logged_once() {
    let (warnings, _guard) = Lines::capture(tracing::Level::WARN);
    let mut node = Node::start(0, |setup| setup.limits.ping = SHORT / 20).await;
    let mut first = join(&mut node, 1).await;
    let mut second = join(&mut node, 2).await;
    let ends = [first.local_addr(), second.local_addr()];
    let answers = async { tokio::join!(bye(&mut first), bye(&mut second)) };
    let logged = async {
        while warnings.lines().is_empty() {
            tokio::task::yield_now().await;
        }
        // many more answers to pings
        let answered = node.network.peers()[0].messages_in + 20;
        while node.network.peers()[0].messages_in < answered {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = answers => panic!("a connection has ended"),
        () = soon(logged) => {}
    }
    let lines = warnings.lines();
    let shared = format!("two nodes use the key of {}", address(1));
    assert!(
        lines.len() == 1 && lines[0].starts_with(&shared),
        "{lines:?}"
    );
    assert!(ends.iter().all(|end| lines[0].contains(&end.to_string())));
}
