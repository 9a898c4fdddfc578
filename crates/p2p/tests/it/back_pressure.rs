//! Peers that read slowly and nodes that read slowly.

use crate::fixtures::*;
use ccoin_core::message::{ByeReason, frame};
use std::time::Instant;

#[tokio::test]
async fn a_node_that_does_not_read_stops_the_other_side_and_keeps_it() {
    let bound = 100_000;
    let mut node = Node::start(0, |setup| setup.limits.inbound = bound).await;
    let mut peer = Node::start(1, |setup| {
        setup.configured = vec![node.place()];
        setup.limits.outbound = 64 << 20;
    })
    .await;
    let mut connection = node.connection().await;
    let id = peer.meet().await.id;
    let body = vec![7; 50_000];
    let total = 400u64;
    for _ in 0..total {
        assert!(peer.network.send(id, frame(*b"TXN", &body).into()));
    }
    // the kernel's buffers fill and the traffic stops at the bound
    let read = || node.network.peers()[0].bytes_in;
    let (mut last, mut since) = (0, Instant::now());
    until(|| {
        if read() != last {
            (last, since) = (read(), Instant::now());
        }
        last > 0 && since.elapsed() > SHORT
    })
    .await;
    assert!(last < bound as u64 + 50_000, "{last}");
    for _ in 0..total {
        assert_eq!(
            soon(connection.frames.recv()).await.unwrap().body.len(),
            50_000
        );
    }
    // a frame that is larger than the whole bound passes alone
    assert!(
        peer.network
            .send_when_room(id, frame(*b"TXN", &[7; 200_000]).into())
            .await
    );
    assert_eq!(
        soon(connection.frames.recv()).await.unwrap().body.len(),
        200_000
    );
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_dropped_and_delays_no_other() {
    let mut node = Node::start(0, |setup| setup.limits.outbound = 1 << 20).await;
    let mut slow = Raw::join(node.port, 1).await;
    let id = node.meet().await.id;
    let mut quick = Raw::join(node.port, 2).await;
    node.meet().await;
    let block: bytes::Bytes = frame(*b"BLK", &[7; 100_000]).into();
    let start = Instant::now();
    while node.network.peers().iter().any(|peer| peer.id == id) {
        assert!(start.elapsed() < PATIENCE);
        node.network.broadcast(block.clone(), None);
        while quick.frame().await.unwrap().0 != *b"BLK" {}
    }
    assert!(!node.network.send(id, block.clone()));
    assert!(!node.network.send_when_room(id, block).await);
    assert_eq!(slow.last_word().await, Some(ByeReason::Slow));
    assert_eq!(node.network.peers().len(), 1);
}

#[tokio::test]
async fn a_peer_that_reads_gets_every_frame_in_order() {
    let mut node = Node::start(0, |_| {}).await;
    let mut raw = Raw::join(node.port, 1).await;
    let id = node.meet().await.id;
    let network = node.network.clone();
    let sends = tokio::spawn(async move {
        for n in 0..5000u32 {
            let body = vec![n as u8; (n as usize * 37) % 9000];
            assert!(
                network
                    .send_when_room(id, frame(*b"BLK", &body).into())
                    .await
            );
        }
    });
    for n in 0..5000u32 {
        let (_, body) = loop {
            let frame = raw.frame().await.unwrap();
            if frame.0 == *b"BLK" {
                break frame;
            }
        };
        assert!(body.len() == (n as usize * 37) % 9000 && body.iter().all(|b| *b == n as u8));
    }
    sends.await.unwrap();
}
