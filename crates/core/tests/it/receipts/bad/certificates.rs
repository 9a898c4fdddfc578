//! Step 8: votes.

use super::{
    super::ledger::{Ledger, votes},
    Case, Change, case, with,
};
use ccoin_core::{
    consensus::{certificate::Certificate, vote::Phase},
    receipt::{CertifiedHeaders, Receipt},
};
use ccoin_sim::key;

pub(super) fn certificates(ledger: &Ledger) -> Vec<Case> {
    let (file, good) = ("transaction.ccoin", ledger.txn(2, 2));
    let last = &ledger.block(4).block;
    let head = (last.header().number, last.id);
    let by =
        |phase, block, after, voters: &[u8]| votes(&ledger.genesis, phase, block, after, voters);
    let of = |certificate: Certificate| {
        let certified = CertifiedHeaders {
            certificate,
            ..ledger.certified(2)
        };
        let block = &ledger.block(2).block;
        let made = Receipt::of_transaction(&ledger.genesis, block, 2, &certified, &ledger.keys);
        Change::Made(Box::new(made.unwrap()))
    };
    let two = |block| by(Phase::Two, block, 4_050, &[0, 1]);
    let third = &ledger.block(3).block;
    let (other_id, other_number) = ((head.0, third.id), (third.header().number, head.1));
    let mut other_ballot = ledger.certificate.clone();
    other_ballot.ballot = other_ballot.ballot.next();
    vec![
        case(
            8,
            "votes of phase 1",
            file,
            of(by(Phase::One, head, 4_050, &[0, 1])),
        ),
        case(8, "votes for another id", file, of(two(other_id))),
        case(8, "votes for another number", file, of(two(other_number))),
        case(
            8,
            "votes for the parent",
            file,
            of(two((third.header().number, third.id))),
        ),
        case(8, "votes for another ballot", file, of(other_ballot)),
        case(8, "one vote", file, of(by(Phase::Two, head, 4_050, &[0]))),
        case(8, "no vote", file, of(by(Phase::Two, head, 4_050, &[]))),
        case(
            8,
            "a vote too many",
            file,
            of(by(Phase::Two, head, 4_050, &[0, 1, 2])),
        ),
        case(
            8,
            "a voter that is no miner",
            file,
            with(&good, |r| {
                let vote = by(Phase::Two, head, 4_050, &[3]).votes.remove(0);
                r.certificate.votes[1] = (3, vote.1.as_bytes().to_vec());
                r.keys.push((3, key(3).public_key().as_der().to_vec()));
            }),
        ),
        case(
            8,
            "a key of no miner",
            file,
            with(&good, |r| {
                r.keys.push((7, key(3).public_key().as_der().to_vec()));
            }),
        ),
        case(
            8,
            "the vote of another miner",
            file,
            with(&good, |r| {
                r.certificate.votes[1].1 = by(Phase::Two, head, 4_050, &[2]).votes[0]
                    .1
                    .as_bytes()
                    .to_vec();
            }),
        ),
        case(
            8,
            "a vote without a signature",
            file,
            with(&good, |r| r.certificate.votes[0].1.clear()),
        ),
        case(
            8,
            "a vote with a long signature",
            file,
            with(&good, |r| r.certificate.votes[0].1 = vec![1; 600]),
        ),
        case(
            8,
            "headers beyond the certified one",
            file,
            with(&good, |r| drop(r.headers.pop())),
        ),
    ]
}
