//! A fault of a run, and what came of it.

use super::{
    Fault, Planned, Run, Scenario,
    words::{seconds, wrapped},
};
use crate::What;
use serde::Serialize;

/// A fault, and what came of it; times in ms after the beginning, or after the fault.
#[derive(Clone, Debug, Serialize)]
pub struct Happened {
    /// As `v2 is killed`.
    pub fault: String,
    /// What ends it, as `v2 starts again`.
    #[serde(skip)]
    heals: String,
    #[serde(skip)]
    is_kill: bool,
    pub from_ms: u64,
    pub until_ms: Option<u64>,
    /// Whether a killed validator led at that moment.
    pub leader: bool,
    /// Of a kill: until another validator made a block, and which.
    pub next_block_ms: Option<u64>,
    pub next_block_by: Option<String>,
    /// From its end until all payments that waited then were final at all honest validators
    /// that ran.
    pub final_after_ms: Option<u64>,
}

impl Happened {
    /// What came of a fault.
    pub(super) fn of(scenario: &Scenario, run: &Run, planned: &Planned) -> Self {
        let (fault, heals) = told(scenario, &planned.fault);
        let mut leader = false;
        let mut next = None;
        if let Fault::Kill(nodes) = &planned.fault {
            leader = nodes.contains(&run.leader(planned.from_ms, scenario));
            next = run.entries.iter().find_map(|entry| {
                let node = entry.node.filter(|node| !nodes.contains(node))?;
                let is_next = entry.at >= planned.from_ms && matches!(entry.what, What::Sealed(..));
                is_next.then(|| (entry.at - planned.from_ms, scenario.name(node)))
            });
        }
        Self {
            fault,
            heals,
            is_kill: matches!(planned.fault, Fault::Kill(_)),
            from_ms: planned.from_ms,
            until_ms: planned.until_ms,
            leader,
            next_block_ms: next.as_ref().map(|(ms, _)| *ms),
            next_block_by: next.map(|(_, name)| name),
            final_after_ms: planned
                .until_ms
                .and_then(|until| final_after(scenario, run, until)),
        }
    }

    /// For a terminal.
    pub(super) fn lines(&self) -> Vec<String> {
        let at = |ms: u64| format!("{:>9}", format!("{:.1} s", ms as f64 / 1_000.0));
        let role = if self.leader { " while it leads" } else { "" };
        let next = match (self.next_block_ms, &self.next_block_by) {
            (Some(ms), Some(by)) => format!(": next block {} later, by {by}", seconds(ms)),
            _ if self.is_kill => ": no block of another after it".to_owned(),
            _ => String::new(),
        };
        let mut lines = vec![format!("{}  {}{role}{next}", at(self.from_ms), self.fault)];
        if let Some(until) = self.until_ms {
            let then = match self.final_after_ms {
                Some(ms) => format!("all that waited is final {} later", seconds(ms)),
                None => "not all that waited became final".to_owned(),
            };
            lines.push(format!("{}  {}: {then}", at(until), self.heals));
        }
        lines.iter().map(|line| wrapped(line, 11)).collect()
    }
}

/// A fault and its end in words.
fn told(scenario: &Scenario, fault: &Fault) -> (String, String) {
    let names = |nodes: &[usize]| {
        let names: Vec<_> = nodes.iter().map(|index| scenario.name(*index)).collect();
        names.join(" ")
    };
    let is_one = |nodes: &[usize]| nodes.len() == 1;
    match fault {
        Fault::Kill(nodes) => {
            let (are, start) = if is_one(nodes) {
                ("is", "starts")
            } else {
                ("are", "start")
            };
            let names = names(nodes);
            (
                format!("{names} {are} killed"),
                format!("{names} {start} again"),
            )
        }
        Fault::Cut(sides) => {
            let sides: Vec<_> = sides.iter().map(|side| names(side)).collect();
            (
                format!("cut: {}", sides.join(" | ")),
                "the cut heals".into(),
            )
        }
        Fault::Skew(nodes, ms) => {
            let have = if is_one(nodes) {
                "has its clock"
            } else {
                "have their clocks"
            };
            let names = names(nodes);
            (
                format!("{names} {have} {ms} ms ahead"),
                format!("{names} {have} set right"),
            )
        }
    }
}

/// How long it took from a moment on until all payments of before were final at all honest
/// validators that ran then; `None`: they did not all become so.
fn final_after(scenario: &Scenario, run: &Run, moment: u64) -> Option<u64> {
    let mut longest = 0;
    let runs = |index: &usize| run.honest[*index] && !scenario.is_dead(*index, moment);
    let nodes: Vec<_> = (0..scenario.validators()).filter(runs).collect();
    for payment in run.payments.iter().filter(|payment| payment.at <= moment) {
        for node in &nodes {
            longest = longest.max(payment.final_at[*node]?.saturating_sub(moment));
        }
    }
    Some(longest)
}
