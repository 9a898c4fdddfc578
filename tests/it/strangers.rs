//! Strangers that have proven a key: what they may say, what it costs them, and that a
//! network's leader, chain and connections do not change by it.

use crate::support::{Caller, Net, Node, Stranger, wait_for};
use ccoin_core::{
    Address, Amount, BlockId, Height, PowNonce, StateHash, Timestamp, TxnsHash,
    block::{Block, Header, SignedHeader, VERSION, block_id},
    encoding::encode,
    message::{ByeReason, Message, NodeType},
    pow::Midstate,
    transaction::{Payment, Transaction},
};
use ccoin_crypto::SecretKey;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

const SLOT_MS: u64 = 1_000;

fn network(validators: usize, basics: usize) -> Net {
    let mining = json!({"min_bound": 1, "interval": 2, "max_bound": 500});
    Net::found(&mining, SLOT_MS, validators, basics)
}

fn key() -> SecretKey {
    SecretKey::generate(2048).unwrap()
}

/// What must not change by what a stranger says.
fn facts(net: &Net) -> Vec<[Value; 4]> {
    let of = |node: &Node| {
        let status = node.get("/v1/status");
        [
            status["head"].clone(),
            status["final"].clone(),
            status["state"].clone(),
            status["queue"]["txns"].clone(),
        ]
    };
    net.running().map(of).collect()
}

/// All of this network, and no stranger.
fn wait_for_the_others(net: &Net) {
    let mut all: Vec<String> = net.places.iter().map(|p| p.address.clone()).collect();
    all.sort();
    wait_for("everybody but the stranger", || {
        let complete = |node: &Node| {
            let mut peers = node.peers();
            peers.push(node.address.clone());
            peers.sort();
            peers == all
        };
        net.running().all(complete).then_some(())
    });
}

/// A child of the head for this miner, as far as anybody can make one, signed by `signer`.
fn forged(node: &Node, coinbase: Address, signer: &SecretKey) -> Vec<u8> {
    let (genesis, head) = (node.genesis_id(), node.get("/v1/status")["head"].take());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let header = Header {
        version: VERSION,
        number: Height::new(head["number"].as_u64().unwrap() + 1).unwrap(),
        hash_parent: head["id"].as_str().unwrap().parse().unwrap(),
        hash_state: StateHash::ZERO,
        hash_txns: TxnsHash::ZERO,
        coinbase,
        time: Timestamp::new(now.as_millis().try_into().unwrap()).unwrap(),
        reward: Amount::new(10).unwrap(),
        difficulty: 1,
        data: String::new(),
    };
    let hash = header.mining_hash(&genesis);
    let nonce = Midstate::new(&hash).search(1, PowNonce::ZERO, u64::MAX);
    let nonce = nonce.unwrap();
    let signature = signer.sign(&block_id(&hash, nonce).into()).unwrap();
    let signed = SignedHeader {
        header,
        nonce,
        signature,
    };
    let transactions = Vec::new();
    encode(&Block {
        signed,
        transactions,
    })
}

/// A payment whose amount was changed behind the signature.
fn falsified(genesis: &BlockId) -> Vec<u8> {
    let payment = Payment {
        number: ccoin_core::AccountNonce::new(1).unwrap(),
        to: Address::ZERO,
        amount: Amount::ZERO,
        data: String::new(),
        time: Timestamp::new(1_700_000_000_000).unwrap(),
    };
    let mut txn = Transaction::sign(payment, &key(), genesis).unwrap();
    txn.data = "more".into();
    encode(&vec![txn])
}

