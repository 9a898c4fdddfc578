//! Votes and proposals of others and of this key.

use super::{Finality, MAX_KEPT, Machine, Parked, certify::Source};
use crate::{
    Now,
    consensus::{
        certificate::VerifiedCertificate,
        tally::Counted,
        vote::{Phase, VerifiedVote, Vote},
        voter::{Proposal, Refusal},
    },
    machine::{Ask, PeerId, Publish, Step, Write},
    message::{Message, SignedProposal},
};

/// What became of a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Count {
    New,
    Known,
    /// No honest key has given it, or it is too old.
    Refused,
}

impl Finality {
    /// Whether a proposal is new, or comes with a higher justification than ever before (M4).
    /// One older than all that are remembered would be new again and again.
    fn is_news(&mut self, vote: &Vote, justify: &VerifiedCertificate) -> bool {
        let key = (vote.block.ballot, vote.block.id);
        let known = self.proposals.get(&key);
        if known.is_some_and(|known| *known >= justify.ballot) {
            return false;
        }
        self.proposals.insert(key, justify.ballot);
        if self.proposals.len() > MAX_KEPT {
            let oldest = self.proposals.pop_first();
            return oldest.is_some_and(|(oldest, _)| oldest != key);
        }
        true
    }
}

impl Machine {
    /// A vote of a peer: counted and handed on once (M1, M3, M4).
    pub(in crate::machine) fn on_vote(
        &mut self,
        now: Now,
        peer: PeerId,
        vote: VerifiedVote,
        step: &mut Step,
    ) {
        if self.is_in_time(now, &vote) && self.count(now, Some(peer), &vote, step) == Count::New {
            let message = Message::Vote(vote.signed().clone());
            self.relay(now, &vote, Some(peer), message, step);
        }
    }

    /// M4: neither of a future slot nor below final.
    fn is_in_time(&self, now: Now, vote: &Vote) -> bool {
        let ballot = vote.block.ballot;
        let latest = self.schedule().slot(self.latest(now));
        ballot.slot() <= latest && ballot >= self.finality.last_final.ballot
    }

    /// Counts a vote.
    fn count(
        &mut self,
        now: Now,
        peer: Option<PeerId>,
        vote: &VerifiedVote,
        step: &mut Step,
    ) -> Count {
        match self.finality.tally.add(vote.clone()) {
            Counted::Known => return Count::Known,
            Counted::Refused => return Count::Refused,
            Counted::Conflict(evidence) => {
                self.on_evidence(evidence, None, step);
                return Count::Refused;
            }
            Counted::New => {}
        }
        let certificate = self.finality.tally.certificate(vote.phase, &vote.block);
        if let Some(certificate) = certificate {
            self.on_certificate(now, certificate, Source::Tally, step);
        } else if let (Some(peer), Phase::Two) = (peer, vote.phase)
            && vote.block.ballot > self.finality.high.ballot
        {
            // Its voter has seen a certificate that is not here (S3).
            let due = now.mono.after(self.finality.rules.rho_ms());
            self.finality.statuses.ask_at(peer, due);
        }
        Count::New
    }

    /// A leader's proposal: its vote counts, and this key judges it.
    pub(in crate::machine) fn on_proposal(
        &mut self,
        now: Now,
        peer: PeerId,
        (vote, justify): (VerifiedVote, VerifiedCertificate),
        step: &mut Step,
    ) {
        let is_taken = self.is_in_time(now, &vote)
            && self.count(now, Some(peer), &vote, step) != Count::Refused
            && self.finality.is_news(&vote, &justify);
        if !is_taken {
            return;
        }
        let message = Message::Proposal(SignedProposal {
            vote: vote.signed().clone(),
            justify: (*justify).clone(),
        });
        self.relay(now, &vote, Some(peer), message, step);
        let parked = Parked {
            peer,
            vote,
            justify,
        };
        self.judge(now, parked, step);
    }

    /// Vote 1 for a proposal of a peer, if the rules allow (V1 to V8).
    fn judge(&mut self, now: Now, parked: Parked, step: &mut Step) {
        if parked.justify.ballot > self.finality.high.ballot {
            let source = Source::Peer(parked.peer);
            self.on_certificate(now, parked.justify.clone(), source, step);
        }
        let proposal = Proposal {
            block: parked.vote.block,
            proposer: parked.vote.voter,
            justify: parked.justify.block(),
        };
        match self.give_vote1(now, &proposal, None, step) {
            Err(Refusal::Missing) if parked.vote.block.number > self.chain.last_final().0 => {
                let (peer, block) = (parked.peer, parked.vote.block);
                self.want(now, peer, (block.number, block.id));
                self.park(parked);
            }
            Err(Refusal::Justification | Refusal::Lock | Refusal::Final | Refusal::Robbery) => {
                let leader = self.finality.statuses.peer_of(parked.vote.voter);
                let peer = leader.unwrap_or(parked.peer);
                self.finality.statuses.ask_at(peer, now.mono);
            }
            _ => {}
        }
    }

