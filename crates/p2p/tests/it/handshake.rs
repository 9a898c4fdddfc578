//! Proof of identity, networks and versions.

use crate::{fixtures::*, log::Lines};
use ccoin_core::{
    BlockId,
    message::{ByeReason, Message, okay_digest},
};

#[tokio::test]
async fn two_nodes_connect_and_exchange_frames() {
    let mut a = Node::start(0, |_| {}).await;
    let mut b = Node::start(1, |setup| {
        setup.configured = vec![a.place(), "nonsense".into()];
        setup.advertise = Some(("localhost".into(), 4001));
    })
    .await;
    let (mut at_a, at_b) = (a.connection().await, b.connection().await);
    assert_eq!((at_a.hello.address, at_a.outgoing), (address(1), false));
    assert_eq!((at_b.hello.address, at_b.outgoing), (address(0), true));
    assert_eq!(at_a.hello.listen_port, b.port);
    let txns = Message::Transactions(Vec::new()).frame();
    assert!(b.network.send(at_b.id, txns.clone().into()));
    let frame = soon(at_a.frames.recv()).await.unwrap();
    assert_eq!((frame.header, &frame.body[..]), (*b"TXN", &txns[7..]));
    until(|| b.network.peers()[0].clock_offset_ms.is_some()).await;
    let info = &b.network.peers()[0];
    // one clock: half of the round trip is all that the measurement can be wrong by
    let error = info.round_trip.unwrap().as_millis() / 2 + 2;
    assert!(u128::from(info.clock_offset_ms.unwrap().unsigned_abs()) <= error);
    assert!(info.messages_in > 0 && info.bytes_out > txns.len() as u64);
    let known = b.network.known().borrow().clone();
    assert_eq!((known[0].address, known[0].port), (address(0), a.port));
    assert!(a.network.known().borrow().is_empty());
    b.network.stop().await;
    assert_eq!(soon(at_a.frames.recv()).await, None);
    a.count(0).await;
}

#[tokio::test]
async fn a_caller_must_prove_the_address_it_claims() {
    let mut node = Node::start(0, |_| {}).await;
    // the address alone: it is not that of the key
    let mut raw = Raw::connect(node.port).await;
    let mut lie = hello(1, GENESIS);
    lie.address = address(2);
    raw.say(&Message::Hey(lie)).await;
    assert_eq!(raw.last_word().await, Some(ByeReason::Malformed));
    // address and key, but another's signature
    let mut raw = Raw::connect(node.port).await;
    raw.call(hello(2, GENESIS), 1).await;
    assert_eq!(raw.last_word().await, Some(ByeReason::Invalid));
    // a signature of an earlier handshake: the challenge is another one
    let mut first = Raw::connect(node.port).await;
    let mine = hello(2, GENESIS);
    let theirs = first.call(mine.clone(), 2).await;
    node.meet().await;
    let mut raw = Raw::connect(node.port).await;
    raw.say(&Message::Hey(mine.clone())).await;
    assert!(matches!(raw.hear().await, Some(Message::Ack(_))));
    let old = okay_digest(&raw.binding(), &mine, &theirs);
    let old = key(2).sign(&old).unwrap();
    raw.say(&Message::Oky(old)).await;
    assert_eq!(raw.last_word().await, Some(ByeReason::Invalid));
    assert_eq!(node.network.peers().len(), 1);
}

#[tokio::test]
async fn a_listener_must_prove_the_address_it_claims() {
    let (listener, place) = raw_listener().await;
    let node = Node::start(0, |setup| setup.configured = vec![place]).await;
    let mut raw = Raw::accept(&listener).await;
    let answer = raw.answer(hello(1, GENESIS), 2).await;
    assert!(matches!(answer, Some(Message::Bye(bye)) if bye.reason() == ByeReason::Invalid));
    assert!(node.network.known().borrow().is_empty());
    // an acknowledgement that was made for another challenge
    let mut raw = Raw::accept(&listener).await;
    let Some(Message::Hey(theirs)) = raw.hear().await else {
        panic!()
    };
    let mut other = theirs;
    other.challenge = ccoin_core::Hash::new([5; 32]);
    let mine = hello(1, GENESIS);
    let digest = ccoin_core::message::acknowledgement_digest(&raw.binding(), &other, &mine);
    let signature = key(1).sign(&digest).unwrap();
    let hello = mine;
    let replay = ccoin_core::message::Acknowledgement { hello, signature };
    raw.say(&Message::Ack(replay)).await;
    assert_eq!(raw.last_word().await, Some(ByeReason::Invalid));
    assert!(node.network.peers().is_empty());
}

