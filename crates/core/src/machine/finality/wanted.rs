//! Blocks that proposals, certificates and statuses name: their sender is asked for them, but
//! not before they had time to come by themselves (V7).

use super::Machine;
use crate::{BlockId, Height, MonoTime, Now, machine::PeerId};
use std::collections::VecDeque;

/// Blocks that wait to be asked for, and those that were; the oldest go first.
const MAX_WANTED: usize = 256;

/// A node asks a peer for the same block at most once in so many ms: a liar may propose a block
/// again and again that no node has.
const ASKED_MS: u64 = 10_000;

#[derive(Debug)]
struct WantedBlock {
    /// When it is asked for, or was.
    at: MonoTime,
    peer: PeerId,
    id: BlockId,
}

/// Blocks that are not here, in the order in which they were named.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    waiting: VecDeque<WantedBlock>,
    asked: VecDeque<WantedBlock>,
}

impl Wanted {
    pub(super) fn next_due(&self) -> Option<MonoTime> {
        self.waiting.front().map(|wanted| wanted.at)
    }

    fn names(&self, peer: PeerId, id: &BlockId) -> bool {
        let mut all = self.waiting.iter().chain(&self.asked);
        all.any(|named| named.peer == peer && named.id == *id)
    }
}

impl Machine {
    /// A peer has named a block: it is asked for it in two rho if it is not here then. One
    /// that conflicts with final is never asked for (Y3).
    pub(super) fn want(&mut self, now: Now, peer: PeerId, (number, id): (Height, BlockId)) {
        let wanted = &mut self.finality.wanted;
        let settled = number <= self.chain.last_final().0;
        if settled || self.chain.is_here(&id) || wanted.names(peer, &id) {
            return;
        }
        if wanted.waiting.len() >= MAX_WANTED {
            wanted.waiting.pop_front();
        }
        let wait = self.finality.rules.rho_ms().saturating_mul(2);
        wanted.waiting.push_back(WantedBlock {
            at: now.mono.after(wait),
            peer,
            id,
        });
    }

    /// Asks for the named blocks that have not come: a peer once in four rho at most, because
    /// a liar makes honest peers name many that no node has.
    pub(super) fn ask_for_wanted(&mut self, now: Now) {
        let least = self.finality.rules.rho_ms().saturating_mul(4);
        let Wanted { waiting, asked } = &mut self.finality.wanted;
        let is_old = |old: &WantedBlock| now.mono.since(old.at) >= ASKED_MS;
        while asked.len() > MAX_WANTED || asked.front().is_some_and(is_old) {
            asked.pop_front();
        }
        while let Some(named) = waiting.pop_front_if(|named| named.at <= now.mono) {
            if self.chain.is_here(&named.id) {
                continue;
            }
            let last = asked.iter().rev().find(|old| old.peer == named.peer);
            let next = last.map_or(now.mono, |last| last.at.after(least));
            if next > now.mono {
                waiting.push_back(WantedBlock { at: next, ..named });
            } else {
                self.fetcher.on_named(named.peer);
                asked.push_back(WantedBlock {
                    at: now.mono,
                    ..named
                });
            }
        }
    }
}