/// No kind of message makes anybody a leader: the schedule does. What is no vote, proposal,
/// status or evidence ends the connection; the old name for a final block is an unknown
/// header, of which a minute has room for nine.
#[test]
fn forged_election_messages_change_no_leader() {
    let mut net = network(2, 1);
    net.start_all();
    wait_for_the_others(&net);
    let before = facts(&net);
    let genesis = net.node(0).genesis_id();
    let miner: Address = net.places[1].address.parse().unwrap();
    for index in [0, 2] {
        let door = net.node(index).p2p();
        let address = key().public_key().address();
        let claims = [
            (*b"LDR", encode(&(1u8, address))),
            (*b"LDR", encode(&(u64::MAX, address, miner))),
            (*b"ADR", encode(&(address, address))),
            (*b"ADR", vec![0xc1; 4_096]),
            (*b"STA", encode(&"r")),
            (*b"STA", vec![0xc1; 100_000]),
            (*b"EVD", encode(&(miner, genesis, genesis))),
        ];
        for (header, body) in claims {
            let mut caller = Caller::call(&door, &key(), genesis).expect("a new key is welcome");
            caller.tell(header, &body);
            let bye = caller.last_word().expect("a last word");
            assert_eq!(bye.reason(), ByeReason::Malformed, "{}", bye.text());
        }
        let mut stranger = Stranger::call_as(key(), NodeType::Validator, &door, genesis, 1);
        for _ in 0..9 {
            assert!(stranger.say(*b"FIN", &encode(&(Height::MAX, genesis))));
        }
        // They are skipped: what comes behind them is answered.
        assert!(stranger.say(*b"RBH", &[0x90]));
        while stranger.hear().expect("it is still connected").header != *b"BLH" {}
        assert_eq!(facts(&net), before);
        // The tenth within a minute is too many.
        stranger.say(*b"FIN", &encode(&address));
        while stranger.hear().is_some() {}

        let own = key();
        let block = forged(net.node(0), own.public_key().address(), &own);
        let mut caller = Caller::call(&door, &own, genesis).expect("a new key is welcome");
        caller.tell(*b"BLK", &block);
        let bye = caller.last_word().expect("a last word");
        assert_eq!(bye.reason(), ByeReason::Invalid, "{}", bye.text());
        wait_for_the_others(&net);
        assert_eq!(facts(&net), before);
    }
    // Both miners still take their turns.
    let miners = [0, 1].map(|index| net.places[index].address.clone());
    let mut made = BTreeSet::new();
    wait_for("blocks of both miners", || {
        let paid = net
            .node(2)
            .pay(&json!({"sendto_address": miner, "amount": 1}));
        assert_eq!(paid.status, 200, "{}", paid.body);
        net.settle();
        let head = net.node(2).get("/v1/status")["head"].take();
        made.insert(head["coinbase"].as_str().unwrap().to_owned());
        (made.len() == 2).then_some(())
    });
    assert_eq!(made, BTreeSet::from(miners));
}

/// Too many unknown headers are no violation, a provable fault is one: that key, and no
/// other, is refused for a while.
#[test]
fn a_peer_that_sends_invalid_things_is_kept_out() {
    let mut net = network(2, 0);
    net.start_all();
    wait_for_the_others(&net);
    let (door, genesis) = (net.node(0).p2p(), net.node(0).genesis_id());
    let own = key();
    let mut caller = Caller::call(&door, &own, genesis).unwrap();
    (0..10).for_each(|_| caller.tell(*b"FIN", &[0xc0]));
    let bye = caller.last_word().expect("a last word");
    assert_eq!(bye.reason(), ByeReason::Malformed);
    assert!(Caller::call(&door, &own, genesis).is_ok());

    let miner: Address = net.places[1].address.parse().unwrap();
    let own = key().public_key().address();
    for (what, header, body, reason) in [
        (
            "a block of nobody",
            *b"BLK",
            forged(net.node(0), own, &key()),
            ByeReason::Invalid,
        ),
        (
            "a block in a miner's name",
            *b"BLK",
            forged(net.node(0), miner, &key()),
            ByeReason::Invalid,
        ),
        (
            "a false payment",
            *b"TXN",
            falsified(&genesis),
            ByeReason::Invalid,
        ),
        ("rubbish", *b"BLK", vec![0x93; 40], ByeReason::Malformed),
        ("half a ping", *b"PNG", vec![0xc1], ByeReason::Malformed),
        ("a second hello", *b"OKY", vec![0x90], ByeReason::Malformed),
    ] {
        let (bad, good) = (key(), key());
        let mut caller = Caller::call(&door, &bad, genesis).expect(what);
        caller.tell(header, &body);
        let bye = caller.last_word().expect(what);
        assert_eq!(bye.reason(), reason, "{what}: {}", bye.text());
        let again = Caller::call(&door, &bad, genesis).err();
        let again = again.expect(what).reason();
        assert_eq!(again, ByeReason::Banned, "{what}");
        assert!(Caller::call(&door, &good, genesis).is_ok(), "{what}");
    }
    wait_for_the_others(&net);
    assert_eq!(net.settle(), 1);
}

