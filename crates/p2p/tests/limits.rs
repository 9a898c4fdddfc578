//! What a peer may do to a node, and what it gets for more: sizes, silence, floods, bans.

mod fixtures;

use ccoin_core::message::{ByeReason, Message, frame};
use ccoin_p2p::Limits;
use fixtures::*;
use std::time::{Duration, Instant};
use tokio::{io::AsyncWriteExt, time::timeout};

/// A limit that a test waits for. What must happen within it is done by the machine that
/// runs the tests, so only who is meant to miss it has to keep it.
const SHORT: Duration = Duration::from_secs(1);

/// Long before any limit of time ends a connection.
const AT_ONCE: Duration = Duration::from_secs(5);

fn heights_come(message: &Message) -> bool {
    matches!(message, Message::Heights(_))
}

#[tokio::test]
async fn frames_of_impossible_length_end_the_connection_at_once() {
    let mut node = Node::start(0, |_| {}).await;
    for length in [u32::MAX, 3_000_001, 0, 1, 2] {
        for early in [true, false] {
            // each by another peer: the last one is banned
            let mut raw = Raw::connect(node.port).await;
            if !early {
                raw.call(hello(1, GENESIS), 1).await;
                node.meet().await;
            }
            let start = Instant::now();
            raw.write(&length.to_le_bytes()).await;
            assert_eq!(
                raw.last_word().await,
                Some(ByeReason::Malformed),
                "{length}"
            );
            assert!(start.elapsed() < AT_ONCE, "{length}");
            node.count(0).await;
            if !early {
                node = Node::start(0, |_| {}).await;
            }
        }
    }
}

#[tokio::test]
async fn a_kind_is_refused_by_its_own_limit_before_its_body_comes() {
    let mut node = Node::start(0, |_| {}).await;
    let mut raw = Raw::join(node.port, 1).await;
    node.meet().await;
    let mut head = frame(*b"TXN", &vec![0; (512 << 10) + 1]);
    head.truncate(7);
    raw.write(&head).await;
    assert_eq!(raw.last_word().await, Some(ByeReason::Malformed));
    // nothing but a handshake before the handshake
    for header in [*b"BLK", *b"PNG", *b"RBH", *b"XYZ"] {
        let mut raw = Raw::connect(node.port).await;
        raw.write(&frame(header, &[0x90])).await;
        assert_eq!(raw.last_word().await, Some(ByeReason::Malformed));
    }
}

#[tokio::test]
async fn silence_and_dribble_end_before_and_after_the_handshake() {
    let node = Node::start(0, |setup| setup.limits.handshake = SHORT).await;
    let start = Instant::now();
    let mut silent = Raw::connect(node.port).await;
    assert_eq!(silent.last_word().await, Some(ByeReason::Silent));
    assert!(start.elapsed() >= SHORT);
    let mut half = Raw::connect(node.port).await;
    half.write(&Message::Hey(hello(1, GENESIS)).frame()[..99])
        .await;
    assert_eq!(half.last_word().await, Some(ByeReason::Silent));
    // a byte now and then is no whole message
    let mut node = Node::start(0, |setup| setup.limits.silence = SHORT).await;
    let start = Instant::now();
    let raw = Raw::join(node.port, 1).await;
    node.meet().await;
    let (mut reads, mut writes) = raw.0.into_split();
    let dribble = async {
        let bytes = frame(*b"TXN", &[0; 1000]);
        let mut pause = tokio::time::interval(SHORT / 10);
        for byte in bytes {
            pause.tick().await;
            if writes.write_all(&[byte]).await.is_err() {
                break;
            }
        }
    };
    let mut nowhere = tokio::io::sink();
    let end = tokio::io::copy(&mut reads, &mut nowhere);
    tokio::select! {
        () = dribble => panic!("all of it was taken"),
        end = soon(end) => assert!(end.is_ok()),
    }
    assert!(start.elapsed() >= SHORT);
    node.count(0).await;
}

#[tokio::test]
async fn honest_but_quiet_peers_keep_each_other_alive() {
    let silence = Duration::from_secs(3);
    let limits = |setup: &mut ccoin_p2p::NetworkSetup| {
        setup.limits.silence = silence;
        setup.limits.ping = Duration::from_millis(100);
    };
    let mut a = Node::start(0, limits).await;
    let mut b = Node::start(1, |setup| {
        limits(setup);
        setup.configured = vec![a.place()];
    })
    .await;
    let (mut at_a, at_b) = (a.connection().await, b.connection().await);
    let more = timeout(silence * 5 / 4, at_a.frames.recv()).await;
    assert!(more.is_err(), "the connection has ended");
    assert_eq!(a.network.peers()[0].id, at_a.id);
    assert_eq!(b.network.peers()[0].id, at_b.id);
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
    raw.hear_until(heights_come).await;
    raw.write(&frame(*b"ELC", &[])).await;
    assert_eq!(raw.last_word().await, Some(ByeReason::Malformed));
    // it is no violation: the same peer may come back
    node.count(0).await;
    let _again = Raw::join(node.port, 1).await;
    node.meet().await;
}

#[tokio::test]
async fn malformed_messages_ban_the_address_and_nobody_else() {
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
    let heights = other.hear_until(heights_come).await;
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
    // the kernel's buffers fill, then nothing moves; what is read is a matter of the bound
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
async fn a_peer_that_does_not_read_is_too_slow_and_delays_nobody() {
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
async fn whoever_reads_gets_everything_in_order() {
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

#[tokio::test]
async fn early_connections_are_bounded_and_the_oldest_goes() {
    let mut node = Node::start(0, |setup| setup.limits.early = 3).await;
    let mut raws = Vec::new();
    for _ in 0..4 {
        raws.push(Raw::connect(node.port).await);
    }
    assert_eq!(raws.remove(0).last_word().await, None);
    // whoever has finished counts no more
    for index in 2..4 {
        raws.pop().unwrap().call(hello(index, GENESIS), index).await;
        node.meet().await;
        raws.push(Raw::connect(node.port).await);
    }
    raws[0].call(hello(1, GENESIS), 1).await;
    node.meet().await;
}

#[tokio::test]
async fn ordinary_peers_leave_the_reserved_seats_to_miners() {
    let mut node = Node::start(0, |setup| {
        setup.miners = vec![address(3)];
        setup.limits = Limits {
            connections: 2,
            reserved: 1,
            ..setup.limits.clone()
        };
    })
    .await;
    let _first = Raw::join(node.port, 1).await;
    node.meet().await;
    let mut second = Raw::connect(node.port).await;
    second.say(&Message::Hey(hello(2, GENESIS))).await;
    assert_eq!(second.last_word().await, Some(ByeReason::Full));
    let _miner = Raw::join(node.port, 3).await;
    assert_eq!(node.meet().await.hello.address, address(3));
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
        raw.hear_until(heights_come).await;
    }
    // 50 at once, and then one every 20 ms
    assert!(start.elapsed() > Duration::from_millis(1300));
}
