//! What comes from peers: their blocks, and how far they are.

use super::{Effect, Machine, NodeState, PeerId};
use crate::{
    BlockId, Height, Timestamp,
    block::SealedBlock,
    rules::{Blame, BlockError},
    sync::{Action, Event, fetch::Plan, orphans::Orphan, request::AnswerError},
};
use std::collections::VecDeque;

/// A block that lies further ahead of the clock is dropped, in slots.
const MAX_HELD_SLOTS: u64 = 10;

/// Ids of refused blocks that are remembered.
const MAX_REFUSED: usize = 1_024;

/// Everybody is asked for his height so often: a word that got lost must not matter.
const ASK_HEIGHTS_MS: u64 = 10_000;

/// How often catching up is told.
const PROGRESS_MS: u64 = 2_000;

/// Blocks that a node may lack without telling.
const PROGRESS_BLOCKS: u64 = 256;

/// A machine is stepped once a second at least; who sleeps longer, and longer than a turn,
/// may have missed one.
const LONGEST_NAP_MS: u64 = 1_250;

/// Least number of silent turns after which a node that hears nothing goes on.
const SILENT_TURNS: u64 = 3;

/// What a peer has done wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A block that breaks a rule.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// Blocks that nobody asked for in this way.
    #[error("bad answer: {0}")]
    Answer(#[from] AnswerError),
}

/// What following others needs to remember.
#[derive(Debug, Default)]
pub(super) struct Follower {
    /// When this node began to look for others, by the clock as it runs now.
    since: Option<Timestamp>,
    /// When the last valid block came from a peer, or the look began.
    progress: Timestamp,
    /// The same of blocks that were asked for: others go on coming while nobody answers.
    fetched: Timestamp,
    /// The last step.
    stepped: Timestamp,
    asked_heights: Timestamp,
    told_progress: Timestamp,
    /// The head that peers know of.
    announced: Option<BlockId>,
    /// The peer that sent the head.
    head_from: Option<PeerId>,
    refused: VecDeque<BlockId>,
}

impl Follower {
    fn begin(&mut self, now: Timestamp) {
        self.since = Some(now);
        (self.progress, self.fetched) = (now, now);
    }
}

impl Machine {
    /// Before each step: notices the start, a clock that was set back, and a sleep
    /// through which others may have gone on.
    pub(super) fn wake(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let longest = self.genesis.config.consensus.slot_ms.max(LONGEST_NAP_MS);
        let slept = now.get().saturating_sub(self.follower.stepped.get());
        let overslept = self.miner.is_some() && !self.is_alone() && slept > longest;
        let first = self.follower.since.is_none();
        if now < self.follower.stepped {
            self.fetch.set_back(now);
            self.follower.asked_heights = self.follower.asked_heights.min(now);
            self.follower.told_progress = self.follower.told_progress.min(now);
        }
        self.follower.stepped = now;
        if first || now < self.follower.progress {
            self.follower.begin(now);
        }
        if first {
            self.happens(Event::Founded, effects);
            self.follower.announced = Some(self.chain.head().block.id);
        } else if overslept && self.happens(Event::Overslept, effects) == Action::AskAgain {
            self.follower.begin(now);
            self.fetch.ask_again();
        }
    }

    fn is_alone(&self) -> bool {
        self.schedule.miners() == 1 && self.miner.is_some()
    }

    /// Whether a node in boot may go on: a validator has shown what it has, or nobody
    /// shows anything.
    pub(super) fn has_caught_up(&self, now: Timestamp) -> bool {
        if self.state != NodeState::Boot {
            return false;
        }
        let slot_ms = self.genesis.config.consensus.slot_ms;
        let waited = |since: Timestamp| now.get().saturating_sub(since.get());
        let own = self.chain.head().block.header().number;
        self.is_alone()
            || self.fetch.heard_a_validator(own)
            || (!self.fetch.sees_a_validator() && waited(self.follower.progress) >= slot_ms)
            || waited(self.follower.fetched) >= self.silence_ms()
    }

    fn silence_ms(&self) -> u64 {
        let turns = SILENT_TURNS.max(self.schedule.miners() as u64);
        turns.saturating_mul(self.genesis.config.consensus.slot_ms)
    }

