//! What peers say about final blocks, with real signatures: nothing that is not signed enters,
//! and what was checked once is never replaced by a copy that was not (M1, M4, M5).

use ccoin_core::{
    BlockId, Height,
    consensus::{
        ConsensusError,
        ballot::Ballot,
        certificate::Certificate,
        evidence::Evidence,
        vote::{Phase, Proposed, SignedVote, Vote, VoteError, VoterIndex},
    },
    genesis::Genesis,
    gossip::{VoteCache, VoteContext},
    machine::Input,
    message::{Message, SignedProposal, Status, VoterState, Yours},
};
use ccoin_crypto::{PublicKey, Signature, Verifier};
use ccoin_sim::{Network, at, height, key};
use std::sync::Arc;

/// A network of three, its keys, and what has been checked.
struct Desk {
    genesis: Arc<Genesis>,
    keys: Vec<Option<PublicKey>>,
    cache: VoteCache,
    verifier: Verifier,
    last_final: Ballot,
}

impl Desk {
    fn new() -> Self {
        let public = |index| Some(key(index).public_key().clone());
        Self {
            genesis: Network::ready(3).found(),
            keys: (0..3).map(public).collect(),
            cache: VoteCache::default(),
            verifier: Verifier::new(8),
            last_final: Ballot::GENESIS,
        }
    }

    /// This node is miner 0; it is 2 s after the start.
    fn check(&mut self, message: Message) -> Result<Option<Input>, ConsensusError> {
        let context = VoteContext {
            genesis: &self.genesis,
            keys: &self.keys,
            own: Some(0),
            latest: self.genesis.schedule.slot(at(2_000)),
            last_final: self.last_final,
        };
        let peer = 7;
        self.cache
            .check(&context, peer, message, &mut self.verifier)
    }

    /// A block under a ballot of the slot of now.
    fn block(&self, count: u64) -> Proposed {
        let slot = self.genesis.schedule.slot(at(2_000));
        Proposed {
            ballot: Ballot(Ballot::first(slot).0 + count),
            number: height(9),
            id: BlockId::new([5; 32]),
        }
    }

    fn vote(&self, phase: Phase, voter: VoterIndex, block: Proposed) -> SignedVote {
        let vote = Vote {
            phase,
            block,
            voter,
        };
        let digest = vote.digest(&self.genesis.id);
        let signature = key(usize::from(voter)).sign(&digest).unwrap();
        SignedVote { vote, signature }
    }

    /// Signed by miners 0 and 1, which is a quorum of three.
    fn certificate(&self, block: Proposed) -> Certificate {
        let voters: [VoterIndex; 2] = [0, 1];
        Certificate {
            phase: Phase::Two,
            ballot: block.ballot,
            number: block.number,
            id: block.id,
            votes: voters
                .map(|voter| (voter, self.vote(Phase::Two, voter, block).signature))
                .to_vec(),
        }
    }

    fn status(&self, last_final: Certificate, yours: Yours) -> Message {
        Message::Status(Box::new(Status {
            high: last_final.clone(),
            head: (last_final.number, last_final.id),
            last_final,
            state: VoterState::Intact,
            links: Vec::new(),
            yours,
        }))
    }

    fn leader(&self) -> VoterIndex {
        let schedule = &self.genesis.schedule;
        let leader = schedule.leader(schedule.slot(at(2_000))).unwrap();
        u8::try_from(schedule.index(&leader).unwrap()).unwrap()
    }
}

fn spoilt(signature: &Signature) -> Signature {
    let mut bytes = signature.as_bytes().to_vec();
    bytes[100] ^= 1;
    Signature::new(&bytes).unwrap()
}

#[test]
fn a_vote_is_news_once_and_only_with_its_voters_signature() {
    let mut desk = Desk::new();
    let good = desk.vote(Phase::One, 1, desk.block(0));
    let mut bad = good.clone();
    bad.signature = spoilt(&good.signature);
    let refused = desk.check(Message::Vote(bad.clone()));
    let of_voter = |error: &ConsensusError| {
        matches!(
            error,
            ConsensusError::Vote(VoteError::Signature { voter: 1, .. })
        )
    };
    assert!(refused.as_ref().is_err_and(of_voter), "{refused:?}");
    let taken = desk.check(Message::Vote(good.clone())).unwrap();
    assert!(matches!(taken, Some(Input::Vote { vote, .. }) if *vote.signed() == good));
    // Votes are keyed by voter, never by signature bytes: a copy costs no check and no blame.
    assert!(desk.check(Message::Vote(bad)).unwrap().is_none());
    assert!(desk.check(Message::Vote(good)).unwrap().is_none());
}

