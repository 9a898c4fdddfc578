//! A peer that has as many blocks as the others, so it says, and hands over what harms
//! most: nothing, no answer, or blocks with one bit changed.

use crate::support::{Node, Stranger};
use ccoin_core::{
    consensus::{certificate::VerifiedCertificate, vote::Phase},
    encoding::{decode, encode},
    message::BlockAnswer,
};
use std::thread;

/// How it answers a request for blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    /// Not at all.
    Silent,
    /// "I have no more than you".
    Empty,
    /// With the blocks of an honest node; one bit of the last one is another.
    Corrupt,
}

/// Calls a node that has no chain yet, and lies until the connection ends.
pub(crate) fn call(victim: &Node, honest: &Node, height: u64, manner: Manner) {
    let genesis = honest.genesis_id();
    let mut peer = Stranger::call(&victim.p2p(), genesis, height);
    let source = honest.p2p();
    thread::spawn(move || {
        let mut source = Stranger::call(&source, genesis, height);
        while let Some(frame) = peer.hear() {
            if frame.header != *b"RBL" {
                continue;
            }
            let answer = match manner {
                Manner::Silent => continue,
                Manner::Empty => encode(&BlockAnswer {
                    blocks: Vec::new(),
                    keys: Vec::new(),
                    last_final: (*VerifiedCertificate::genesis(Phase::Two, genesis)).clone(),
                    more: 0,
                }),
                Manner::Corrupt => corrupted(&mut source, &frame.body),
            };
            if !peer.say(*b"ABL", &answer) {
                return;
            }
        }
    });
}

fn corrupted(source: &mut Stranger, request: &[u8]) -> Vec<u8> {
    source.say(*b"RBL", request);
    let body = loop {
        let frame = source.hear().expect("an honest node answers");
        if frame.header == *b"ABL" {
            break frame.body;
        }
    };
    let mut answer: BlockAnswer = decode("ABL", &body).expect("an honest answer");
    if let Some(last) = answer.blocks.last_mut() {
        // The last bytes are those of a signature.
        let end = last.len() - 1;
        last[end] ^= 1;
    }
    encode(&answer)
}
