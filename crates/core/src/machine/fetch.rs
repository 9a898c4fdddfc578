//! Asks peers for the blocks that are missing here, and tells peers of the head.

use super::{Ask, Machine, PeerId, Publish, Step};
use crate::{
    BlockId, MonoTime, Now,
    rules::BlockError,
    sync::{orphans::Orphan, plan::Plan, request::AnswerError},
};
use bytes::Bytes;
use std::{collections::VecDeque, sync::Arc};

/// How often all peers are asked for their heights: a lost message must not matter.
const ASK_HEIGHTS_MS: u64 = 10_000;

/// How often progress is told.
const PROGRESS_MS: u64 = 2_000;

/// Blocks that a node may lack without telling.
const PROGRESS_BLOCKS: u64 = 256;

/// What a peer has done wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A block that breaks a rule.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// Blocks that do not answer the request.
    #[error("bad answer: {0}")]
    Answer(#[from] AnswerError),
}

/// What following the peers' chains needs to remember.
#[derive(Debug, Default)]
pub(super) struct Follower {
    asked_heights: Option<MonoTime>,
    told_progress: Option<MonoTime>,
    /// The head that peers know of.
    pub(super) announced: Option<BlockId>,
    /// The peer that sent the head.
    pub(super) head_from: Option<PeerId>,
    /// The encoding of the head until it is announced.
    pub(super) head_bytes: Option<(BlockId, Bytes)>,
    /// Blocks that broke a rule by their signer's fault.
    pub(super) refused: VecDeque<BlockId>,
}

impl Machine {
    pub(super) fn fetch(&mut self, now: Now, step: &mut Step) {
        for Orphan { block, peer, .. } in self.orphans.due(now.wall) {
            self.on_block(now, peer, block, step);
        }
        let bytes = self.orphans.bytes();
        let Plan {
            silent,
            requests,
            reached,
            stuck,
        } = self.fetcher.plan(now.mono, &self.chain, bytes);
        for peer in silent {
            self.on_peer_left(peer);
            step.ask.push(Ask::Disconnect { peer });
        }
        for (peer, last) in reached {
            let number = |orphan: &Orphan| orphan.block.header().number.get();
            self.orphans
                .forget_if(|orphan| orphan.peer == peer && number(orphan) <= last);
        }
        let height = self.chain.height();
        let tell = |(peer, claimed)| Ask::Stuck {
            peer,
            claimed,
            height,
        };
        step.ask.extend(stuck.into_iter().map(tell));
        let ask = |(peer, request)| Ask::Blocks { peer, request };
        step.ask.extend(requests.into_iter().map(ask));
        let waited =
            |last: Option<MonoTime>, ms| last.is_none_or(|last| now.mono.since(last) >= ms);
        if waited(self.follower.asked_heights, ASK_HEIGHTS_MS) {
            self.follower.asked_heights = Some(now.mono);
            step.ask.push(Ask::Heights);
        }
        self.announce(now, step);
        self.tell_progress(now.mono, step);
    }

    fn tell_progress(&mut self, now: MonoTime, step: &mut Step) {
        let (height, target) = (self.chain.height(), self.fetcher.best_claim());
        let behind = target.get().saturating_sub(height.get());
        if behind > PROGRESS_BLOCKS
            && self.fetcher.is_waiting()
            && self
                .follower
                .told_progress
                .is_none_or(|last| now.since(last) >= PROGRESS_MS)
        {
            self.follower.told_progress = Some(now);
            step.ask.push(Ask::Progress { height, target });
        }
    }

    /// Announces a new head: at once if it is fresh, else when this node has caught up.
    fn announce(&mut self, now: Now, step: &mut Step) {
        let applied = Arc::clone(self.chain.head());
        let (id, header) = (applied.block.id, applied.block.header());
        if self.follower.announced == Some(id) {
            return;
        }
        let slot_end = self.schedule().end(self.schedule().slot(header.time));
        let skew = self.genesis.config.consensus.max_skew_ms;
        let fresh = now.wall.get() <= slot_end.saturating_add(skew);
        if !fresh && self.fetcher.is_waiting() {
            return;
        }
        let own = self.miner == Some(header.coinbase);
        let except = self.follower.head_from.filter(|_| !own);
        let bytes = self.follower.head_bytes.take_if(|(of, _)| *of == id);
        let bytes = bytes.map_or_else(|| applied.block.encode().into(), |(_, bytes)| bytes);
        self.follower.announced = Some(id);
        step.publish.push(Publish::AnnounceBlock {
            applied,
            bytes,
            except,
        });
        // The leader waits for this: `Machine::keeps_pace`.
        let heights = except.map(|peer| Publish::SendHeights { peer });
        step.publish.extend(heights);
    }
}
