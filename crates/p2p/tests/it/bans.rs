//! Which peers a ban reaches, and what it does not end.

use crate::fixtures::*;
use ccoin_core::message::{Bye, ByeReason, Message, frame};

/// The `BYE` for a caller with key `index`.
async fn rejection(node: &Node, index: usize) -> Bye {
    let mut raw = Raw::connect(node.port).await;
    raw.say(&Message::Hey(hello(index, GENESIS))).await;
    match raw.hear().await {
        Some(Message::Bye(bye)) => bye,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_peer_that_has_left_is_banned_when_its_frame_is_found_malformed() {
    let mut node = Node::start(0, |_| {}).await;
    let mut raw = Raw::join(node.port, 1).await;
    raw.write(&frame(*b"BLK", &[0xc1])).await;
    drop(raw);
    let mut connection = node.connection().await;
    node.count(0).await;
    assert!(soon(connection.frames.recv()).await.is_some());
    assert_eq!(soon(connection.frames.recv()).await, None);
    let network = node.network.clone();
    let ban = |id| network.ban(id, ByeReason::Invalid, "a bad block");
    // no connection has had this number
    ban(connection.id + 1);
    ban(connection.id);
    let bye = rejection(&node, 1).await;
    assert_eq!(bye.reason(), ByeReason::Banned);
    let text = format!("{} is refused for 600 s more because it broke", address(1));
    assert!(bye.text().starts_with(&text), "{}", bye.text());
    // one that was replaced: its address is refused, its newer connection stays
    let _old = Raw::join(node.port, 2).await;
    let old = node.meet().await.id;
    let mut new = Raw::join(node.port, 2).await;
    node.meet().await;
    ban(old);
    assert_eq!(rejection(&node, 2).await.reason(), ByeReason::Banned);
    new.say(&Message::AskHeights).await;
    new.hear_until(is_heights).await;
}

#[tokio::test]
async fn malformed_messages_ban_the_address_and_no_other() {
    let mut node = Node::start(0, |setup| setup.miners = vec![address(2)]).await;
    let mut other = Raw::join(node.port, 3).await;
    node.meet().await;
    for (index, after) in [(1, ByeReason::Banned), (2, ByeReason::Malformed)] {
        let mut raw = Raw::join(node.port, index).await;
        node.meet().await;
        raw.write(&frame(*b"PNG", &[0xc1])).await;
        assert_eq!(raw.last_word().await, Some(ByeReason::Malformed));
        node.count(1).await;
        let mut again = Raw::connect(node.port).await;
        again.say(&Message::Hey(hello(index, GENESIS))).await;
        if after == ByeReason::Banned {
            assert_eq!(again.last_word().await, Some(after));
        } else {
            // a miner is disconnected, never banned
            assert!(matches!(again.hear().await, Some(Message::Ack(_))));
        }
    }
    other.say(&Message::AskHeights).await;
    let heights = other.hear_until(is_heights).await;
    let Message::Heights(heights) = heights else {
        unreachable!()
    };
    assert_eq!((heights.height.get(), heights.final_number.get()), (3, 2));
    // the same by the word of the node
    let id = node.network.peers()[0].id;
    node.network.ban(id, ByeReason::Invalid, "a bad block");
    assert_eq!(other.last_word().await, Some(ByeReason::Invalid));
    let mut again = Raw::connect(node.port).await;
    again.say(&Message::Hey(hello(3, GENESIS))).await;
    assert_eq!(again.last_word().await, Some(ByeReason::Banned));
}
