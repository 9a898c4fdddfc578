//! Which rules of consensus a run has met: what never fires in a soak is not tested.

use crate::world::World;
use ccoin_core::{
    consensus::{
        voter::{Proposal, VotingRules},
        voter_record::Standing,
    },
    machine::{Ask, Input, NodeState, Publish, Step, Write},
    message::Message,
};
use std::collections::BTreeMap;

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

impl World {
    /// What a node is about to meet.
    pub(crate) fn watch_input(&mut self, index: usize, input: &Input) {
        if self.nodes[index].lie.is_some() {
            return;
        }
        let machine = &self.nodes[index].shell.machine;
        let Input::Proposal { vote, justify, .. } = input else {
            return;
        };
        let Some(voter) = machine.voter() else { return };
        let consensus = &self.genesis.config.consensus;
        let schedule = self.genesis.schedule.clone();
        let rules = VotingRules::new(schedule, consensus.slot_ms, consensus.max_skew_ms);
        let proposal = Proposal {
            block: vote.block,
            proposer: vote.voter,
            justify: justify.block(),
        };
        let (now, branches) = (self.now_at(index).wall, machine.chain());
        let last_final = machine.last_final().block();
        let judged = voter.judge(now, &rules, &proposal, &last_final, branches);
        let lock = voter.record.lock;
        let freed = judged.is_ok() && !branches.extends(&vote.block.id, &lock);
        if freed {
            self.coverage.met("lock freed by J");
        }
        if let Err(refusal) = judged {
            let name = refusal_name(refusal);
            self.coverage.met(name);
        }
    }

    /// What a node has decided.
    pub(crate) fn watch_step(&mut self, index: usize, step: &Step) {
        if self.nodes[index].lie.is_some() {
            return;
        }
        let shell = &self.nodes[index].shell;
        let mut met = Vec::new();
        for ask in &step.ask {
            if let Ask::Tell { message, .. } = ask {
                met.extend(match &**message {
                    Message::Vote(vote) if usize::from(vote.vote.voter) != index => {
                        Some("vote handed on")
                    }
                    Message::Proposal(told) if usize::from(told.vote.vote.voter) != index => {
                        Some("proposal handed on")
                    }
                    Message::Evidence(_) => Some("evidence told"),
                    _ => None,
                });
            }
        }
        let mut before = shell.record;
        for write in &step.write {
            if let Write::VoterRecord(record) = write {
                let lost = |standing| matches!(standing, Standing::Abstains(_));
                let pair = (before.standing, record.standing);
                met.extend(match pair {
                    (Standing::Abstains(None), Standing::Abstains(Some(_))) => Some("floor set"),
                    (from, Standing::Recovering(_)) if lost(from) => Some("left by A4"),
                    (from, Standing::Intact) if from != Standing::Intact => Some("left by A3"),
                    _ => None,
                });
                let raised = record.lock.ballot > before.lock.ballot;
                met.extend(raised.then_some("lock raised"));
                before = *record;
            }
        }
        for publish in &step.publish {
            met.extend(match publish {
                Publish::Head { reorg, .. } if !reorg.reverted.is_empty() => Some("branch left"),
                Publish::State { from, to }
                    if (*from, *to) == (NodeState::Ready, NodeState::Boot) =>
                {
                    Some("boot again")
                }
                Publish::RecordLost => Some("record proved old"),
                _ => None,
            });
        }
        met.into_iter().for_each(|what| self.coverage.met(what));
    }
}

fn refusal_name(refusal: ccoin_core::consensus::voter::Refusal) -> &'static str {
    use ccoin_core::consensus::voter::Refusal;
    match refusal {
        Refusal::Turn => "V1",
        Refusal::Ballot => "V2",
        Refusal::Justification => "V3",
        Refusal::Lock => "V4",
        Refusal::Final => "V5",
        Refusal::Robbery => "V6",
        Refusal::Missing => "V7",
        Refusal::Flood => "V8",
        Refusal::Abstains => "A1",
    }
}
