//! What a run means, in words and figures. Pure: the same run gives the same bytes.

use super::{
    Happened, Run, Scenario, Spread,
    lanes::{LEGEND, NAMES, lanes, scale},
    words::{seconds, wrapped},
};
use crate::What;
use serde::Serialize;
use std::{collections::BTreeMap, fmt};

/// What a run has shown.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub seed: u64,
    pub miners: usize,
    pub quorum: u32,
    pub slot_ms: u64,
    pub rtt_ms: u64,
    pub length_ms: u64,
    /// What the network survives.
    pub fault_model: String,
    /// Why finality is not promised here.
    pub hindrance: Option<String>,
    /// Who lies, and how.
    pub attacks: BTreeMap<String, &'static str>,
    pub faults: Vec<Happened>,
    /// A character for each piece of time.
    pub lanes: BTreeMap<String, String>,
    pub blocks: usize,
    /// How many of them no honest validator has on its chain at the end.
    pub blocks_left: usize,
    pub payments: usize,
    pub payments_final: usize,
    pub payment_final: Option<Spread>,
    #[serde(skip)]
    pub payment_times: Vec<u64>,
    /// The longest time in which no block became final, from when to when.
    pub stood_still_ms: [u64; 2],
    pub violation: Option<String>,
    /// What came before it.
    pub timeline: Vec<String>,
    #[serde(skip)]
    lines: Vec<String>,
}

impl Report {
    /// What a run of a scenario means.
    #[must_use]
    pub fn new(scenario: &Scenario, run: &Run) -> Self {
        let lanes = lanes(scenario, run);
        let made = run
            .entries
            .iter()
            .filter(|entry| matches!(entry.what, What::Sealed(..)));
        let times = run.payments.iter();
        let times = times.filter_map(|payment| Some(payment.first_final(run)? - payment.at));
        let times: Vec<_> = times.collect();
        let attacks = scenario.attacks.iter().flat_map(|(liars, attack)| {
            let name = |index: &usize| (format!("v{}", index + 1), attack.name);
            liars.iter().map(name).collect::<Vec<_>>()
        });
        let faults = scenario.faults.iter();
        let mut faults: Vec<_> = faults
            .map(|planned| Happened::of(scenario, run, planned))
            .collect();
        faults.sort_by_key(|fault| fault.from_ms);
        let consensus = &scenario.config.consensus;
        Self {
            seed: run.seed,
            miners: scenario.validators(),
            quorum: consensus.quorum,
            slot_ms: consensus.slot_ms,
            rtt_ms: scenario.rtt_ms,
            length_ms: scenario.length_ms,
            fault_model: scenario.config.fault_model(),
            hindrance: scenario.hindrance(),
            attacks: attacks.collect(),
            faults,
            lines: lanes
                .iter()
                .map(|lane| format!("{:<NAMES$}{}", lane.name, lane.cells))
                .collect(),
            lanes: lanes
                .into_iter()
                .map(|lane| (lane.name, lane.cells))
                .collect(),
            blocks: made.count(),
            blocks_left: run.left,
            payments: run.payments.len(),
            payments_final: times.len(),
            payment_final: Spread::of(times.clone()),
            payment_times: times,
            stood_still_ms: stood_still(scenario, run),
            violation: run.violation.clone(),
            timeline: run.timeline.clone(),
        }
    }
}

fn stood_still(scenario: &Scenario, run: &Run) -> [u64; 2] {
    let moves = run
        .entries
        .iter()
        .filter(|entry| matches!(entry.what, What::Final(..)));
    let moves = moves.map(|entry| entry.at.min(scenario.length_ms));
    let mut before = 0;
    let gaps = moves
        .chain([scenario.length_ms])
        .map(|at| [core::mem::replace(&mut before, at), at]);
    let gaps: Vec<_> = gaps.collect();
    let longest = gaps
        .into_iter()
        .max_by_key(|[from, until]| (until - from, core::cmp::Reverse(*from)));
    longest.unwrap_or_default()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", wrapped(&self.fault_model, 2))?;
        let (slot, quorum, rtt) = (self.slot_ms as f64 / 1_000.0, self.quorum, self.rtt_ms);
        writeln!(
            f,
            "slot {slot} s, quorum {quorum}, round trip {rtt} ms, 5 payments a second, seed {}",
            self.seed
        )?;
        for (name, attack) in &self.attacks {
            writeln!(f, "{name} lies: {attack}")?;
        }
        if let Some(hindrance) = &self.hindrance {
            writeln!(
                f,
                "{}",
                wrapped(&format!("finality is not promised: {hindrance}"), 2)
            )?;
        }
        writeln!(f, "\n{}", scale(self.length_ms))?;
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "{LEGEND}\n")?;
        for line in self.faults.iter().flat_map(Happened::lines) {
            writeln!(f, "{line}")?;
        }
        let (made, left) = (self.blocks, self.blocks_left);
        writeln!(f, "blocks    {made} made, {left} of them left behind")?;
        let (sent, settled) = (self.payments, self.payments_final);
        let spread = self
            .payment_final
            .map_or(String::new(), |spread| format!(" after {spread}"));
        writeln!(
            f,
            "{}",
            wrapped(
                &format!("payments  {sent}, {settled} of them final{spread}"),
                10
            )
        )?;
        let [from, until] = self.stood_still_ms;
        writeln!(
            f,
            "finality  stood still for {} at most, from {} on",
            seconds(until - from),
            seconds(from)
        )?;
        match &self.violation {
            None => write!(
                f,
                "safety    no invariant broken: what was final stayed so everywhere"
            ),
            Some(what) => {
                writeln!(f, "\nthe end of the timeline:")?;
                for line in &self.timeline {
                    writeln!(f, "{line}")?;
                }
                write!(f, "{}", wrapped(&format!("VIOLATION {what}"), 10))
            }
        }
    }
}
