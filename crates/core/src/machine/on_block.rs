//! A block that a peer announces: into the chain, or kept until its parent or its time
//! comes, or refused. Also what else peers tell of themselves.

use super::{Ask, Fault, Machine, PeerId, Step, surplus::Sender};
use crate::{
    BlockId, Height, Now,
    block::VerifiedBlock,
    rules::{Blame, BlockError},
    sync::orphans::Orphan,
};
use std::collections::VecDeque;

/// A block that lies further ahead of the clock is dropped, in slots.
const MAX_HELD_SLOTS: u64 = 10;

/// Ids of refused blocks that are remembered.
const MAX_REFUSED: usize = 1_024;

impl Machine {
    /// A new block of a peer.
    pub(super) fn on_block(
        &mut self,
        now: Now,
        peer: PeerId,
        block: VerifiedBlock,
        step: &mut Step,
    ) {
        let number = block.header().number;
        let orphan = Orphan::new(block, peer, false);
        match self.take(now, &orphan, step) {
            Ok(()) => {}
            Err(BlockError::Parent(_)) => {
                self.orphans.announce(orphan);
                self.fetcher.on_orphan(peer, number);
            }
            Err(error) => self.refuse(now, orphan, error, step),
        }
    }

    /// A block of which another copy was checked before: this peer may lack its ancestors.
    pub(super) fn on_known_block(&mut self, peer: PeerId, id: &BlockId, height: Height) {
        if self.chain.contains(id) {
            self.on_heights(peer, height);
        } else {
            self.fetcher.on_orphan(peer, height);
        }
    }

    pub(super) fn on_heights(&mut self, peer: PeerId, height: Height) {
        self.fetcher.on_height(peer, height, self.chain.height());
    }

    pub(super) fn on_peer_left(&mut self, peer: PeerId) {
        self.fetcher.on_peer_left(peer);
        self.orphans.forget(peer);
        self.clock_offsets.forget(peer);
        self.surplus.forget(peer);
        self.on_voter_left(peer);
    }

    /// Accepts a block and all blocks that have waited for it.
    pub(super) fn take(
        &mut self,
        now: Now,
        first: &Orphan,
        step: &mut Step,
    ) -> Result<(), BlockError> {
        let block = &first.block;
        let refused = &self.follower.refused;
        if refused.contains(&block.id) || refused.contains(&block.header().hash_parent) {
            return Err(BlockError::Refused(block.id));
        }
        let id = block.id;
        self.accept(now, block.clone(), Sender::of(first), step)?;
        self.note_accepted(now, &id, (first.peer, first.asked));
        let mut waiting: VecDeque<Orphan> = self.orphans.children(&id).into();
        while let Some(orphan) = waiting.pop_front() {
            let id = orphan.block.id;
            match self.accept(now, orphan.block.clone(), Sender::of(&orphan), step) {
                Ok(()) => {
                    self.note_accepted(now, &id, (orphan.peer, orphan.asked));
                    waiting.extend(self.orphans.children(&id));
                }
                Err(error) => self.refuse(now, orphan, error, step),
            }
        }
        Ok(())
    }

    fn note_accepted(&mut self, now: Now, id: &BlockId, (peer, asked): (PeerId, bool)) {
        self.clocks.progress = now.mono;
        if asked {
            self.clocks.fetched = now.mono;
        } else {
            self.fetcher.on_new_block(peer);
        }
        if self.chain.head().block.id == *id {
            self.follower.head_from = Some(peer);
        }
    }

    /// A block that broke a rule, or whose time has not come.
    pub(super) fn refuse(&mut self, now: Now, orphan: Orphan, error: BlockError, step: &mut Step) {
        let (id, peer) = (orphan.block.id, orphan.peer);
        if let BlockError::Future { time, ahead_ms, .. } = error {
            let consensus = &self.genesis.config.consensus;
            let longest = consensus.slot_ms.saturating_mul(MAX_HELD_SLOTS);
            let due = time.checked_sub(consensus.max_skew_ms).unwrap_or(now.wall);
            let wait = due.get().saturating_sub(now.wall.get()).min(longest);
            self.fetcher.back_off(peer, now.mono.after(wait));
            if ahead_ms <= longest {
                self.orphans.hold(due, orphan);
            }
            return;
        }
        if orphan.asked && matches!(error, BlockError::Rivals { .. }) {
            let wait = self.genesis.config.consensus.slot_ms;
            self.fetcher.back_off(peer, now.mono.after(wait));
        }
        if error.blame() == Blame::Later {
            return;
        }
        if error.blame() == Blame::Signer {
            if self.follower.refused.len() >= MAX_REFUSED {
                self.follower.refused.pop_front();
            }
            self.follower.refused.push_back(id);
        }
        self.penalize(peer, error.into(), step);
    }

    /// Ends the connection of a peer that broke a rule; it counts as left.
    pub(super) fn penalize(&mut self, peer: PeerId, fault: Fault, step: &mut Step) {
        self.on_peer_left(peer);
        step.ask.push(Ask::Penalize { peer, fault });
    }
}
