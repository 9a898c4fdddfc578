//! Peers that send more than a limit allows: read more slowly, never banned.

use crate::fixtures::*;
use ccoin_core::message::{BlockRequest, Header, Heights, Message, frame};
use std::time::{Duration, Instant};

/// Sends twelve of these to a node that takes five a second, and gets them out of it.
async fn flood(header: Header, message: Message) {
    let mut node = Node::start(0, |setup| {
        setup.limits.answers_a_second = 5;
        setup.limits.keys_a_second = 5;
        setup.limits.requests_a_second = 5;
    })
    .await;
    let mut raw = Raw::join(node.port, 1).await;
    let mut connection = node.connection().await;
    let start = Instant::now();
    for _ in 0..12 {
        raw.say(&message).await;
    }
    // a kind without a limit is as late: it is in the same stream
    raw.write(&frame(*b"TXN", &[0x90])).await;
    for _ in 0..12 {
        let frame = soon(connection.frames.recv()).await.unwrap();
        assert_eq!(frame.header, header);
    }
    // five at once, and then one every fifth of a second
    assert!(start.elapsed() >= Duration::from_millis(1300));
    let frame = soon(connection.frames.recv()).await.unwrap();
    assert_eq!(frame.header, *b"TXN");
    raw.say(&Message::AskHeights).await;
    raw.hear_until(is_heights).await;
}

#[tokio::test]
async fn keys_requests_and_heights_are_rate_limited() {
    let (locator, most) = (Vec::new(), 1);
    let heights = Heights {
        height: ccoin_core::Height::ZERO,
        final_number: ccoin_core::Height::ZERO,
    };
    tokio::join!(
        flood(*b"KEY", Message::Keys(Vec::new())),
        flood(*b"RBL", Message::AskBlocks(BlockRequest { locator, most })),
        flood(*b"BLH", Message::Heights(heights)),
    );
}

#[tokio::test]
async fn a_peer_that_asks_too_often_is_read_more_slowly_but_answered() {
    let mut node = Node::start(0, |setup| setup.limits.answers_a_second = 50).await;
    let mut raw = Raw::join(node.port, 1).await;
    node.meet().await;
    let start = Instant::now();
    for _ in 0..120 {
        raw.say(&Message::AskHeights).await;
    }
    for _ in 0..120 {
        raw.hear_until(is_heights).await;
    }
    // 50 at once, and then one every 20 ms
    assert!(start.elapsed() > Duration::from_millis(1300));
}
