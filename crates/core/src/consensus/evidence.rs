//! Proof that a key broke a rule: two signed objects of which an honest key signs one.

use super::{
    ConsensusError,
    schedule::Schedule,
    vote::{SignedVote, VerifiedVote, Vote, VoteError, VoterIndex},
};
use crate::{BlockId, block::SignedHeader, genesis::Genesis, rules::check_header};
use ccoin_crypto::{Address, PublicKey, Verifier};
use serde::{Deserialize, Serialize};

/// Two conflicting objects of one key (E1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Encoded", into = "Encoded")]
pub enum Evidence {
    /// Two votes of one voter for one phase and ballot.
    Votes(Box<(SignedVote, SignedVote)>),
    /// Two headers of one miner for one slot and number.
    Headers(Box<(SignedHeader, SignedHeader)>),
}

/// Two votes and no header, or no vote and two headers.
#[derive(Serialize, Deserialize)]
struct Encoded(Vec<SignedVote>, Vec<SignedHeader>);

impl From<Evidence> for Encoded {
    fn from(evidence: Evidence) -> Self {
        match evidence {
            Evidence::Votes(votes) => Self(vec![votes.0, votes.1], Vec::new()),
            Evidence::Headers(headers) => Self(Vec::new(), vec![headers.0, headers.1]),
        }
    }
}

impl TryFrom<Encoded> for Evidence {
    type Error = &'static str;

    fn try_from(Encoded(votes, headers): Encoded) -> Result<Self, Self::Error> {
        match (&votes[..], &headers[..]) {
            ([a, b], []) => Self::of_votes(a, b).ok_or("the two votes do not conflict"),
            ([], [a, b]) => Ok(Self::Headers(Box::new((a.clone(), b.clone())))),
            _ => Err("evidence is two votes or two headers"),
        }
    }
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

    /// Checks both signatures, and that the objects conflict. `key` finds a miner's public key
    /// by its position.
    ///
    /// # Errors
    /// [`ConsensusError`].
    pub fn verify<'k>(
        &self,
        genesis: &Genesis,
        key: impl Fn(VoterIndex) -> Option<&'k PublicKey>,
        verifier: &mut Verifier,
    ) -> Result<(), ConsensusError> {
        let schedule = &genesis.schedule;
        match self {
            Self::Votes(votes) => {
                Self::of_votes(&votes.0, &votes.1).ok_or(ConsensusError::NoConflict)?;
                for vote in [&votes.0, &votes.1] {
                    VerifiedVote::verify(vote.clone(), genesis, &key, verifier)?;
                }
            }
            Self::Headers(headers) => {
                Self::of_headers(&headers.0, &headers.1, schedule, &genesis.id)
                    .ok_or(ConsensusError::NoConflict)?;
                let miner = schedule.index(&headers.0.header.coinbase);
                let miner = miner.and_then(|index| VoterIndex::try_from(index).ok());
                let miner = miner.ok_or(ConsensusError::Stranger)?;
                let key = key(miner).ok_or(VoteError::Key(miner))?;
                for header in [&headers.0, &headers.1] {
                    check_header(header, genesis, key, verifier)?;
                }
            }
        }
        Ok(())
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
