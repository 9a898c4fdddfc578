//! The answer of a peer that was asked for blocks.

use super::{Ask, Machine, PeerId, Step};
use crate::{
    Now,
    block::VerifiedBlock,
    rules::BlockError,
    sync::{AnswerOutcome, orphans::Orphan},
};

impl Machine {
    pub(super) fn on_blocks(
        &mut self,
        now: Now,
        peer: PeerId,
        blocks: Vec<VerifiedBlock>,
        more: bool,
        step: &mut Step,
    ) {
        let Some(request) = self.fetcher.take_request(peer) else {
            return;
        };
        if let Err(error) = request.check(&blocks, more) {
            return self.penalize(peer, error.into(), step);
        }
        self.fetcher
            .measure(now.mono, peer, &request, &blocks, more);
        let must_wait = request.is_ahead() && !blocks.is_empty() && !self.is_next(&blocks);
        if must_wait {
            self.fetcher.keep_part(peer, &blocks);
        }
        let orphans = blocks
            .into_iter()
            .map(|block| Orphan::new(block, peer, true));
        if must_wait {
            return orphans.for_each(|orphan| self.orphans.keep(orphan));
        }
        let mut outcome = AnswerOutcome {
            more,
            ..AnswerOutcome::default()
        };
        for orphan in orphans {
            let key = (orphan.block.header().number, orphan.block.id);
            let is_new = !self.chain.contains(&key.1);
            let taken = self.take(now, &orphan, step);
            outcome.fresh |= is_new && taken.is_ok();
            match taken {
                Ok(()) | Err(BlockError::Known(_)) => outcome.last = Some(key),
                Err(BlockError::Parent(parent)) if self.chain.contains(&parent) => {
                    return self.fetcher.restart(now.mono, peer);
                }
                Err(BlockError::Parent(_) | BlockError::Settled { .. }) => {
                    if self.fetcher.set_apart(now.mono, peer, self.chain.height()) {
                        step.ask.push(Ask::BranchTooOld { peer });
                    }
                    return;
                }
                Err(error) => return self.refuse(now, orphan, error, step),
            }
        }
        outcome.is_in_locator = outcome
            .last
            .is_some_and(|(number, id)| self.chain.is_canonical_and_whole(number, &id));
        self.fetcher
            .on_answer(now.mono, peer, &request, outcome, self.chain.height());
        if more || request.is_ahead() {
            return;
        }
        // It has shown all it has: an orphan of it has no parent, or the answer was lost.
        let unsure = outcome.last.is_none() && self.orphans.has(peer);
        self.orphans.forget_if(|orphan| orphan.peer == peer);
        if unsure {
            self.fetcher.recheck(now.mono, peer);
        }
    }

    fn is_next(&self, blocks: &[VerifiedBlock]) -> bool {
        blocks
            .first()
            .is_some_and(|first| self.chain.get(&first.header().hash_parent).is_some())
    }
}
