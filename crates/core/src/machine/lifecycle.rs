//! One step: the clocks, the table of states, then the handler of the input, then what time
//! and the new state ask for.

use super::{Ask, Input, Machine, NodeState, Publish, Step};
use crate::{
    MonoTime, Now, Timestamp,
    sync::{self, Action, Event},
};

/// The shell steps the machine once a second at least. A validator that sleeps longer, and
/// longer than a slot, may have missed what others did meanwhile (B3).
const LONGEST_NAP_MS: u64 = 1_250;

/// Least number of slots without an answer after which a node in boot goes on (B2).
const SILENT_SLOTS: u64 = 3;

/// What the machine remembers of the clocks.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    /// The moment of the last step; `None` before the first.
    pub(super) last_step: Option<Now>,
    /// When the last valid block came from a peer, or boot began.
    pub(super) progress: MonoTime,
    /// The same for blocks that were asked for: blocks go on being announced while no peer
    /// answers.
    pub(super) fetched: MonoTime,
    /// Since when the wall clock has gone evenly.
    pub(super) steady: MonoTime,
}

impl Machine {
    /// Decides what an input leads to.
    #[must_use]
    pub fn step(&mut self, now: Now, input: Input) -> Step {
        let mut step = Step::default();
        self.look_at_clocks(now, &mut step);
        let ending = matches!(self.state, NodeState::Stopping | NodeState::Dead);
        if ending && !matches!(input, Input::Signed { .. }) {
            // Only a block that the key has begun to sign is finished.
            return step;
        }
        // A lone validator's own blocks are never left: a child waits for its time instead.
        if !self.is_alone()
            && let Some(reorg) = self.chain.on_moment(now.wall, self.latest(now))
        {
            self.follow_head(reorg, &mut step);
        }
        let stop = matches!(input, Input::Stop);
        self.handle(now, input, &mut step);
        let event = if stop { Event::Stop } else { Event::Stirred };
        let mut action = self.transition(event, &mut step);
        if self.has_caught_up(now.mono) {
            action = self.transition(Event::CaughtUp, &mut step);
        }
        if !matches!(self.state, NodeState::Stopping | NodeState::Dead) {
            self.follow_votes(now, &mut step);
        }
        self.drop_stale_job(now, &mut step);
        if matches!(action, Action::Fetch | Action::FetchAndSeal) {
            self.fetch(now, &mut step);
        }
        if action == Action::FetchAndSeal {
            self.produce(now, &mut step);
        }
        let ready = self.pool.take_newly_ready();
        if !ready.is_empty() {
            step.publish.push(Publish::GossipTransactions(ready));
        }
        step
    }

    fn handle(&mut self, now: Now, input: Input, step: &mut Step) {
        match input {
            Input::Tick => self.drop_surplus(now, step),
            Input::DiskReserve { reached } => self.disk_is_low = reached,
            Input::Stop => {}
            Input::Submit { ticket, txns, from } => self.on_submit(now, ticket, txns, from, step),
            Input::Returned { txns, last } => self.on_returned(now, txns, last, step),
            Input::MakeBlock => self.asked = self.by_hand && self.miner.is_some(),
            Input::Mined { job, nonce } => self.on_mined(now, job, nonce, step),
            Input::Signed { job, signature } => self.on_signed(job, signature, step),
            Input::NotSigned { job } => self.on_not_signed(job),
            Input::VoteNotSigned { proposal } => self.on_vote_not_signed(proposal),
            Input::SignerFault { fault } => self.signer_fault = fault,
            Input::PeerJoined {
                peer,
                validator,
                height,
            } => {
                self.fetcher
                    .on_peer_joined(peer, validator.is_some(), height);
                self.on_voter_joined(now, peer, validator);
            }
            Input::PeerLeft { peer } => self.on_peer_left(peer),
            Input::ClockOffset { peer, offset_ms } => self.clock_offsets.set(peer, offset_ms),
            Input::Twin { place } => self.twin.met(now.mono, place),
            Input::Heights { peer, height } => self.on_heights(peer, height),
            Input::Block { peer, block } => self.on_block(now, peer, block, step),
            Input::KnownBlock { peer, id, height } => self.on_known_block(peer, &id, height),
            Input::Receiving { peer } => self.fetcher.on_receiving(now.mono, peer),
            Input::Vote { peer, vote } => self.on_vote(now, peer, vote, step),
            Input::Proposal {
                peer,
                vote,
                justify,
            } => self.on_proposal(now, peer, (vote, justify), step),
            Input::Status { peer, status } => self.on_status(now, peer, *status, step),
            Input::Evidence { peer, evidence } => self.on_evidence(evidence, Some(peer), step),
            Input::VoteSigned { vote, justify } => self.on_vote_signed(now, vote, justify, step),
            Input::FinalBelow { certificate } => self.on_final_below(now, certificate, step),
            Input::Blocks { peer, blocks, more } => self.on_blocks(now, peer, blocks, more, step),
        }
    }