#[tokio::test]
async fn other_networks_and_versions_are_rejected_with_both_ids() {
    let node = Node::start(0, |_| {}).await;
    let other = BlockId::new([8; 32]);
    let mut raw = Raw::connect(node.port).await;
    raw.say(&Message::Hey(hello(1, other))).await;
    let Some(Message::Bye(bye)) = raw.hear().await else {
        panic!()
    };
    assert_eq!(bye.reason(), ByeReason::Network);
    assert!(bye.text().contains(&other.to_string()) && bye.text().contains(&GENESIS.to_string()));
    let mut raw = Raw::connect(node.port).await;
    let mut newer = hello(1, GENESIS);
    newer.version += 1;
    raw.say(&Message::Hey(newer)).await;
    assert_eq!(raw.last_word().await, Some(ByeReason::Version));
    // the dialling side judges as well, and remembers nothing
    let (listener, place) = raw_listener().await;
    let dialler = Node::start(2, |setup| setup.configured = vec![place]).await;
    let mut raw = Raw::accept(&listener).await;
    let answer = raw.answer(hello(1, other), 1).await;
    assert!(matches!(answer, Some(Message::Bye(bye)) if bye.reason() == ByeReason::Network));
    assert!(dialler.network.known().borrow().is_empty());
}

#[tokio::test]
async fn a_node_without_a_chain_joins_the_one_it_wants() {
    let other = BlockId::new([8; 32]);
    let mut node = Node::start(0, |setup| setup.wanted_genesis = Some(GENESIS)).await;
    node.local.send_replace(ccoin_p2p::ChainStatus::default());
    let mut wrong = Raw::connect(node.port).await;
    wrong.say(&Message::Hey(hello(1, other))).await;
    assert_eq!(wrong.last_word().await, Some(ByeReason::Network));
    let _right = Raw::join(node.port, 1).await;
    node.meet().await;
    let mut empty = Raw::connect(node.port).await;
    empty.call(hello(2, BlockId::ZERO), 2).await;
    node.meet().await;
    // without a wish anybody may offer one; once there is a chain, the others must go
    let mut node = Node::start(0, |_| {}).await;
    node.local.send_replace(ccoin_p2p::ChainStatus::default());
    let mut foreign = Raw::connect(node.port).await;
    foreign.call(hello(1, other), 1).await;
    node.meet().await;
    node.local.send_replace(local(GENESIS));
    assert_eq!(foreign.last_word().await, Some(ByeReason::Network));
}

#[tokio::test]
async fn a_node_does_not_connect_to_itself() {
    let (warnings, _guard) = Lines::capture(tracing::Level::WARN);
    let node = Node::start(0, |setup| {
        let own = setup.listener.as_ref().unwrap().local_addr().unwrap();
        setup.configured = vec![own.to_string()];
    })
    .await;
    let own = &warnings;
    until(|| {
        own.lines()
            .iter()
            .any(|line| line.contains("of this node itself"))
    })
    .await;
    assert!(node.network.peers().is_empty());
    assert_eq!(*node.network.twin().borrow(), None);
}

#[tokio::test]
async fn two_nodes_with_one_key_tell_where_the_other_is_and_do_not_connect() {
    let listening = Node::start(0, |_| {}).await;
    let mut met = listening.network.twin();
    let dialling = Node::start(0, |setup| setup.configured = vec![listening.place()]).await;
    let mut found = dialling.network.twin();
    let place = soon(found.wait_for(Option::is_some))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(place.port(), listening.port);
    // the dialling side ends first: the other one may learn of it from its next call only
    let mut raw = Raw::connect(listening.port).await;
    raw.call(hello(0, GENESIS), 0).await;
    assert_eq!(raw.last_word().await, Some(ByeReason::OwnAddress));
    let place = soon(met.wait_for(Option::is_some)).await.unwrap().unwrap();
    assert_eq!(place, raw.local_addr());
    assert!(listening.network.peers().is_empty() && dialling.network.peers().is_empty());
}

#[tokio::test]
async fn who_only_claims_the_key_of_a_node_is_no_other_node_with_it() {
    let node = Node::start(0, |_| {}).await;
    let mut raw = Raw::connect(node.port).await;
    raw.call(hello(0, GENESIS), 1).await;
    assert_eq!(raw.last_word().await, Some(ByeReason::Invalid));
    assert_eq!(*node.network.twin().borrow(), None);
}