    /// Judges a proposal, and gives vote 1 and the votes 2 that it allows.
    pub(super) fn give_vote1(
        &mut self,
        now: Now,
        proposal: &Proposal,
        own: Option<VerifiedCertificate>,
        step: &mut Step,
    ) -> Result<(), Refusal> {
        if !self.may_sign_votes() {
            return Err(Refusal::Abstains);
        }
        let last_final = self.finality.last_final.block();
        let finality = &mut self.finality;
        let Some(voter) = &mut finality.voter else {
            return Err(Refusal::Abstains);
        };
        let branches = &self.chain;
        voter.judge(now.wall, &finality.rules, proposal, &last_final, branches)?;
        let vote = voter.vote1(now.wall, proposal.block, branches);
        let record = voter.record;
        let branch = self.chain.take_unlogged_to(&proposal.block.id);
        self.log_blocks(branch, step);
        step.write.push(Write::VoterRecord(record));
        step.publish.push(Publish::SignVote { vote, justify: own });
        let finality = &mut self.finality;
        if let Some(voter) = &mut finality.voter
            && let Some(certificate) = finality.certified.get(&proposal.block.ballot)
        {
            voter.on_certified(&certificate.block());
        }
        self.give_votes2(now, step);
        Ok(())
    }

    /// The votes 2 that are due: certificate, record, signature (R2 to R4, D2).
    pub(super) fn give_votes2(&mut self, now: Now, step: &mut Step) {
        if !self.may_sign_votes() {
            return;
        }
        let finality = &mut self.finality;
        let Some(voter) = &mut finality.voter else {
            return;
        };
        let votes = voter.votes2(now.wall, &finality.rules, &finality.last_final.block());
        let record = voter.record;
        for vote in &votes {
            let certificate = self.finality.certified.get(&vote.block.ballot).cloned();
            if let Some(certificate) = certificate {
                self.log_certificate(&certificate, step);
                if certificate.block() == record.lock {
                    self.finality.lock = certificate;
                }
            }
        }
        if !votes.is_empty() {
            step.write.push(Write::VoterRecord(record));
        }
        let sign = |vote| Publish::SignVote {
            vote,
            justify: None,
        };
        step.publish.extend(votes.into_iter().map(sign));
    }

    /// A vote of this key has its signature: it counts, and all peers hear it.
    pub(in crate::machine) fn on_vote_signed(
        &mut self,
        now: Now,
        vote: VerifiedVote,
        justify: Option<VerifiedCertificate>,
        step: &mut Step,
    ) {
        let signed = vote.signed().clone();
        let message = match justify {
            None => Message::Vote(signed),
            Some(justify) => {
                self.finality.proposer.on_signed();
                Message::Proposal(SignedProposal {
                    vote: signed,
                    justify: (*justify).clone(),
                })
            }
        };
        let peers = self.peers_but(None);
        if !peers.is_empty() {
            let message = Box::new(message);
            step.ask.push(Ask::Tell { peers, message });
        }
        self.count(now, None, &vote, step);
    }

    /// A vote of this key has no signature; the record says all the same that it was given.
    pub(in crate::machine) fn on_vote_not_signed(&mut self, proposal: bool) {
        if proposal {
            self.finality.proposer.on_signed();
        }
    }

    fn park(&mut self, parked: Parked) {
        let all = &mut self.finality.parked;
        all.insert(parked.vote.block.ballot, parked);
        if all.len() > MAX_KEPT {
            all.pop_first();
        }
    }

    /// Judges parked proposals again whose blocks have come, in the order of ballots (V7).
    pub(super) fn judge_parked(&mut self, now: Now, step: &mut Step) {
        let is_here = |parked: &Parked| self.chain.is_here(&parked.vote.block.id);
        let ready: Vec<_> = self
            .finality
            .parked
            .extract_if(.., |_, parked| is_here(parked))
            .collect();
        for (_, parked) in ready {
            self.judge(now, parked, step);
        }
    }
}
