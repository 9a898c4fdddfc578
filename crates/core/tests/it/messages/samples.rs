//! One message of every kind, the same in every run.

use ccoin_core::{
    Address, BlockId, Hash, Height, Timestamp,
    consensus::{
        ballot::Ballot,
        certificate::Certificate,
        evidence::Evidence,
        vote::{Phase, Proposed, SignedVote, Vote},
    },
    encoding::encode,
    message::{
        Acknowledgement, BlockAnswer, BlockRequest, Bye, ByeReason, Heights, Hello, Message,
        NodeType, PROTOCOL, PeerAddress, SignedProposal, Status, VoterState, Yours,
    },
    transaction::Transaction,
};
use ccoin_crypto::{PublicKey, Signature};

/// A public key of 2,048 bits that all say the same.
pub(crate) fn public_key(byte: u8) -> PublicKey {
    let start = [
        0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01,
        0x01, 0x01, 0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00, 0x30, 0x82, 0x01, 0x0a, 0x02, 0x82,
        0x01, 0x01, 0x00,
    ];
    let end = [0x02, 0x03, 0x01, 0x00, 0x01];
    let der = [&start[..], &[byte | 0x81; 256], &end].concat();
    PublicKey::from_der(&der).expect("an odd number of 2,048 bits")
}

pub(crate) fn signature(length: usize) -> Signature {
    Signature::new(&vec![0xab; length]).expect("not too long")
}

pub(crate) fn number(number: u64) -> Height {
    Height::new(number).expect("within the range")
}

pub(crate) fn time(ms: u64) -> Timestamp {
    Timestamp::new(ms).expect("within the range")
}

pub(crate) fn hello() -> Hello {
    let public_key = public_key(0xc5);
    Hello {
        version: PROTOCOL,
        agent: "ccoin/0.1.0".into(),
        network_id: 7,
        genesis_id: BlockId::new([0x11; 32]),
        address: public_key.address(),
        public_key,
        node_type: NodeType::Validator,
        listen_port: 8_400,
        place: "node.example:8400".into(),
        height: number(300),
        final_number: number(1),
        clock: time(1_700_000_000_000),
        challenge: Hash::new([0x22; 32]),
    }
}

pub(crate) fn transaction() -> Transaction {
    Transaction {
        number: ccoin_core::AccountNonce::new(1).expect("within the range"),
        from: public_key(0xd3),
        to: Address::ZERO,
        amount: ccoin_sim::coins(5),
        data: "a".into(),
        time: time(1_700_000_000_001),
        signature: signature(256),
    }
}

pub(crate) fn block() -> ccoin_core::block::Block {
    use ccoin_core::{PowNonce, StateHash, TxnsHash, block};
    let header = block::Header {
        version: block::VERSION,
        number: number(2),
        hash_parent: BlockId::new([0x33; 32]),
        hash_state: StateHash::new([0x44; 32]),
        hash_txns: TxnsHash::new([0x55; 32]),
        coinbase: Address::ZERO,
        time: time(1_700_000_000_002),
        reward: ccoin_sim::coins(10),
        difficulty: 1,
        data: "b".into(),
    };
    let signed = block::SignedHeader {
        header,
        nonce: PowNonce::ZERO,
        signature: signature(256),
    };
    block::Block {
        signed,
        transactions: vec![transaction()],
    }
}

pub(crate) fn peer(index: u16) -> PeerAddress {
    PeerAddress {
        address: Address::ZERO,
        host: "node.example".into(),
        port: index + 1,
    }
}

fn vote(id: u8) -> SignedVote {
    let block = Proposed {
        ballot: Ballot(1 << 40),
        number: number(300),
        id: BlockId::new([id; 32]),
    };
    let vote = Vote {
        phase: Phase::One,
        block,
        voter: 1,
    };
    SignedVote {
        vote,
        signature: signature(256),
    }
}

pub(super) fn certificate() -> Certificate {
    let SignedVote { vote, signature } = vote(1);
    let Proposed { ballot, number, id } = vote.block;
    Certificate {
        phase: Phase::Two,
        ballot,
        number,
        id,
        votes: vec![(0, signature.clone()), (1, signature)],
    }
}

/// One message of every kind, in the order of the table.
pub(crate) fn messages() -> Vec<Message> {
    let (hello, signature) = (hello(), signature(256));
    vec![
        Message::Hey(hello.clone()),
        Message::Ack(Acknowledgement {
            hello,
            signature: signature.clone(),
        }),
        Message::Oky(signature),
        Message::Bye(Bye::new(ByeReason::Full, "no room")),
        Message::Keys(vec![public_key(0xc5)]),
        Message::AskHeights,
        Message::Heights(Heights {
            height: number(300),
            final_number: number(1),
        }),
        Message::AskBlocks(BlockRequest {
            locator: vec![(number(300), BlockId::new([0x66; 32]))],
            most: 256,
        }),
        Message::Blocks(BlockAnswer {
            blocks: vec![serde_bytes::ByteBuf::from(encode(&block()))],
            keys: vec![public_key(0xc5)],
            last_final: certificate(),
            more: 1,
        }),
        Message::Transactions(vec![transaction()]),
        Message::Block(block()),
        Message::Vote(vote(1)),
        Message::Proposal(SignedProposal {
            vote: vote(1),
            justify: certificate(),
        }),
        Message::Status(Box::new(Status {
            last_final: certificate(),
            high: certificate(),
            head: (number(300), BlockId::new([0x66; 32])),
            state: VoterState::Intact,
            links: vec![0, 2],
            yours: Yours {
                vote1: Some(vote(1)),
                vote2: None,
                header: Some(block().signed),
            },
        })),
        Message::Evidence(Evidence::Votes(Box::new((vote(1), vote(2))))),
        Message::Peers(vec![peer(0)]),
        Message::Ping(time(1)),
        Message::Pong(time(1 << 40)),
    ]
}
