//! A relay between two nodes can carry or cut a connection, and nothing else.

use crate::fixtures::*;
use ccoin_core::message::{
    Acknowledgement, ByeReason, Message, acknowledgement_digest, frame, okay_digest,
};
use ccoin_p2p::NetworkSetup;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy, sink},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// Passes the bytes of every caller on to a node.
struct Relay {
    port: u16,
    control: Arc<Control>,
}

#[derive(Default)]
struct Control {
    /// While it is true no byte passes.
    cut: watch::Sender<bool>,
    /// While it is true one byte of every packet is changed.
    flip: AtomicBool,
    /// All bytes of the callers, and of the node.
    records: [Mutex<Vec<u8>>; 2],
}

impl Relay {
    async fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let control = Arc::new(Control::default());
        let shared = Arc::clone(&control);
        tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                let node = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
                let (caller, node) = (caller.into_split(), node.into_split());
                tokio::spawn(Arc::clone(&shared).pass(0, caller.0, node.1));
                tokio::spawn(Arc::clone(&shared).pass(1, node.0, caller.1));
            }
        });
        Self { port, control }
    }

    fn recorded(&self, side: usize) -> Vec<u8> {
        self.control.records[side].lock().unwrap().clone()
    }
}

impl Control {
    async fn pass(self: Arc<Self>, side: usize, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let (mut buffer, mut cut) = (vec![0; 16 << 10], self.cut.subscribe());
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            self.records[side].lock().unwrap().extend(&buffer[..count]);
            if self.flip.load(Relaxed) {
                buffer[count - 1] ^= 1;
            }
            let _ = cut.wait_for(|cut| !cut).await;
            if to.write_all(&buffer[..count]).await.is_err() {
                break;
            }
        }
    }
}

/// Suspects a silent connection soon, and dials again at once.
fn quick(setup: &mut NetworkSetup) {
    setup.limits.ping = SHORT / 10;
    setup.limits.pong = 2 * SHORT;
    setup.limits.lived = Duration::ZERO;
}

/// Says at which place it is reached.
fn advertised(setup: &mut NetworkSetup) {
    quick(setup);
    let listens = setup.listener.as_ref().unwrap().local_addr().unwrap();
    setup.advertise = Some(("127.0.0.1".into(), listens.port()));
}

#[tokio::test]
async fn a_relay_that_cuts_is_bypassed() {
    let mut b = Node::start(1, advertised).await;
    let relay = Relay::start(b.port).await;
    let mut a = Node::start(0, quick).await;
    // the place of another address, as far as a knows
    a.network.suggest(vec![at(3, relay.port)]);
    assert_eq!(a.meet().await.hello.address, address(1));
    b.meet().await;
    relay.control.cut.send_replace(true);
    let direct = a.meet().await;
    assert_eq!(direct.hello.address, address(1));
    assert_ne!(direct.remote.port(), relay.port);
    until(|| a.network.peers().len() == 1).await;
    assert_ne!(a.network.peers()[0].remote.port(), relay.port);
}

#[tokio::test]
async fn a_relay_cannot_replace_a_working_connection() {
    let mut b = Node::start(1, advertised).await;
    let mut a = Node::start(0, |setup| {
        quick(setup);
        setup.configured = vec![b.place()];
    })
    .await;
    let direct = a.meet().await.id;
    let relay = Relay::start(b.port).await;
    a.network.suggest(vec![at(3, relay.port)]);
    b.meet().await;
    b.meet().await;
    let beside = a.meet().await.id;
    relay.control.cut.send_replace(true);
    until(|| {
        let peers = a.network.peers();
        peers.iter().all(|peer| peer.id != beside)
    })
    .await;
    assert_eq!(a.network.peers()[0].id, direct);
    let known = a.network.known().borrow().clone();
    assert!(known.contains(&at(1, b.port)), "{known:?}");
}

#[tokio::test]
async fn a_changed_byte_ends_the_connection_and_bans_no_address() {
    let mut b = Node::start(1, |_| {}).await;
    let relay = Relay::start(b.port).await;
    let mut a = Node::start(0, |setup| {
        quick(setup);
        // else b would dial it directly
        setup.listener = None;
        setup.configured = vec![format!("127.0.0.1:{}", relay.port)];
    })
    .await;
    for _ in 0..5 {
        let mut at_a = a.connection().await;
        let mut at_b = b.connection().await;
        relay.control.flip.store(true, Relaxed);
        assert_eq!(soon(at_a.frames.recv()).await, None);
        assert_eq!(soon(at_b.frames.recv()).await, None);
        relay.control.flip.store(false, Relaxed);
    }
}

