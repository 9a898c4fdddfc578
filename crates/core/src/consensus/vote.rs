//! A validator's vote: in phase 1 it accepts a proposal, in phase 2 it states that it has seen
//! the certificate of phase 1 and is locked on it.

use super::ballot::Ballot;
use crate::{BlockId, Height, encoding::encode, genesis::GenesisHeader};
use ccoin_crypto::{Claim, Hash, PublicKey, Signature, SignatureError, Verifier, sha256};
use serde::{Deserialize, Serialize};

/// Position of a validator in `miners` of the genesis block, which has at most 100.
pub type VoterIndex = u8;

/// The first or the second vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Hash)]
#[serde(try_from = "u8", into = "u8")]
pub enum Phase {
    /// Vote 1: the answer to a proposal.
    One,
    /// Vote 2: the answer to a certificate of votes 1.
    Two,
}

impl From<Phase> for u8 {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::One => 1,
            Phase::Two => 2,
        }
    }
}

impl TryFrom<u8> for Phase {
    type Error = String;

    fn try_from(value: u8) -> Result<Self, String> {
        match value {
            1 => Ok(Self::One),
            2 => Ok(Self::Two),
            other => Err(format!("phase {other} is neither 1 nor 2")),
        }
    }
}

/// A block under the ballot of its proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, PartialOrd, Ord, Hash)]
pub struct Proposed {
    /// The ballot.
    pub ballot: Ballot,
    /// The block's number.
    pub number: Height,
    /// The block's id.
    pub id: BlockId,
}

impl Proposed {
    /// Block 1 under the ballot 0.
    #[must_use]
    pub fn genesis(id: BlockId) -> Self {
        Self {
            ballot: Ballot::GENESIS,
            number: Height::GENESIS,
            id,
        }
    }
}

/// What a validator signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vote {
    /// First or second.
    pub phase: Phase,
    /// For which block.
    pub block: Proposed,
    /// Whose.
    pub voter: VoterIndex,
}

impl Vote {
    /// `SHA256("ccoin/1/adr" | genesis id | encode([phase, ballot, number, id, voter]))`.
    #[must_use]
    pub fn digest(&self, genesis: &BlockId) -> Hash {
        let Proposed { ballot, number, id } = &self.block;
        let fields = encode(&(self.phase, ballot, number, id, self.voter));
        sha256(&[b"ccoin/1/adr", genesis.as_bytes(), &fields])
    }
}

/// A vote as it travels: an array of six; its signature may be wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Fields", into = "Fields")]
pub struct SignedVote {
    /// What is signed.
    pub vote: Vote,
    /// RSASSA-PSS over [`Vote::digest`].
    pub signature: Signature,
}

type Fields = (Phase, Ballot, Height, BlockId, VoterIndex, Signature);

impl From<Fields> for SignedVote {
    fn from((phase, ballot, number, id, voter, signature): Fields) -> Self {
        let block = Proposed { ballot, number, id };
        let vote = Vote {
            phase,
            block,
            voter,
        };
        Self { vote, signature }
    }
}

impl From<SignedVote> for Fields {
    fn from(signed: SignedVote) -> Self {
        let SignedVote { vote, signature } = signed;
        let Proposed { ballot, number, id } = vote.block;
        (vote.phase, ballot, number, id, vote.voter, signature)
    }
}

/// Why a vote or a certificate is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VoteError {
    /// The genesis block lists no such miner.
    #[error("voter {voter}, but there are {miners} miners")]
    Voter {
        /// Position that the vote names.
        voter: VoterIndex,
        /// Miners of the network.
        miners: usize,
    },
    /// The proposer of the ballot is another miner.
    #[error("voter {voter} proposes ballot {ballot}, which is not its turn")]
    Turn {
        /// Who signs.
        voter: VoterIndex,
        /// For which ballot.
        ballot: Ballot,
    },
    /// The voter's public key has not been seen; neither valid nor invalid (M5).
    #[error("the key of voter {0} is not known")]
    Key(VoterIndex),
    /// The signature is wrong.
    #[error("signature of voter {voter}: {source}")]
    Signature {
        /// Whose.
        voter: VoterIndex,
        /// What is wrong with it.
        source: SignatureError,
    },
    /// A certificate without exactly `expected` votes of different miners, sorted.
    #[error("a certificate of {got} votes where {expected} of different miners, sorted, are due")]
    Quorum {
        /// Votes in it.
        got: usize,
        /// Votes that it must have.
        expected: u32,
    },
}

/// A vote whose signature has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedVote(SignedVote);

impl VerifiedVote {
    /// Checks voter and signature. `key` finds a miner's public key by its position.
    ///
    /// # Errors
    /// [`VoteError`].
    pub fn verify<'k>(
        signed: SignedVote,
        genesis: &GenesisHeader,
        key: impl Fn(VoterIndex) -> Option<&'k PublicKey>,
        verifier: &mut Verifier,
    ) -> Result<Self, VoteError> {
        Self::check_all(std::slice::from_ref(&signed), genesis, key, verifier)?;
        Ok(Self(signed))
    }

    /// [`verify`](Self::verify) for many votes, whose signatures are judged together.
    ///
    /// # Errors
    /// The first [`VoteError`] in their order.
    pub fn check_all<'k>(
        votes: &[SignedVote],
        genesis: &GenesisHeader,
        key: impl Fn(VoterIndex) -> Option<&'k PublicKey>,
        verifier: &mut Verifier,
    ) -> Result<(), VoteError> {
        let miners = genesis.config.miners.len();
        let key = |voter: VoterIndex| {
            if usize::from(voter) >= miners {
                return Err(VoteError::Voter { voter, miners });
            }
            key(voter).ok_or(VoteError::Key(voter))
        };
        let keys: Vec<_> = votes.iter().map(|signed| key(signed.vote.voter)).collect();
        let unfit = keys.iter().position(Result::is_err);
        let known = votes.iter().zip(keys.iter().flatten());
        let known = known.take(unfit.unwrap_or(votes.len()));
        let claims: Vec<_> = known
            .map(|(signed, key)| Claim {
                key,
                message: signed.vote.digest(&genesis.id),
                signature: &signed.signature,
            })
            .collect();
        for (verdict, signed) in verifier.verify_many(&claims).into_iter().zip(votes) {
            let voter = signed.vote.voter;
            verdict.map_err(|source| VoteError::Signature { voter, source })?;
        }
        keys.into_iter().try_for_each(|key| key.map(drop))
    }

    /// Checks that the vote is of phase 1 and of the leader of its ballot (V1).
    ///
    /// # Errors
    /// [`VoteError::Turn`].
    pub fn check_proposer(vote: &Vote, genesis: &GenesisHeader) -> Result<(), VoteError> {
        let (voter, ballot) = (vote.voter, vote.block.ballot);
        let leader = genesis.schedule.leader(ballot.slot());
        let proposes = vote.phase == Phase::One && leader == genesis.schedule.miner(voter);
        proposes
            .then_some(())
            .ok_or(VoteError::Turn { voter, ballot })
    }

    /// Wraps a vote that this node has signed or checked before.
    #[must_use]
    pub fn already_verified(signed: SignedVote) -> Self {
        Self(signed)
    }

    /// The vote with its signature.
    #[must_use]
    pub fn signed(&self) -> &SignedVote {
        &self.0
    }
}

impl core::ops::Deref for VerifiedVote {
    type Target = Vote;
    fn deref(&self) -> &Vote {
        &self.0.vote
    }
}
