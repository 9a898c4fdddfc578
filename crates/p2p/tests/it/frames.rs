//! Sizes and kinds of frames.

use crate::fixtures::*;
use ccoin_core::message::{ByeReason, Message, frame};

#[tokio::test]
async fn frames_of_impossible_length_end_the_connection() {
    // no deadline can end it
    let start = || {
        Node::start(0, |setup| {
            setup.limits.handshake = 10 * PATIENCE;
            setup.limits.silence = 10 * PATIENCE;
        })
    };
    let mut node = start().await;
    for length in [u32::MAX, 3_000_001, 0, 1, 2] {
        for early in [true, false] {
            // each to a new node: the last one has banned the peer
            let mut raw = Raw::connect(node.port).await;
            if !early {
                raw.call(hello(1, GENESIS), 1).await;
                node.meet().await;
            }
            raw.write(&length.to_le_bytes()).await;
            assert_eq!(
                raw.last_word().await,
                Some(ByeReason::Malformed),
                "{length}"
            );
            node.count(0).await;
            if !early {
                node = start().await;
            }
        }
    }
}

#[tokio::test]
async fn the_limit_of_a_kind_holds_before_its_body_arrives() {
    let mut node = Node::start(0, |_| {}).await;
    let mut raw = Raw::join(node.port, 1).await;
    node.meet().await;
    let mut head = frame(*b"TXN", &vec![0; (512 << 10) + 1]);
    head.truncate(7);
    raw.write(&head).await;
    assert_eq!(raw.last_word().await, Some(ByeReason::Malformed));
    // before the handshake only its own kinds
    for header in [*b"BLK", *b"PNG", *b"RBH", *b"XYZ"] {
        let mut raw = Raw::connect(node.port).await;
        raw.write(&frame(header, &[0x90])).await;
        assert_eq!(raw.last_word().await, Some(ByeReason::Malformed));
    }
}

#[tokio::test]
async fn unknown_headers_are_skipped_until_there_are_too_many() {
    let mut node = Node::start(0, |_| {}).await;
    let mut raw = Raw::join(node.port, 1).await;
    let mut connection = node.connection().await;
    // election messages of an older program among them
    for header in [*b"ELC", *b"VOT", *b"LDX"] {
        raw.write(&frame(header, &[0xc1; 70_000])).await;
    }
    raw.write(&frame(*b"TXN", &[0x90])).await;
    let got = soon(connection.frames.recv()).await.unwrap();
    assert_eq!(got.header, *b"TXN");
    for _ in 0..6 {
        raw.write(&frame(*b"ELC", &[])).await;
    }
    raw.say(&Message::AskHeights).await;
    raw.hear_until(is_heights).await;
    raw.write(&frame(*b"ELC", &[])).await;
    assert_eq!(raw.last_word().await, Some(ByeReason::Malformed));
    // it is no violation: the same peer may come back
    node.count(0).await;
    let _again = Raw::join(node.port, 1).await;
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
