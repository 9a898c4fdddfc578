//! Counts the votes of all validators. A vote counts once for each voter, phase and ballot:
//! the first one (M1).

use super::{
    ballot::Ballot,
    certificate::{Certificate, VerifiedCertificate},
    evidence::Evidence,
    schedule::Slot,
    vote::{Phase, Proposed, VerifiedVote, VoterIndex},
};
use std::collections::BTreeMap;

/// Newest ballots of one voter and phase that are kept (M4).
const MAX_BALLOTS: usize = 64;

/// What a vote did.
#[derive(Debug, PartialEq, Eq)]
pub enum Counted {
    /// It counts.
    New,
    /// It was here.
    Known,
    /// It is older than what is kept, or one more than an honest key gives in a slot (V8).
    Refused,
    /// Its voter has voted for another block under that ballot.
    Conflict(Evidence),
}

/// The votes of one voter in one phase.
#[derive(Debug, Default)]
struct Votes {
    newest: BTreeMap<Ballot, VerifiedVote>,
    /// How many have counted for ballots of each slot that is not older than the kept ones.
    given: BTreeMap<Slot, u64>,
}

/// The votes above the final block.
#[derive(Debug)]
pub struct Tally {
    quorum: usize,
    most: u64,
    votes: BTreeMap<(Phase, VoterIndex), Votes>,
}

impl Tally {
    /// No votes yet; `quorum` votes make a certificate, and a key gives at most `most` in each
    /// slot and phase.
    #[must_use]
    pub fn new(quorum: u32, most: u64) -> Self {
        Self {
            quorum: usize::try_from(quorum).unwrap_or(usize::MAX),
            most,
            votes: BTreeMap::new(),
        }
    }

    /// Counts a vote.
    pub fn add(&mut self, vote: VerifiedVote) -> Counted {
        let key = (vote.phase, vote.voter);
        let Votes { newest, given } = self.votes.entry(key).or_default();
        let ballot = vote.block.ballot;
        if let Some(first) = newest.get(&ballot) {
            let conflict = Evidence::of_votes(first.signed(), vote.signed());
            return conflict.map_or(Counted::Known, Counted::Conflict);
        }
        let is_full = newest.len() >= MAX_BALLOTS;
        let is_old = is_full && newest.first_key_value().is_some_and(|(o, _)| *o > ballot);
        let count = given.get(&ballot.slot()).copied().unwrap_or(0);
        if is_old || count >= self.most {
            return Counted::Refused;
        }
        given.insert(ballot.slot(), count.saturating_add(1));
        newest.insert(ballot, vote);
        if is_full {
            newest.pop_first();
            let oldest = newest.first_key_value().map(|(ballot, _)| ballot.slot());
            *given = given.split_off(&oldest.unwrap_or_default());
        }
        Counted::New
    }

    /// The certificate of the votes for a block, once a quorum is there.
    #[must_use]
    pub fn certificate(&self, phase: Phase, block: &Proposed) -> Option<VerifiedCertificate> {
        let votes = self.votes.iter().filter(|((of, _), _)| *of == phase);
        let votes = votes.filter_map(|((_, voter), votes)| {
            let vote = votes.newest.get(&block.ballot)?;
            (vote.block == *block).then(|| (*voter, vote.signed().signature.clone()))
        });
        let votes: Vec<_> = votes.take(self.quorum).collect();
        (votes.len() == self.quorum).then(|| {
            VerifiedCertificate::already_verified(Certificate {
                phase,
                ballot: block.ballot,
                number: block.number,
                id: block.id,
                votes,
            })
        })
    }

    /// The newest vote of a voter in a phase.
    #[must_use]
    pub fn newest(&self, phase: Phase, voter: VoterIndex) -> Option<&VerifiedVote> {
        let votes = self.votes.get(&(phase, voter))?;
        votes.newest.last_key_value().map(|(_, vote)| vote)
    }