#[tokio::test]
async fn a_replayed_connection_is_rejected() {
    let mut b = Node::start(1, |_| {}).await;
    let relay = Relay::start(b.port).await;
    let mut a = Node::start(0, |setup| {
        setup.configured = vec![format!("127.0.0.1:{}", relay.port)];
    })
    .await;
    a.meet().await;
    let first = b.meet().await.id;
    let mut replay = TcpStream::connect(("127.0.0.1", b.port)).await.unwrap();
    replay.write_all(&relay.recorded(0)).await.unwrap();
    let _ = soon(copy(&mut replay, &mut sink())).await;
    let peers = b.network.peers();
    assert_eq!((peers.len(), peers[0].id), (1, first));
}

#[tokio::test]
async fn a_relay_that_ends_tls_at_itself_is_rejected() {
    let (listener, place) = raw_listener().await;
    let a = Node::start(0, |setup| setup.configured = vec![place]).await;
    let b = Node::start(1, |_| {}).await;
    let mut to_a = Raw::accept(&listener).await;
    let mut to_b = Raw::connect(b.port).await;
    let hey = to_a.hear().await.unwrap();
    to_b.say(&hey).await;
    let ack = to_b.hear().await.unwrap();
    assert!(matches!(ack, Message::Ack(_)));
    to_a.say(&ack).await;
    assert_eq!(to_a.last_word().await, Some(ByeReason::Invalid));
    assert!(a.network.peers().is_empty() && b.network.peers().is_empty());
}

#[tokio::test]
async fn a_signature_for_another_channel_is_rejected() {
    let node = Node::start(0, |_| {}).await;
    let mut channels = [Raw::connect(node.port).await, Raw::connect(node.port).await];
    let mine = hello(1, GENESIS);
    let mut theirs = Vec::new();
    for raw in &mut channels {
        raw.say(&Message::Hey(mine.clone())).await;
        let Some(Message::Ack(Acknowledgement { hello, .. })) = raw.hear().await else {
            panic!("no ACK");
        };
        theirs.push(hello);
    }
    // right in everything but the channel
    let digest = okay_digest(&channels[1].binding(), &mine, &theirs[0]);
    let okay = Message::Oky(key(1).sign(&digest).unwrap());
    channels[0].say(&okay).await;
    assert_eq!(channels[0].last_word().await, Some(ByeReason::Invalid));
    assert!(node.network.peers().is_empty());
}

#[tokio::test]
async fn the_signatures_cover_the_dialled_place() {
    let (listener, place) = raw_listener().await;
    let _node = Node::start(0, |setup| setup.configured = vec![place.clone()]).await;
    let mut raw = Raw::accept(&listener).await;
    let Some(Message::Hey(mut theirs)) = raw.hear().await else {
        panic!("no HEY");
    };
    assert_eq!(theirs.place, place);
    theirs.place = "127.0.0.1:1".into();
    let hello = hello(1, GENESIS);
    let digest = acknowledgement_digest(&raw.binding(), &theirs, &hello);
    let signature = key(1).sign(&digest).unwrap();
    raw.say(&Message::Ack(Acknowledgement { hello, signature }))
        .await;
    assert_eq!(raw.last_word().await, Some(ByeReason::Invalid));
}

#[tokio::test]
async fn a_recording_shows_no_content() {
    let mut b = Node::start(1, |_| {}).await;
    let relay = Relay::start(b.port).await;
    let mut a = Node::start(0, |setup| {
        setup.configured = vec![format!("127.0.0.1:{}", relay.port)];
    })
    .await;
    let id = a.meet().await.id;
    let mut at_b = b.connection().await;
    let text = b"rent for November, to the landlord";
    assert!(a.network.send(id, frame(*b"TXN", text).into()));
    let received = soon(at_b.frames.recv()).await.unwrap();
    assert_eq!(&received.body[..], text);
    let key = key(0);
    let secrets = [&text[..], key.public_key().as_der()];
    for side in 0..2 {
        let record = relay.recorded(side);
        assert!(record.len() > 500);
        for secret in secrets {
            let shows = record.windows(secret.len()).any(|bytes| bytes == secret);
            assert!(!shows, "{}", secret.escape_ascii());
        }
    }
}
