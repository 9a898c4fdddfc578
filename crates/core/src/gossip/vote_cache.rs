//! Messages of consensus, checked: each signature once, however often and by whomever it is
//! shown (M1, M4).

use crate::{
    BlockId,
    consensus::{
        ConsensusError,
        ballot::Ballot,
        certificate::{Certificate, VerifiedCertificate},
        schedule::Slot,
        status::VerifiedStatus,
        vote::{Phase, SignedVote, VerifiedVote, VoterIndex},
    },
    genesis::Genesis,
    machine::Input,
    message::Message,
    sync::PeerId,
};
use ccoin_crypto::{PublicKey, Verifier};
use std::collections::BTreeMap;

/// Votes and certificates that are remembered; the lowest ballot goes first.
const MAX_VOTES: usize = 4_096;
const MAX_CERTIFICATES: usize = 64;

/// What messages are checked against.
#[derive(Clone, Copy, Debug)]
pub struct VoteContext<'a> {
    /// The network.
    pub genesis: &'a Genesis,
    /// The miners' public keys, as far as they are known.
    pub keys: &'a [Option<PublicKey>],
    /// This node's position among the miners.
    pub own: Option<VoterIndex>,
    /// The slot of now and the tolerated skew.
    pub latest: Slot,
    /// The ballot of the final certificate.
    pub last_final: Ballot,
}

impl<'a> VoteContext<'a> {
    fn key(&self, voter: VoterIndex) -> Option<&'a PublicKey> {
        self.keys.get(usize::from(voter))?.as_ref()
    }
}

/// Votes and certificates that were checked lately.
#[derive(Debug, Default)]
pub struct VoteCache {
    votes: BTreeMap<(Ballot, Phase, VoterIndex, BlockId), VerifiedVote>,
    certificates: BTreeMap<(Ballot, Phase, BlockId), VerifiedCertificate>,
}

impl VoteCache {
    /// Checks a vote, proposal, status or evidence. `None`: it is no news, or of no use.
    ///
    /// # Errors
    /// [`ConsensusError`]; its sender is to blame unless a key is not known.
    pub fn check(
        &mut self,
        context: &VoteContext<'_>,
        peer: PeerId,
        message: Message,
        verifier: &mut Verifier,
    ) -> Result<Option<Input>, ConsensusError> {
        Ok(match message {
            Message::Vote(vote) if is_in_time(context, &vote) => {
                let (vote, is_new) = self.vote(context, vote, verifier)?;
                is_new.then_some(Input::Vote { peer, vote })
            }
            Message::Proposal(proposal) if is_in_time(context, &proposal.vote) => {
                VerifiedVote::check_proposer(&proposal.vote.vote, context.genesis)?;
                let (vote, _) = self.vote(context, proposal.vote, verifier)?;
                let justify = self.certificate(context, proposal.justify, verifier)?;
                Some(Input::Proposal {
                    peer,
                    vote,
                    justify,
                })
            }
            Message::Status(status) => {
                let own = context.own;
                let own = own.and_then(|index| Some((index, context.key(index)?)));
                let certificate = |certificate, verifier: &mut Verifier| {
                    self.certificate(context, certificate, verifier)
                };
                let genesis = context.genesis;
                let status = VerifiedStatus::verify(*status, genesis, own, certificate, verifier)?;
                let status = Box::new(status);
                Some(Input::Status { peer, status })
            }
            Message::Evidence(evidence) => {
                evidence.verify(context.genesis, |voter| context.key(voter), verifier)?;
                Some(Input::Evidence { peer, evidence })
            }
            _ => None,
        })
    }

    /// A checked vote, and whether it was checked now.
    fn vote(
        &mut self,
        context: &VoteContext<'_>,
        signed: SignedVote,
        verifier: &mut Verifier,
    ) -> Result<(VerifiedVote, bool), ConsensusError> {
        let vote = &signed.vote;
        let key = (vote.block.ballot, vote.phase, vote.voter, vote.block.id);
        if let Some(known) = self.votes.get(&key) {
            return Ok((known.clone(), false));
        }
        let keys = |voter| context.key(voter);
        let checked = VerifiedVote::verify(signed, context.genesis, keys, verifier)?;
        self.votes.insert(key, checked.clone());
        if self.votes.len() > MAX_VOTES {
            self.votes.pop_first();
        }
        Ok((checked, true))
    }

    /// A checked certificate. One below final proves less than final: the one of block 1
    /// stands for it.
    ///
    /// # Errors
    /// [`ConsensusError`], as [`VoteCache::check`].
    pub fn certificate(
        &mut self,
        context: &VoteContext<'_>,
        certificate: Certificate,
        verifier: &mut Verifier,
    ) -> Result<VerifiedCertificate, ConsensusError> {
        if certificate.ballot < context.last_final {
            let genesis = context.genesis.id;
            return Ok(VerifiedCertificate::genesis(certificate.phase, genesis));
        }
        let key = (certificate.ballot, certificate.phase, certificate.id);
        if let Some(known) = self.certificates.get(&key)
            && known.number == certificate.number
        {
            return Ok(known.clone());
        }
        let keys = |voter| context.key(voter);
        let checked = VerifiedCertificate::verify(certificate, context.genesis, keys, verifier)?;
        self.certificates.insert(key, checked.clone());
        if self.certificates.len() > MAX_CERTIFICATES {
            self.certificates.pop_first();
        }
        Ok(checked)
    }
}

/// M4: neither of a future slot nor below final.
fn is_in_time(context: &VoteContext<'_>, vote: &SignedVote) -> bool {
    let ballot = vote.vote.block.ballot;
    ballot.slot() <= context.latest && ballot >= context.last_final
}