    /// Forgets votes below the ballot of the final certificate.
    pub fn forget_below(&mut self, ballot: Ballot) {
        for votes in self.votes.values_mut() {
            votes.newest = votes.newest.split_off(&ballot);
            votes.given = votes.given.split_off(&ballot.slot());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        BlockId, Height,
        consensus::vote::{SignedVote, Vote},
    };
    use ccoin_crypto::Signature;

    fn vote(voter: VoterIndex, ballot: u64, id: u8) -> VerifiedVote {
        let block = Proposed {
            ballot: Ballot(ballot),
            number: Height::new(9).unwrap(),
            id: BlockId::new([id; 32]),
        };
        let phase = Phase::One;
        let vote = Vote {
            phase,
            block,
            voter,
        };
        let signature = Signature::new(&[voter]).unwrap();
        VerifiedVote::already_verified(SignedVote { vote, signature })
    }

    #[test]
    fn a_quorum_of_different_voters_makes_a_certificate() {
        let mut tally = Tally::new(2, 104);
        let block = vote(0, 7, 1).block;
        assert_eq!(tally.add(vote(3, 7, 1)), Counted::New);
        assert_eq!(tally.add(vote(3, 7, 1)), Counted::Known);
        assert_eq!(tally.certificate(Phase::One, &block), None);
        assert_eq!(tally.add(vote(0, 8, 1)), Counted::New);
        assert_eq!(tally.certificate(Phase::One, &block), None);
        assert_eq!(tally.add(vote(1, 7, 1)), Counted::New);
        let found = tally.certificate(Phase::One, &block).unwrap();
        let voters: Vec<_> = found.votes.iter().map(|(voter, _)| *voter).collect();
        assert_eq!((found.block(), voters), (block, vec![1, 3]));
        assert_eq!(tally.certificate(Phase::Two, &block), None);
    }

    #[test]
    fn the_first_vote_counts_and_a_second_block_is_evidence() {
        let mut tally = Tally::new(1, 104);
        tally.add(vote(0, 7, 1));
        assert!(matches!(tally.add(vote(0, 7, 2)), Counted::Conflict(_)));
        assert!(
            tally
                .certificate(Phase::One, &vote(0, 7, 2).block)
                .is_none()
        );
        assert!(
            tally
                .certificate(Phase::One, &vote(0, 7, 1).block)
                .is_some()
        );
    }

    #[test]
    fn the_newest_ballots_are_kept_and_old_ones_forgotten() {
        let mut tally = Tally::new(1, 104);
        for ballot in 1..=100 {
            assert_eq!(tally.add(vote(0, ballot, 1)), Counted::New);
        }
        assert_eq!(tally.add(vote(0, 1, 1)), Counted::Refused);
        assert!(
            tally
                .certificate(Phase::One, &vote(0, 36, 1).block)
                .is_none()
        );
        assert!(
            tally
                .certificate(Phase::One, &vote(0, 37, 1).block)
                .is_some()
        );
        tally.forget_below(Ballot(90));
        assert!(
            tally
                .certificate(Phase::One, &vote(0, 89, 1).block)
                .is_none()
        );
        assert_eq!(
            tally.newest(Phase::One, 0).unwrap().block.ballot,
            Ballot(100)
        );
    }

    /// A liar may sign thousands of ballots in its slots: they are neither kept nor handed on.
    #[test]
    fn a_key_counts_no_more_often_in_a_slot_than_an_honest_one_votes() {
        let mut tally = Tally::new(1, 104);
        let slot = 1 << 16;
        let count = |tally: &mut Tally, ballots: core::ops::Range<u64>| {
            let mut all = ballots.map(|ballot| tally.add(vote(0, ballot, 1)));
            all.by_ref().filter(|one| *one == Counted::New).count()
        };
        assert_eq!(count(&mut tally, slot..slot + 500), 104);
        assert_eq!(count(&mut tally, 2 * slot..2 * slot + 40), 40);
        assert_eq!(count(&mut tally, slot + 500..slot + 600), 0);
        assert_eq!(count(&mut tally, 2 * slot + 40..2 * slot + 500), 64);
    }
}