/// The network needs its miners: their faults end connections, and no more.
#[test]
fn a_genesis_miner_is_not_banned() {
    let mut net = network(2, 0);
    net.start(0);
    net.nodes[0].as_mut().unwrap().ready();
    let (door, genesis) = (net.node(0).p2p(), net.node(0).genesis_id());
    let pem = fs::read_to_string(net.places[1].data(".keys/id_rsa")).unwrap();
    let miner = SecretKey::from_pem(&pem, None).unwrap();
    for _ in 0..3 {
        let mut caller = Caller::call(&door, &miner, genesis).expect("never banned");
        caller.tell(*b"PNG", &[0xc1]);
        let bye = caller.last_word().expect("a last word");
        assert_eq!(bye.reason(), ByeReason::Malformed);
    }
}

/// The next word that is neither a question for blocks nor a status.
fn answer(stranger: &mut Stranger) -> Message {
    loop {
        let frame = stranger.hear().expect("it stays connected");
        let message = Message::decode(frame.header, &frame.body).unwrap();
        if !matches!(message, Message::AskBlocks(_) | Message::Status(_)) {
            return message;
        }
    }
}

fn keys_heard(stranger: &mut Stranger) -> BTreeSet<String> {
    match answer(stranger) {
        Message::Keys(keys) => keys.iter().map(|key| key.address().to_string()).collect(),
        other => panic!("{other:?} instead of keys"),
    }
}

/// Whoever checks blocks needs the keys of their miners: also from a node that makes none.
#[test]
fn miners_keys_are_sent_unasked() {
    let mut net = network(2, 1);
    net.start_all();
    wait_for_the_others(&net);
    let miners: BTreeSet<_> = net.places[..2].iter().map(|p| p.address.clone()).collect();
    let genesis = net.node(0).genesis_id();
    for node in net.running() {
        let mut stranger = Stranger::call(&node.p2p(), genesis, 1);
        assert_eq!(
            keys_heard(&mut stranger),
            miners,
            "right after the handshake"
        );
        let none = encode(&Vec::<ccoin_crypto::PublicKey>::new());
        assert!(stranger.say(*b"KEY", &none));
        assert_eq!(keys_heard(&mut stranger), miners, "for an empty list");
        // The key of nobody is no news: the next word is about something else.
        let nobody = encode(&vec![key().public_key().clone()]);
        assert!(stranger.say(*b"KEY", &nobody));
        assert!(stranger.say(*b"RBH", &[0x90]));
        assert!(matches!(answer(&mut stranger), Message::Heights(_)));
    }
}

/// The operator sees how far there is to go; the claim alone stops no block.
#[test]
fn progress_is_told_on_a_long_way_to_catch_up() {
    let mut net = network(1, 0);
    net.start_all();
    let (door, genesis) = (net.node(0).p2p(), net.node(0).genesis_id());
    let mut stranger = Stranger::call(&door, genesis, 1_000);
    net.nodes[0]
        .as_mut()
        .unwrap()
        .said("Catching up: block 1 of 1000");
    while stranger.hear().expect("it is asked for blocks").header != *b"RBL" {}
    let paid = json!({"sendto_address": Address::ZERO, "amount": 1});
    assert_eq!(net.node(0).pay(&paid).status, 200);
    net.node(0).reach(2);
}