    /// The next moment at which following others has something to do.
    pub(super) fn next_look(&self) -> Option<u64> {
        let slot_ms = self.genesis.config.consensus.slot_ms;
        let Follower {
            progress, fetched, ..
        } = self.follower;
        let waits = [(progress, slot_ms), (fetched, self.silence_ms())];
        let booting = (self.state == NodeState::Boot)
            .then(|| waits.map(|(since, wait)| since.get().saturating_add(wait)));
        let now = self.follower.stepped.get();
        let head = self.chain.head().block.header().number;
        let moments = booting.into_iter().flatten();
        moments
            .chain(self.fetch.wake_at(now, head))
            .chain(self.orphans.next_due().map(Timestamp::get))
            .filter(|moment| *moment > now)
            .min()
    }

    pub(super) fn left(&mut self, peer: PeerId) {
        self.fetch.left(peer);
        self.orphans.forget(peer);
    }

    pub(super) fn told(&mut self, peer: PeerId, height: Height) {
        let own = self.chain.head().block.header().number;
        self.fetch.claims(peer, height, own);
    }

    /// A new block of a peer.
    pub(super) fn shown(
        &mut self,
        now: Timestamp,
        peer: PeerId,
        block: SealedBlock,
        effects: &mut Vec<Effect>,
    ) {
        let number = block.header().number;
        let orphan = Orphan::new(block, peer, false);
        match self.take(now, &orphan, effects) {
            Ok(()) => {}
            Err(BlockError::Parent(_)) => {
                self.orphans.announce(orphan);
                self.fetch.shows(peer, number);
            }
            Err(error) => self.refuse(now, orphan, error, effects),
        }
    }

    /// A block that others have shown before: whoever did may not have what leads to it.
    pub(super) fn copied(&mut self, peer: PeerId, id: &BlockId, height: Height) {
        if self.chain.get(id).is_some() {
            self.told(peer, height);
        } else {
            self.fetch.shows(peer, height);
        }
    }

    /// Blocks that a peer was asked for.
    pub(super) fn answered(
        &mut self,
        now: Timestamp,
        peer: PeerId,
        blocks: Vec<SealedBlock>,
        more: bool,
        effects: &mut Vec<Effect>,
    ) {
        // Nothing asked for: it was late, and others have been asked since.
        let Some(request) = self.fetch.take_request(peer) else {
            return;
        };
        if let Err(error) = request.check(&blocks, more) {
            return self.blame(peer, error.into(), effects);
        }
        self.fetch.measure(now, peer, &request, &blocks, more);
        let must_wait = request.is_ahead() && !blocks.is_empty() && !self.is_next(&blocks);
        if must_wait {
            self.fetch.keeps_ahead(peer, &blocks);
        }
        let blocks = blocks
            .into_iter()
            .map(|block| Orphan::new(block, peer, true));
        if must_wait {
            return blocks.for_each(|orphan| self.orphans.keep(orphan));
        }
        let (mut last, mut fresh) = (None, false);
        for orphan in blocks {
            let place = (orphan.block.header().number, orphan.block.id);
            let taken = self.take(now, &orphan, effects);
            fresh |= taken.is_ok();
            match taken {
                Ok(()) | Err(BlockError::Known(_)) => last = Some(place),
                Err(BlockError::Parent(_)) => {
                    let head = self.chain.head().block.header().number;
                    if self.fetch.set_apart(now, peer, head) {
                        effects.push(Effect::Apart { peer });
                    }
                    return;
                }
                Err(error) => return self.refuse(now, orphan, error, effects),
            }
        }
        self.fetch
            .answered(now, peer, &request, last, (fresh, more), &self.chain);
        if more || request.is_ahead() {
            return;
        }
        // It has shown all it has: what still lacks a parent has none, or the answer was lost.
        let unsure = last.is_none() && self.orphans.has(peer);
        self.orphans.forget_if(|orphan| orphan.peer == peer);
        if unsure {
            self.fetch.doubt(now, peer);
        }
    }

    fn is_next(&self, blocks: &[SealedBlock]) -> bool {
        blocks
            .first()
            .is_some_and(|first| self.chain.get(&first.header().hash_parent).is_some())
    }