#[test]
fn votes_of_the_future_or_below_final_are_dropped_unread() {
    let mut desk = Desk::new();
    let now = desk.block(0);
    let mut later = now;
    later.ballot = Ballot::first(now.ballot.slot() + 1);
    let mut vote = desk.vote(Phase::One, 1, later);
    vote.signature = spoilt(&vote.signature);
    assert!(desk.check(Message::Vote(vote)).unwrap().is_none());
    desk.last_final = desk.block(1).ballot;
    let mut vote = desk.vote(Phase::One, 1, now);
    vote.signature = spoilt(&vote.signature);
    assert!(desk.check(Message::Vote(vote)).unwrap().is_none());
}

#[test]
fn a_key_that_is_not_known_is_neither_right_nor_wrong() {
    let mut desk = Desk::new();
    let vote = desk.vote(Phase::One, 1, desk.block(0));
    let known = desk.keys[1].take();
    let refused = desk.check(Message::Vote(vote.clone()));
    assert_eq!(
        refused.unwrap_err(),
        ConsensusError::Vote(VoteError::Key(1))
    );
    desk.keys[1] = known;
    assert!(desk.check(Message::Vote(vote)).unwrap().is_some());
}

#[test]
fn a_proposal_is_the_leaders_vote_1() {
    let mut desk = Desk::new();
    let leader = desk.leader();
    let justify = desk.certificate(desk.block(0));
    let block = desk.block(1);
    for (phase, voter, fits) in [
        (Phase::One, leader, true),
        (Phase::Two, leader, false),
        (Phase::One, (leader + 1) % 3, false),
    ] {
        let (vote, justify) = (desk.vote(phase, voter, block), justify.clone());
        let proposal = SignedProposal { vote, justify };
        let found = desk.check(Message::Proposal(proposal));
        assert_eq!(found.is_ok(), fits, "{phase:?} {voter}: {found:?}");
    }
}

#[test]
fn the_checked_copy_of_a_certificate_is_used_and_no_other() {
    let mut desk = Desk::new();
    let good = desk.certificate(desk.block(0));
    let mut bad = good.clone();
    bad.votes[1].1 = spoilt(&good.votes[1].1);
    let message = desk.status(bad.clone(), Yours::default());
    assert!(desk.check(message).is_err());
    let shown = |desk: &mut Desk, certificate: &Certificate| {
        let message = desk.status(certificate.clone(), Yours::default());
        match desk.check(message).unwrap().unwrap() {
            Input::Status { status, .. } => (*status.last_final).clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(shown(&mut desk, &good), good);
    assert_eq!(shown(&mut desk, &bad), good, "what enters was checked");
    // Under another number it is another certificate, which nobody signed.
    let mut renumbered = good.clone();
    renumbered.number = height(10);
    let message = desk.status(renumbered, Yours::default());
    assert!(desk.check(message).is_err());
    // One below final proves less than final: that of block 1 stands for it.
    desk.last_final = desk.block(1).ballot;
    assert_eq!(shown(&mut desk, &bad).number, Height::GENESIS);
}

#[test]
fn a_status_shows_only_what_the_receivers_key_signed() {
    let mut desk = Desk::new();
    let last_final = desk.certificate(desk.block(0));
    let yours = |vote: SignedVote| Yours {
        vote1: Some(vote),
        ..Yours::default()
    };
    let own = desk.vote(Phase::One, 0, desk.block(1));
    let message = desk.status(last_final.clone(), yours(own.clone()));
    assert!(desk.check(message).unwrap().is_some());
    let others = desk.vote(Phase::One, 1, desk.block(1));
    let message = desk.status(last_final.clone(), yours(others));
    assert_eq!(desk.check(message).unwrap_err(), ConsensusError::Stranger);
    let signature = spoilt(&own.signature);
    let message = desk.status(last_final, yours(SignedVote { signature, ..own }));
    assert!(matches!(
        desk.check(message).unwrap_err(),
        ConsensusError::Vote(VoteError::Signature { .. })
    ));
}

#[test]
fn evidence_needs_both_signatures() {
    let mut desk = Desk::new();
    let first = desk.vote(Phase::One, 1, desk.block(0));
    let mut other = desk.block(0);
    other.id = BlockId::new([6; 32]);
    let second = desk.vote(Phase::One, 1, other);
    let proof = Evidence::of_votes(&first, &second).unwrap();
    assert!(desk.check(Message::Evidence(proof)).unwrap().is_some());
    let signature = spoilt(&second.signature);
    let forged = SignedVote {
        signature,
        ..second
    };
    let proof = Evidence::of_votes(&first, &forged).unwrap();
    assert!(desk.check(Message::Evidence(proof)).is_err());
    assert!(Evidence::of_votes(&first, &first).is_none());
}
