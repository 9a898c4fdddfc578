//! Votes on their way into a machine of a [`World`]: signatures hold, but for those that a check
//! would refuse.

use crate::world::World;
use ccoin_core::{
    consensus::{certificate::VerifiedCertificate, status::VerifiedStatus, vote::VerifiedVote},
    machine::{Input, PeerId},
    message::Message,
};

impl World {
    /// Whether a status shows objects of another key as the receiver's: the check of its
    /// signatures refuses it.
    pub(crate) fn is_for_another(&self, to: usize, message: &Message) -> bool {
        let Message::Status(status) = message else {
            return false;
        };
        let yours = &status.yours;
        let mut votes = yours.vote1.iter().chain(&yours.vote2);
        let miner = self.nodes[to].shell.miner();
        votes.any(|vote| usize::from(vote.vote.voter) != to)
            || (yours.header.iter()).any(|header| Some(header.header.coinbase) != miner)
    }
}

/// What the machine hears of a message of consensus: signatures hold in the simulation.
pub(crate) fn consensus_input(peer: PeerId, message: Message) -> Option<Input> {
    let certificate = VerifiedCertificate::already_verified;
    Some(match message {
        Message::Vote(vote) => Input::Vote {
            peer,
            vote: VerifiedVote::already_verified(vote),
        },
        Message::Proposal(proposal) => Input::Proposal {
            peer,
            vote: VerifiedVote::already_verified(proposal.vote),
            justify: certificate(proposal.justify),
        },
        Message::Status(status) => Input::Status {
            peer,
            status: Box::new(VerifiedStatus {
                last_final: certificate(status.last_final),
                high: certificate(status.high),
                head: status.head,
                state: status.state,
                links: status.links,
                yours: status.yours,
            }),
        },
        Message::Evidence(evidence) => Input::Evidence { peer, evidence },
        _ => return None,
    })
}