    /// Notices the first step, a sleep, and a wall clock that was set (C4).
    fn look_at_clocks(&mut self, now: Now, step: &mut Step) {
        let last = self.clocks.last_step.replace(now);
        let Some(last) = last else {
            self.begin_boot(now.mono);
            self.clocks.steady = now.mono;
            self.twin.begin(self.schedule().slot(now.wall));
            self.transition(Event::Founded, step);
            self.follower.announced = Some(self.chain.head().block.id);
            return;
        };
        let consensus = &self.genesis.config.consensus;
        let slept = now.mono.since(last.mono) > consensus.slot_ms.max(LONGEST_NAP_MS);
        let jumped = now.wall_step(last) > consensus.max_skew_ms;
        if jumped {
            self.clocks.steady = now.mono;
            self.twin.clock_set(self.schedule().slot(now.wall));
            self.clock_offsets.clear();
        }
        let others = self.miner.is_some() && !self.is_alone();
        if others
            && (slept || jumped)
            && self.transition(Event::Overslept, step) == Action::AskAgain
        {
            self.begin_boot(now.mono);
            self.fetcher.ask_again();
            step.ask.push(Ask::Heights);
        }
    }

    fn begin_boot(&mut self, now: MonoTime) {
        (self.clocks.progress, self.clocks.fetched) = (now, now);
    }

    /// Whether it is the only validator of its network.
    pub(super) fn is_alone(&self) -> bool {
        self.schedule().miners() == 1 && self.miner.is_some()
    }

    /// Whether a node in boot goes on (B2): a validator has shown what it has, or no peer
    /// shows anything. A lone validator goes on at once, unless the record of its key is lost
    /// (A4).
    fn has_caught_up(&self, now: MonoTime) -> bool {
        if self.state != NodeState::Boot {
            return false;
        }
        let slot_ms = self.genesis.config.consensus.slot_ms;
        let Clocks {
            progress, fetched, ..
        } = self.clocks;
        if self.is_alone() {
            return self.is_record_whole();
        }
        self.fetcher.heard_a_validator(self.chain.height())
            || (!self.fetcher.sees_a_validator() && now.since(progress) >= slot_ms)
            || now.since(fetched) >= self.silence_ms()
    }

    fn silence_ms(&self) -> u64 {
        let slots = SILENT_SLOTS.max(self.schedule().miners() as u64);
        slots.saturating_mul(self.genesis.config.consensus.slot_ms)
    }

    /// Blocks dated later are not head (F4).
    pub(super) fn latest(&self, now: Now) -> Timestamp {
        let skew = self.genesis.config.consensus.max_skew_ms;
        now.wall.checked_add(skew).unwrap_or(now.wall)
    }

    /// Looks an event up in the table and enters the state that it leads to.
    fn transition(&mut self, event: Event, step: &mut Step) -> Action {
        let (to, action) = sync::next(self.state, event);
        let from = core::mem::replace(&mut self.state, to);
        if from != to {
            step.publish.push(Publish::State { from, to });
        }
        action
    }

    /// How many ms from now time alone can change a decision, if it can.
    #[must_use]
    pub fn wake_in(&self, now: Now) -> Option<u64> {
        let slot_ms = self.genesis.config.consensus.slot_ms;
        let Clocks {
            progress, fetched, ..
        } = self.clocks;
        let boot = (self.state == NodeState::Boot)
            .then(|| [progress.after(slot_ms), fetched.after(self.silence_ms())]);
        let mono = boot
            .into_iter()
            .flatten()
            .chain(self.fetcher.wake_at(now.mono, self.chain.height()))
            .chain(self.votes_wake_at());
        let mono = mono.map(|at| at.since(now.mono));
        let wall = self.produce_at(now.wall).into_iter();
        let wall = wall.chain(self.orphans.next_due().map(Timestamp::get));
        let wall = wall.map(|at| at.saturating_sub(now.wall.get()));
        mono.chain(wall).filter(|wait| *wait > 0).min()
    }
}
