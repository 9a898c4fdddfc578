//! What a run means, in words and figures. Pure: the same run gives the same bytes.

use super::{
    Fault, Planned, Run, Scenario, Spread,
    lanes::{LEGEND, NAMES, lanes, scale},
};
use crate::What;
use serde::Serialize;
use std::{collections::BTreeMap, fmt};

/// Columns of a line.
const WIDTH: usize = 80;

/// A fault, and what came of it; times in ms after the beginning, or after the fault.
#[derive(Clone, Debug, Serialize)]
pub struct Happened {
    /// As `v2 is killed`.
    pub fault: String,
    /// What ends it, as `v2 starts again`.
    #[serde(skip)]
    heals: String,
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
            .map(|planned| happened(scenario, run, planned))
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

fn happened(scenario: &Scenario, run: &Run, planned: &Planned) -> Happened {
    let name = |index: &usize| scenario.name(*index);
    let names = |nodes: &[usize]| nodes.iter().map(name).collect::<Vec<_>>().join(" ");
    let is = |nodes: &[usize]| if nodes.len() == 1 { "is" } else { "are" };
    let has = |nodes: &[usize]| {
        if nodes.len() == 1 {
            "has its clock"
        } else {
            "have their clocks"
        }
    };
    let (fault, heals) = match &planned.fault {
        Fault::Kill(nodes) => {
            let starts = if nodes.len() == 1 { "starts" } else { "start" };
            (
                format!("{} {} killed", names(nodes), is(nodes)),
                format!("{} {starts} again", names(nodes)),
            )
        }
        Fault::Cut(sides) => {
            let sides: Vec<_> = sides.iter().map(|side| names(side)).collect();
            (
                format!("cut: {}", sides.join(" | ")),
                "the cut heals".to_owned(),
            )
        }
        Fault::Skew(nodes, ms) => (
            format!("{} {} {ms} ms ahead", names(nodes), has(nodes)),
            format!("{} {} set right", names(nodes), has(nodes)),
        ),
    };
    let mut leader = false;
    let mut next = None;
    if let Fault::Kill(nodes) = &planned.fault {
        leader = nodes.contains(&run.leader(planned.from_ms, scenario));
        next = run.entries.iter().find_map(|entry| {
            let node = entry.node.filter(|node| !nodes.contains(node))?;
            let is_next = entry.at >= planned.from_ms && matches!(entry.what, What::Sealed(..));
            is_next.then(|| (entry.at - planned.from_ms, name(&node)))
        });
    }
    Happened {
        fault,
        heals,
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

/// Seconds with as many decimals as a reader can use.
fn seconds(ms: u64) -> String {
    let seconds = ms as f64 / 1_000.0;
    if ms < 1_000 {
        format!("{seconds:.2} s")
    } else {
        format!("{seconds:.1} s")
    }
}

/// A text in lines of at most 80 columns, the later ones behind `indent` spaces.
fn wrapped(text: &str, indent: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("there is one");
        if !last.trim().is_empty() && last.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(format!("{}{word}", " ".repeat(indent)));
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines.join("\n")
}

impl Happened {
    fn lines(&self) -> Vec<String> {
        let at = |ms: u64| format!("{:>9}", format!("{:.1} s", ms as f64 / 1_000.0));
        let role = if self.leader { " while it leads" } else { "" };
        let next = match (self.next_block_ms, &self.next_block_by) {
            (Some(ms), Some(by)) => format!(": next block {} later, by {by}", seconds(ms)),
            _ if self.heals.contains("again") => ": no block of another after it".to_owned(),
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
