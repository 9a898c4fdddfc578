//! Well-formed messages that are refused for their values: lists, texts, names and codes at
//! their bounds, and a hello that is not its key's.

use super::{
    body,
    samples::{certificate, hello, number, peer, public_key, signature, transaction},
};
use ccoin_core::{
    Address, BlockId, Hash,
    encoding::encode,
    message::{
        Acknowledgement, BlockAnswer, BlockRequest, Bye, ByeReason, Hello, MAX_ANSWER_BLOCKS,
        MAX_LOCATOR, MAX_MESSAGE_TXNS, MAX_SHARED_PEERS, Message, MessageError, PeerAddress,
        acknowledgement_digest, okay_digest,
    },
};
use ccoin_crypto::sha256;

fn refused(message: &Message, part: &str) {
    let error = Message::decode(message.header(), &body(message)).unwrap_err();
    assert!(matches!(error, MessageError::Value { .. }), "{error}");
    assert!(error.to_string().contains(part), "{error}");
}

fn taken(message: &Message) {
    let decoded = Message::decode(message.header(), &body(message));
    assert_eq!(decoded.as_ref(), Ok(message));
}

#[test]
fn a_hello_has_the_address_of_its_key_and_a_short_agent() {
    let with = |change: fn(&mut Hello)| {
        let mut changed = hello();
        change(&mut changed);
        changed
    };
    let foreign = with(|hello| hello.address = public_key(0xe7).address());
    refused(&Message::Hey(foreign.clone()), "is not that of its key");
    let signature = signature(256);
    let hello = foreign;
    refused(
        &Message::Ack(Acknowledgement { hello, signature }),
        "is not that of its key",
    );
    taken(&Message::Hey(with(|hello| hello.agent = "x".repeat(64))));
    refused(
        &Message::Hey(with(|hello| hello.agent = "x".repeat(65))),
        "65 bytes",
    );
    taken(&Message::Hey(with(|hello| hello.place = "x".repeat(259))));
    let bad: [fn(&mut Hello); 3] = [
        |hello| hello.place = "x".repeat(260),
        |hello| hello.place = "a b:1".into(),
        |hello| hello.place = "\n:1".into(),
    ];
    for change in bad {
        refused(&Message::Hey(with(change)), "place of");
    }
    let mut bytes = body(&Message::Hey(super::samples::hello()));
    let place = bytes
        .windows(3)
        .position(|w| w == [1, 0xcd, 0x20])
        .expect("node type, then port");
    bytes[place] = 2;
    let error = Message::decode(*b"HEY", &bytes).unwrap_err();
    assert!(error.to_string().contains("node type 2"), "{error}");
}

#[test]
fn the_proofs_differ_and_cover_both_hellos_and_the_channel() {
    let (one, mut two) = (hello(), hello());
    two.challenge = Hash::new([0x23; 32]);
    let (binding, other) = (Hash::new([0x24; 32]), Hash::new([0x25; 32]));
    let digests = [
        acknowledgement_digest(&binding, &one, &two),
        acknowledgement_digest(&binding, &two, &one),
        acknowledgement_digest(&other, &one, &two),
        okay_digest(&binding, &one, &two),
        okay_digest(&binding, &two, &one),
        okay_digest(&binding, &one, &one),
        okay_digest(&other, &one, &two),
    ];
    for (index, digest) in digests.iter().enumerate() {
        assert!(!digests[..index].contains(digest), "{index}");
    }
    let spelled = sha256(&[b"ccoin/2/ack", &[0x24; 32], &encode(&one), &encode(&two)]);
    assert_eq!(digests[0], spelled);
}

#[test]
fn lists_end_at_their_bounds() {
    let request = |pairs: usize, most: u16| {
        let pair = (number(1), BlockId::ZERO);
        let locator = vec![pair; pairs];
        Message::AskBlocks(BlockRequest { locator, most })
    };
    let most = u16::try_from(MAX_ANSWER_BLOCKS).unwrap();
    taken(&request(MAX_LOCATOR, most));
    taken(&request(0, 1));
    refused(&request(MAX_LOCATOR + 1, most), "41 pairs");
    refused(&request(1, 0), "0 blocks wanted");
    refused(&request(1, most + 1), "257 blocks wanted");
    let answer = |count: usize, more: u8| {
        let (blocks, keys) = (vec![serde_bytes::ByteBuf::new(); count], Vec::new());
        Message::Blocks(BlockAnswer {
            blocks,
            keys,
            last_final: certificate(),
            more,
        })
    };
    taken(&answer(MAX_ANSWER_BLOCKS, 1));
    refused(&answer(MAX_ANSWER_BLOCKS + 1, 1), "257 blocks");
    refused(&answer(0, 2), "more is 2");
    let txns = |count| Message::Transactions(vec![transaction(); count]);
    taken(&txns(MAX_MESSAGE_TXNS));
    refused(&txns(MAX_MESSAGE_TXNS + 1), "501 entries");
    let peers = |count: usize| Message::Peers((0..count as u16).map(peer).collect());
    taken(&peers(MAX_SHARED_PEERS));
    refused(&peers(MAX_SHARED_PEERS + 1), "101 entries");
}

#[test]
fn peer_addresses_are_names_and_ports() {
    let with = |host: &str, port| {
        let (address, host) = (Address::ZERO, host.to_owned());
        Message::Peers(vec![PeerAddress {
            address,
            host,
            port,
        }])
    };
    for host in [
        "a",
        "10.0.0.1",
        "::1",
        "my_node-2.example",
        &"h".repeat(253),
    ] {
        taken(&with(host, 1));
    }
    for host in ["", "a b", "a/b", "a\u{1b}[2J", "käse", &"h".repeat(254)] {
        refused(&with(host, 1), "host");
    }
    refused(&with("a", 0), "port 0");
}

#[test]
fn the_text_of_a_bye_is_cut_and_has_no_control_characters() {
    let long = Bye::new(ByeReason::Invalid, &"ä".repeat(300));
    assert_eq!(long.text(), "ä".repeat(200));
    taken(&Message::Bye(long));
    let odd = Bye::new(ByeReason::Slow, "a\u{1b}[31mb\nc\u{85}d");
    assert_eq!(odd.text(), "a [31mb c d");
    let bytes = encode(&(9u8, "x\u{7}".repeat(200)));
    let Ok(Message::Bye(foreign)) = Message::decode(*b"BYE", &bytes) else {
        panic!("within the limit")
    };
    assert_eq!(
        foreign.text(),
        "x ".repeat(200),
        "whatever the other side wrote"
    );
    let bytes = encode(&(9u8, "y".repeat(500)));
    let Ok(Message::Bye(foreign)) = Message::decode(*b"BYE", &bytes) else {
        panic!("within the limit")
    };
    assert_eq!(foreign.text().len(), 400);
    for code in 0..=u8::MAX {
        assert_eq!(ByeReason::from(code).code(), code);
        assert_eq!(
            matches!(ByeReason::from(code), ByeReason::Other(_)),
            !(1..=12).contains(&code)
        );
    }
}
