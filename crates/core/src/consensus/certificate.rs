//! Votes of a quorum for one block in one phase. A certificate proves itself to everybody who
//! has the genesis block and the miners' public keys.

use super::{
    ballot::Ballot,
    vote::{Phase, Proposed, SignedVote, VerifiedVote, Vote, VoteError, VoterIndex},
};
use crate::{BlockId, Height, genesis::GenesisHeader};
use ccoin_crypto::{PublicKey, Signature, Verifier};
use serde::{Deserialize, Serialize};

/// `[phase, ballot, number, id, [[voter, signature] ...]]`: exactly a quorum of votes of
/// different miners, sorted by voter. The certificates of block 1 have no votes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// 1: the block may become final; 2: it is final.
    pub phase: Phase,
    /// Of the proposal.
    pub ballot: Ballot,
    /// Of the block.
    pub number: Height,
    /// Of the block.
    pub id: BlockId,
    /// Voters and their signatures.
    pub votes: Vec<(VoterIndex, Signature)>,
}

impl Certificate {
    /// The block under its ballot.
    #[must_use]
    pub fn block(&self) -> Proposed {
        Proposed {
            ballot: self.ballot,
            number: self.number,
            id: self.id,
        }
    }

    /// The vote of a voter, if it is one of these.
    #[must_use]
    pub fn vote_of(&self, voter: VoterIndex) -> Option<SignedVote> {
        let (_, signature) = self.votes.iter().find(|(index, _)| *index == voter)?;
        let vote = Vote {
            phase: self.phase,
            block: self.block(),
            voter,
        };
        let signature = signature.clone();
        Some(SignedVote { vote, signature })
    }

    fn is_of_genesis(&self, genesis: &BlockId) -> bool {
        self.block() == Proposed::genesis(*genesis) && self.votes.is_empty()
    }

    fn check_shape(&self, genesis: &GenesisHeader) -> Result<(), VoteError> {
        let expected = genesis.config.consensus.quorum;
        let pairs = self.votes.iter().zip(self.votes.iter().skip(1));
        let sorted = pairs.into_iter().all(|((a, _), (b, _))| a < b);
        if sorted && u32::try_from(self.votes.len()) == Ok(expected) {
            return Ok(());
        }
        let got = self.votes.len();
        Err(VoteError::Quorum { got, expected })
    }
}

/// A certificate whose votes have been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCertificate(Certificate);

impl VerifiedCertificate {
    /// The certificate of block 1: the first lock, and the first final block.
    #[must_use]
    pub fn genesis(phase: Phase, genesis: BlockId) -> Self {
        let Proposed { ballot, number, id } = Proposed::genesis(genesis);
        Self(Certificate {
            phase,
            ballot,
            number,
            id,
            votes: Vec::new(),
        })
    }

    /// Checks shape and signatures. `key` finds a miner's public key by its position.
    ///
    /// # Errors
    /// [`VoteError`].
    pub fn verify<'k>(
        certificate: Certificate,
        genesis: &GenesisHeader,
        key: impl Fn(VoterIndex) -> Option<&'k PublicKey>,
        verifier: &mut Verifier,
    ) -> Result<Self, VoteError> {
        if certificate.is_of_genesis(&genesis.id) {
            return Ok(Self(certificate));
        }
        certificate.check_shape(genesis)?;
        let signed = |(voter, signature): &(VoterIndex, Signature)| SignedVote {
            vote: Vote {
                phase: certificate.phase,
                block: certificate.block(),
                voter: *voter,
            },
            signature: signature.clone(),
        };
        let votes: Vec<_> = certificate.votes.iter().map(signed).collect();
        VerifiedVote::check_all(&votes, genesis, key, verifier)?;
        Ok(Self(certificate))
    }

    /// Wraps a certificate that this node has made or checked before.
    #[must_use]
    pub fn already_verified(certificate: Certificate) -> Self {
        Self(certificate)
    }
}

impl core::ops::Deref for VerifiedCertificate {
    type Target = Certificate;
    fn deref(&self) -> &Certificate {
        &self.0
    }
}
