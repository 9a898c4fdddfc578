//! Strangers that make work for nothing: it costs them, and nobody else notices.

use crate::{fixtures::*, log::Lines};
use ccoin_core::message::{Bye, ByeReason, Message};
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_stranger_that_comes_and_goes_gets_one_log_line_a_minute() {
    let (lines, _guard) = Lines::capture(tracing::Level::INFO);
    let mut node = Node::start(0, |_| {}).await;
    for index in [1, 2, 3].into_iter().cycle().take(12) {
        let mut raw = Raw::join(node.port, index).await;
        let mut connection = node.connection().await;
        raw.say(&Message::Bye(Bye::new(ByeReason::Stopping, "bye")))
            .await;
        while soon(connection.frames.recv()).await.is_some() {}
        node.count(0).await;
    }
    let lines = lines.lines();
    let of = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!(
        (of("connected"), of("ended by the other side")),
        (1, 1),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_known_peer_is_logged_each_time() {
    let (lines, _guard) = Lines::capture(tracing::Level::INFO);
    let mut node = Node::start(0, |setup| setup.miners = vec![address(1)]).await;
    for _ in 0..3 {
        let mut raw = Raw::join(node.port, 1).await;
        let mut connection = node.connection().await;
        raw.say(&Message::Bye(Bye::new(ByeReason::Stopping, "bye")))
            .await;
        while soon(connection.frames.recv()).await.is_some() {}
        node.count(0).await;
    }
    let connected = lines
        .lines()
        .iter()
        .filter(|line| *line == "connected")
        .count();
    assert_eq!(connected, 3);
}

/// It stays connected and gets few answers; a peer that reads gets all.
#[tokio::test]
async fn a_peer_that_asks_and_does_not_read_piles_up_no_answers() {
    let mut node = Node::start(0, |setup| {
        setup.limits.answers_a_second = 1_000_000;
        setup.limits.peer_share = 0;
        setup.limits.group_share = 0;
    })
    .await;
    let mut silent = Raw::join(node.port, 1).await;
    node.meet().await;
    let asks = Message::AskHeights.frame().repeat(100_000);
    // all of them are read although the answers are not
    silent.write(&asks).await;
    let read = || node.network.peers()[0].messages_in;
    until(|| read() >= 100_000).await;
    let mut reader = Raw::join(node.port, 2).await;
    node.meet().await;
    reader.say(&Message::AskHeights).await;
    reader.hear_until(is_heights).await;
    assert_eq!(node.network.peers().len(), 2);
}

#[tokio::test]
async fn a_peer_that_costs_more_than_its_share_is_read_later() {
    let mut node = Node::start(0, |setup| setup.limits.debt = Duration::ZERO).await;
    let mut raw = Raw::join(node.port, 1).await;
    let id = node.meet().await.id;
    let start = Instant::now();
    // a tenth of a core
    node.network.charge(id, Duration::from_millis(100));
    for _ in 0..2 {
        raw.say(&Message::AskHeights).await;
        raw.hear_until(is_heights).await;
    }
    assert!(start.elapsed() >= Duration::from_millis(900));
}

#[tokio::test]
async fn a_miner_is_not_charged() {
    let mut node = Node::start(0, |setup| setup.miners = vec![address(1)]).await;
    let mut raw = Raw::join(node.port, 1).await;
    let id = node.meet().await.id;
    node.network.charge(id, Duration::from_secs(3_600));
    raw.say(&Message::AskHeights).await;
    raw.hear_until(is_heights).await;
}
