//! Proof that a key broke a rule: two signed objects of which an honest key signs one.

use super::vote::{SignedVote, Vote, VoterIndex};
use crate::{BlockId, block::SignedHeader, consensus::schedule::Schedule};
use ccoin_crypto::Address;
use serde::{Deserialize, Serialize};

/// Two conflicting objects of one key (E1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Evidence {
    /// Two votes of one voter for one phase and ballot.
    Votes(Box<(SignedVote, SignedVote)>),
    /// Two headers of one miner for one slot and number.
    Headers(Box<(SignedHeader, SignedHeader)>),
}

impl Evidence {
    /// Two votes, if they conflict.
    #[must_use]
    pub fn of_votes(a: &SignedVote, b: &SignedVote) -> Option<Self> {
        let turn = |vote: &Vote| (vote.voter, vote.phase, vote.block.ballot);
        let conflict = turn(&a.vote) == turn(&b.vote) && a.vote.block.id != b.vote.block.id;
        conflict.then(|| Self::Votes(Box::new((a.clone(), b.clone()))))
    }

    /// Two headers, if they conflict.
    #[must_use]
    pub fn of_headers(
        a: &SignedHeader,
        b: &SignedHeader,
        schedule: &Schedule,
        genesis: &BlockId,
    ) -> Option<Self> {
        let turn = |signed: &SignedHeader| {
            let header = &signed.header;
            (header.coinbase, header.number, schedule.slot(header.time))
        };
        let conflict = turn(a) == turn(b) && a.id(genesis) != b.id(genesis);
        conflict.then(|| Self::Headers(Box::new((a.clone(), b.clone()))))
    }

    /// The offender.
    #[must_use]
    pub fn offender(&self, schedule: &Schedule) -> Option<Address> {
        match self {
            Self::Votes(votes) => schedule.miner(votes.0.vote.voter),
            Self::Headers(headers) => Some(headers.0.header.coinbase),
        }
    }

    /// The voter, if it is about votes.
    #[must_use]
    pub fn voter(&self) -> Option<VoterIndex> {
        match self {
            Self::Votes(votes) => Some(votes.0.vote.voter),
            Self::Headers(_) => None,
        }
    }
}
