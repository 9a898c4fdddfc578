//! Whom a ban reaches, and what it does not end.

mod fixtures;

use ccoin_core::message::{Bye, ByeReason, Message, frame};
use fixtures::*;

/// The last word to somebody who calls with key `index`.
async fn refusal(node: &Node, index: usize) -> Bye {
    let mut raw = Raw::connect(node.port).await;
    raw.say(&Message::Hey(hello(index, GENESIS))).await;
    match raw.hear().await {
        Some(Message::Bye(bye)) => bye,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn whoever_sends_rubbish_and_leaves_is_banned_when_it_is_read() {
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
    // nobody has had this number
    ban(connection.id + 1);
    ban(connection.id);
    let bye = refusal(&node, 1).await;
    assert_eq!(bye.reason(), ByeReason::Banned);
    let text = format!("{} is refused for 600 s more because it broke", address(1));
    assert!(bye.text().starts_with(&text), "{}", bye.text());
    // one that was replaced: its address is refused, its newer connection stays
    let _old = Raw::join(node.port, 2).await;
    let old = node.meet().await.id;
    let mut new = Raw::join(node.port, 2).await;
    node.meet().await;
    ban(old);
    assert_eq!(refusal(&node, 2).await.reason(), ByeReason::Banned);
    new.say(&Message::AskHeights).await;
    new.hear_until(|message| matches!(message, Message::Heights(_)))
        .await;
}
