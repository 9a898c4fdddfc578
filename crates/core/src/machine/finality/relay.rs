//! Every vote reaches every node over any connected graph: handed on once, at once to peers
//! that have no connection to the voter (M3).

use super::Machine;
use crate::{
    MonoTime, Now,
    consensus::vote::{Phase, Vote},
    machine::{Ask, PeerId, Step},
    message::Message,
};
use std::collections::VecDeque;

/// Votes that wait to be handed on; the oldest goes first.
const MAX_WAITING: usize = 1_024;

#[derive(Debug)]
struct Waiting {
    due: MonoTime,
    vote: Vote,
    peers: Vec<PeerId>,
    message: Box<Message>,
}

/// Votes for peers that may get them from the voter itself.
#[derive(Debug, Default)]
pub(super) struct Relays(VecDeque<Waiting>);

impl Relays {
    pub(super) fn next_due(&self) -> Option<MonoTime> {
        self.0.front().map(|waiting| waiting.due)
    }
}

impl Machine {
    /// Hands a vote on: at once to peers that are validators or have links, if these do not
    /// name the voter; to the others after rho.
    pub(super) fn relay(
        &mut self,
        now: Now,
        vote: &Vote,
        from: Option<PeerId>,
        message: Message,
        step: &mut Step,
    ) {
        let statuses = &self.finality.statuses;
        let others = self.peers_but(from).into_iter();
        let others = others.filter(|peer| statuses.index_of(*peer) != Some(vote.voter));
        let (first, later): (Vec<_>, Vec<_>) =
            others.partition(|peer| statuses.lacks_voter(*peer, vote.voter));
        let message = Box::new(message);
        if !later.is_empty() {
            let relays = &mut self.finality.relays.0;
            relays.push_back(Waiting {
                due: now.mono.after(self.finality.rules.rho_ms()),
                vote: *vote,
                peers: later,
                message: message.clone(),
            });
            if relays.len() > MAX_WAITING {
                relays.pop_front();
            }
        }
        if !first.is_empty() {
            step.ask.push(Ask::Tell {
                peers: first,
                message,
            });
        }
    }

    /// Hands on what has waited, unless its certificate is here.
    pub(super) fn relay_later(&mut self, now: Now, step: &mut Step) {
        let relays = &mut self.finality.relays.0;
        while relays
            .front()
            .is_some_and(|waiting| waiting.due <= now.mono)
        {
            let Some(waiting) = relays.pop_front() else {
                break;
            };
            let ballot = waiting.vote.block.ballot;
            let certified = self.finality.last_final.ballot >= ballot
                || (waiting.vote.phase == Phase::One && self.finality.high.ballot >= ballot);
            let connected = |peer: &PeerId| self.fetcher.is_connected(*peer);
            let peers: Vec<_> = waiting.peers.into_iter().filter(connected).collect();
            if !certified && !peers.is_empty() {
                let message = waiting.message;
                step.ask.push(Ask::Tell { peers, message });
            }
        }
    }
}
