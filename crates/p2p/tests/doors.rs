//! What a stranger may cost before its handshake is over, and after its end.

mod fixtures;

use ccoin_core::message::{ByeReason, frame};
use fixtures::*;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// Resolves when nobody reads the other end any more.
async fn closed(raw: &mut Raw) {
    soon(async {
        while raw.0.write_all(&[0]).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_is_refused_counts_until_its_socket_is_closed() {
    let node = Node::start(0, |setup| {
        setup.limits.early = 3;
        setup.limits.closing = 10 * PATIENCE;
    })
    .await;
    let mut raws = Vec::new();
    for _ in 0..20 {
        // refused at once, but it does not close
        let mut raw = Raw::connect(node.port).await;
        raw.write(&frame(*b"XYZ", &[])).await;
        assert_eq!(raw.last_word().await, Some(ByeReason::Malformed));
        raws.push(raw);
    }
    raws.truncate(raws.len() - 3);
    for mut raw in raws {
        closed(&mut raw).await;
    }
}

#[tokio::test]
async fn an_early_connection_that_ends_for_a_newer_one_is_closed_at_once() {
    let node = Node::start(0, |setup| {
        setup.limits.early = 1;
        setup.limits.closing = 10 * PATIENCE;
        setup.limits.handshake = Duration::from_secs(3600);
    })
    .await;
    for _ in 0..5 {
        let mut old = Raw::connect(node.port).await;
        let _new = Raw::connect(node.port).await;
        assert_eq!(old.last_word().await, None);
        closed(&mut old).await;
    }
}