    /// Accepts a block and all that have waited for it.
    fn take(
        &mut self,
        now: Timestamp,
        first: &Orphan,
        effects: &mut Vec<Effect>,
    ) -> Result<(), BlockError> {
        let block = &first.block;
        let refused = &self.follower.refused;
        if refused.contains(&block.id) || refused.contains(&block.header().hash_parent) {
            return Err(BlockError::Refused(block.id));
        }
        let id = block.id;
        self.accept(now, block.clone(), first.asked, effects)?;
        self.accepted(now, &id, (first.peer, first.asked));
        let mut waiting: VecDeque<Orphan> = self.orphans.children(&id).into();
        while let Some(orphan) = waiting.pop_front() {
            let id = orphan.block.id;
            match self.accept(now, orphan.block.clone(), orphan.asked, effects) {
                Ok(()) => {
                    self.accepted(now, &id, (orphan.peer, orphan.asked));
                    waiting.extend(self.orphans.children(&id));
                }
                Err(error) => self.refuse(now, orphan, error, effects),
            }
        }
        Ok(())
    }

    fn accepted(&mut self, now: Timestamp, id: &BlockId, (peer, asked): (PeerId, bool)) {
        self.follower.progress = now;
        if asked {
            self.follower.fetched = now;
        }
        if self.chain.head().block.id == *id {
            self.follower.head_from = Some(peer);
        }
    }

    /// A block that broke a rule, or whose time has not come.
    fn refuse(
        &mut self,
        now: Timestamp,
        orphan: Orphan,
        error: BlockError,
        effects: &mut Vec<Effect>,
    ) {
        let (id, peer) = (orphan.block.id, orphan.peer);
        let consensus = &self.genesis.config.consensus;
        if let BlockError::Future { time, ahead_ms, .. } = error {
            let due = time.checked_sub(consensus.max_skew_ms).unwrap_or(now);
            let longest = consensus.slot_ms.saturating_mul(MAX_HELD_SLOTS);
            self.fetch
                .rest(peer, due.min(now.checked_add(longest).unwrap_or(due)));
            if ahead_ms <= longest {
                self.orphans.hold(due, orphan);
            }
            return;
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
        self.blame(peer, error.into(), effects);
    }

    /// Its connection ends: nothing is asked of it any more.
    fn blame(&mut self, peer: PeerId, fault: Fault, effects: &mut Vec<Effect>) {
        self.left(peer);
        effects.push(Effect::Blame { peer, fault });
    }

    /// Tries what had to wait for its time, asks for what is missing, and tells others
    /// and the operator.
    pub(super) fn follow(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        for Orphan { block, peer, .. } in self.orphans.due(now) {
            self.shown(now, peer, block, effects);
        }
        let Plan { mute, asks, passed } = self.fetch.plan(now, &self.chain, self.orphans.bytes());
        for peer in mute {
            self.left(peer);
            effects.push(Effect::Leave { peer });
        }
        for (peer, last) in passed {
            let number = |orphan: &Orphan| orphan.block.header().number.get();
            self.orphans
                .forget_if(|orphan| orphan.peer == peer && number(orphan) <= last);
        }
        let ask = |(peer, request)| Effect::Ask { peer, request };
        effects.extend(asks.into_iter().map(ask));
        let since = |last: Timestamp| now.get().saturating_sub(last.get());
        if since(self.follower.asked_heights) >= ASK_HEIGHTS_MS {
            self.follower.asked_heights = now;
            effects.push(Effect::AskHeights);
        }
        self.announce(now, effects);
        let (height, target) = (
            self.chain.head().block.header().number,
            self.fetch.best_claim(),
        );
        let behind = target.get().saturating_sub(height.get());
        if behind > PROGRESS_BLOCKS
            && self.fetch.is_waiting()
            && since(self.follower.told_progress) >= PROGRESS_MS
        {
            self.follower.told_progress = now;
            effects.push(Effect::Progress { height, target });
        }
    }

    /// Shows a new head: at once if it is fresh, else when this node has caught up.
    fn announce(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let head = self.chain.head();
        let (id, header) = (head.block.id, head.block.header());
        if self.follower.announced == Some(id) {
            return;
        }
        let slot_end = self.schedule.end(self.schedule.slot(header.time));
        let skew = self.genesis.config.consensus.max_skew_ms;
        let fresh = now.get() <= slot_end.saturating_add(skew);
        if !fresh && self.fetch.is_waiting() {
            return;
        }
        let own = self.miner == Some(header.coinbase);
        let except = self.follower.head_from.filter(|_| !own);
        let applied = std::sync::Arc::clone(head);
        self.follower.announced = Some(id);
        effects.push(Effect::Announce { applied, except });
        // The leader waits for this: see `Machine::keeps_pace`.
        effects.extend(except.map(|peer| Effect::Tell { peer }));
    }
}
