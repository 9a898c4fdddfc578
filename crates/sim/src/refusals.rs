//! What a node hears, and by which rule it refuses a proposal: judged beside the machine with the
//! functions that ship.

use crate::world::World;
use ccoin_core::{
    consensus::{
        ballot::Ballot,
        certificate::VerifiedCertificate,
        vote::{Phase, Vote},
        voter::{Proposal, Refusal, VotingRules},
    },
    machine::{Input, Machine},
};

/// What the coverage needs of an input, and of the machine before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    /// A vote or a proposal of a peer.
    pub(crate) is_vote: bool,
    pub(crate) is_status: bool,
    pub(crate) is_evidence: bool,
    /// A vote 2 for a certificate that is not here.
    pub(crate) shows_higher: bool,
    /// A block beside the final one.
    pub(crate) conflicts: bool,
    /// The ballot of a proposal's justification.
    pub(crate) justify: Option<Ballot>,
    /// The highest certificate before.
    pub(crate) high: Ballot,
}

impl Heard {
    pub(crate) fn of(input: &Input, machine: &Machine) -> Self {
        let high = machine.high().ballot;
        let higher = |vote: &Vote| vote.phase == Phase::Two && vote.block.ballot > high;
        let last_final = machine.last_final().number;
        let beside = |number, id| {
            let own = machine.chain().canonical_at(number);
            number <= last_final && own.is_some_and(|own| own != id)
        };
        Self {
            is_vote: matches!(input, Input::Vote { .. } | Input::Proposal { .. }),
            is_status: matches!(input, Input::Status { .. }),
            is_evidence: matches!(input, Input::Evidence { .. }),
            shows_higher: matches!(input, Input::Vote { vote, .. } if higher(vote)),
            conflicts: match input {
                Input::Block { block, .. } => beside(block.header().number, block.id),
                _ => false,
            },
            justify: match input {
                Input::Proposal { justify, .. } => Some(justify.ballot),
                _ => None,
            },
            high,
        }
    }
}

impl World {
    /// Whether a proposal that a node accepts leaves its lock; by which rule it refuses it.
    pub(crate) fn refusal(
        &self,
        index: usize,
        vote: &Vote,
        justify: &VerifiedCertificate,
    ) -> Result<bool, Refusal> {
        let machine = &self.nodes[index].shell.machine;
        let Some(voter) = machine.voter() else {
            return Ok(false);
        };
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
        voter.judge(now, &rules, &proposal, &last_final, branches)?;
        Ok(!branches.extends(&vote.block.id, &voter.record.lock))
    }
}

/// The label of a rule.
pub(crate) fn name(refusal: Refusal) -> &'static str {
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
