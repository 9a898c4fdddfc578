//! Which rules of consensus a run has met: what never fires in a soak is not tested. What a
//! machine does not show is told from what it has signed and heard.

use crate::{
    refusals::{Heard, name},
    world::World,
};
use ccoin_core::{
    MonoTime,
    consensus::{
        ballot::Ballot,
        vote::{Phase, Proposed, Vote},
        voter_record::{Standing, VoterRecord},
    },
    machine::{Ask, Input, NodeState, PeerId, Publish, Step, Write},
    message::Message,
};
use std::collections::{BTreeMap, BTreeSet};

/// Votes 1 of a run, and proposals that wait, of which account is taken.
const MAX_WATCHED: usize = 64;

/// How often each of them was met.
#[derive(Clone, Debug, Default)]
pub struct Coverage(BTreeMap<&'static str, u64>);

impl Coverage {
    pub(crate) fn met(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    /// Adds what another run has met.
    pub fn add(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            *self.0.entry(what).or_default() += count;
        }
    }

    /// What of `all` was never met.
    #[must_use]
    pub fn lacks(&self, all: &[&'static str]) -> Vec<&'static str> {
        let missing = all.iter().filter(|what| !self.0.contains_key(*what));
        missing.copied().collect()
    }
}

/// What one life of a node has signed and heard.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// Its newest votes 1, each for a descendant of the one before.
    run: Vec<Proposed>,
    vote1_at: MonoTime,
    /// Proposals that wait for their blocks.
    parked: BTreeSet<Proposed>,
    /// Peers that voted for a certificate which is not here, and since when.
    ahead: BTreeMap<PeerId, (Ballot, MonoTime)>,
    skew: i64,
    /// Whether all slots count (F3).
    by_slots: bool,
}

impl World {
    /// What a node is about to meet.
    pub(crate) fn watch_input(&mut self, index: usize, input: &Input) -> Heard {
        let heard = Heard::of(input, &self.nodes[index].shell.machine);
        if self.nodes[index].lie.is_some() {
            return heard;
        }
        if let Input::Vote { peer, vote } = input
            && heard.shows_higher
        {
            let since = MonoTime(self.now);
            let ahead = &mut self.watched[index].ahead;
            ahead.entry(*peer).or_insert((vote.block.ballot, since));
        }
        if heard.conflicts {
            self.coverage.met("conflict dropped");
        }
        if let Input::Proposal { vote, justify, .. } = input {
            match self.refusal(index, vote, justify) {
                Ok(true) => self.coverage.met("lock freed by J"),
                Ok(false) => {}
                Err(refusal) => {
                    let parked = &mut self.watched[index].parked;
                    if name(refusal) == "V7" && parked.len() < MAX_WATCHED {
                        parked.insert(vote.block);
                    }
                    self.coverage.met(name(refusal));
                }
            }
        }
        heard
    }

    /// What a node has decided.
    pub(crate) fn watch_step(&mut self, index: usize, heard: Heard, step: &Step) {
        if self.nodes[index].lie.is_some() {
            return;
        }
        let mut met: Vec<&'static str> = Vec::new();
        for ask in &step.ask {
            if let Ask::Tell { message, .. } = ask {
                let voter = self.nodes[index].shell.index();
                let foreign = |vote: &Vote| Some(usize::from(vote.voter)) != voter;
                met.extend(match &**message {
                    Message::Vote(vote) if foreign(&vote.vote) && heard.is_vote => {
                        Some("vote handed on")
                    }
                    Message::Vote(vote) if foreign(&vote.vote) => Some("vote handed on late"),
                    Message::Proposal(told) if foreign(&told.vote.vote) => {
                        Some("proposal handed on")
                    }
                    Message::Evidence(_) => Some("evidence told"),
                    _ => None,
                });
            }
        }
        let mut before = self.nodes[index].shell.record;
        for write in &step.write {
            match write {
                Write::VoterRecord(record) => {
                    met.extend(record_change(&before, record, heard));
                    before = *record;
                }
                Write::Evidence(_) if !heard.is_evidence => met.push("evidence made"),
                _ => {}
            }
        }
        let mut votes = Vec::new();
        for publish in &step.publish {
            match publish {
                Publish::Head { reorg, .. } if !reorg.reverted.is_empty() => {
                    let high = self.nodes[index].shell.machine.high().ballot;
                    met.push("branch left");
                    met.extend((high > heard.high).then_some("high moved the head"));
                }
                Publish::State { from, to }
                    if (*from, *to) == (NodeState::Ready, NodeState::Boot) =>
                {
                    let jumped = self.nodes[index].skew != self.watched[index].skew;
                    met.push("boot again");
                    met.extend(jumped.then_some("jump to boot"));
                }
                Publish::RecordLost => met.push("record proved old"),
                Publish::SignVote { vote, justify } => votes.push((*vote, justify.is_some())),
                Publish::SendStatus { peer, .. } => {
                    met.extend(self.asks_for_certificate(index, *peer));
                }
                _ => {}
            }
        }
        self.watched[index].skew = self.nodes[index].skew;
        met.extend(self.watch_votes(index, &votes, step));
        met.into_iter().for_each(|what| self.coverage.met(what));
    }

    /// A status to a peer whose vote 2 has shown that it knows a certificate (S3).
    fn asks_for_certificate(&mut self, index: usize, peer: PeerId) -> Option<&'static str> {
        let (ballot, since) = self.watched[index].ahead.remove(&peer)?;
        let lacks = self.nodes[index].shell.machine.high().ballot < ballot;
        (lacks && MonoTime(self.now) > since).then_some("certificate asked for")
    }

    /// What the votes of a step say of runs, certificates and parked proposals.
    fn watch_votes(
        &mut self,
        index: usize,
        votes: &[(Vote, bool)],
        step: &Step,
    ) -> Vec<&'static str> {
        let mut met = Vec::new();
        let machine = &self.nodes[index].shell.machine;
        let watched = &mut self.watched[index];
        let chain = machine.chain();
        let tau = self.genesis.config.consensus.slot_ms.min(4_000);
        for write in &step.write {
            let Write::Certificate(certificate) = write else {
                continue;
            };
            let block = certificate.block();
            let given = votes.iter().any(|(vote, _)| vote.block == block);
            let is_due = certificate.phase == Phase::One && watched.run.contains(&block);
            let late = self.now - watched.vote1_at.0 > tau / 4;
            if is_due && late && !given && block.number > machine.last_final().number {
                met.push("vote 2 refused by R3");
            }
        }
        for (vote, is_own) in votes {
            if vote.phase == Phase::Two {
                let newest = watched.run.last().is_some_and(|last| *last == vote.block);
                met.extend((!newest).then_some("vote 2 for an older ballot"));
                continue;
            }
            let extends = |last: &Proposed| chain.extends(&vote.block.id, last);
            if watched.run.last().is_some_and(|last| !extends(last)) {
                watched.run.clear();
                met.push("run broken");
            }
            watched.run.push(vote.block);
            if watched.run.len() > MAX_WATCHED {
                watched.run.remove(0);
            }
            watched.vote1_at = MonoTime(self.now);
            let waited = watched.parked.remove(&vote.block);
            met.extend((waited && !is_own).then_some("parked proposal voted"));
        }
        let slot = self.genesis.schedule.slot(crate::at(self.now));
        let over = |block: &Proposed| block.ballot.slot() + 1 < slot;
        let count = watched.parked.len();
        // Its block came too late; those whose blocks never come stay in the machine.
        watched
            .parked
            .retain(|block| !over(block) || !chain.contains(&block.id));
        met.extend((watched.parked.len() < count).then_some("parked proposal dropped"));
        watched
            .parked
            .retain(|block| block.ballot.slot() + 60 > slot);
        met
    }

    /// Whether all slots count at each honest node, because a timely block waits too long (F3).
    pub(crate) fn watch_orders(&mut self) {
        let slot = self.genesis.schedule.slot(crate::at(self.now));
        let most = 2 * self.genesis.config.miners.len() as u64;
        for index in 0..self.nodes.len() {
            let shell = &self.nodes[index].shell;
            let last_final = shell.machine.last_final().number;
            let canonical = shell.machine.chain().canonical().iter();
            let mut above = canonical.filter(|block| block.block.header().number > last_final);
            let oldest = above.find(|block| shell.is_timely(&block.block.id));
            let by_slots = oldest.is_some_and(|block| {
                slot.saturating_sub(self.genesis.schedule.slot(block.block.header().time)) > most
            });
            if core::mem::replace(&mut self.watched[index].by_slots, by_slots) != by_slots {
                self.coverage.met(if by_slots { "F3 on" } else { "F3 off" });
            }
        }
    }
}

/// What a new record of votes says.
fn record_change(
    before: &VoterRecord,
    record: &VoterRecord,
    heard: Heard,
) -> impl Iterator<Item = &'static str> {
    let lost = |standing| matches!(standing, Standing::Abstains(_));
    let standing = match (before.standing, record.standing) {
        (Standing::Abstains(None), Standing::Abstains(Some(_))) => Some("floor set"),
        (from, Standing::Recovering(_)) if lost(from) => Some("left by A4"),
        (from, Standing::Intact) if from != Standing::Intact => Some("left by A3"),
        _ => None,
    };
    let raised = record.lock.ballot > before.lock.ballot;
    let source = match (heard.justify, heard.is_status) {
        (Some(justify), _) if justify == record.lock.ballot => "lock raised by J",
        (_, true) => "lock raised by STA",
        _ => "lock raised by tally",
    };
    standing.into_iter().chain(raised.then_some(source))
}
