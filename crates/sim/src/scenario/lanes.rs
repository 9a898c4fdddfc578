//! A run as lanes: one line for each validator, one character for each piece of time.

use super::{Run, Scenario};
use crate::What;
use std::fmt::Write as _;

/// Pieces of time in a lane; with the names and the frame a line has 80 columns at most.
const CELLS: u64 = 72;

/// Columns of the names.
pub(super) const NAMES: usize = 6;

/// Cells between two marks of the scale.
const MARKS: usize = 18;

/// What a cell shows.
pub(super) const LEGEND: &str = "# made blocks   - led, none made   x dead   / cut off   * cut off, made blocks\n\
     = a block became final";

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) name: String,
    pub(super) cells: String,
}

/// Who led, made blocks, was dead or cut off, and at last when a block became final.
pub(super) fn lanes(scenario: &Scenario, run: &Run) -> Vec<Lane> {
    let mut sealed = vec![[false; CELLS as usize]; scenario.nodes()];
    let mut settled = [false; CELLS as usize];
    for entry in &run.entries {
        let cell = (entry.at * CELLS / scenario.length_ms) as usize;
        match (entry.node, &entry.what) {
            _ if cell >= CELLS as usize => {}
            (Some(node), What::Sealed(..)) => sealed[node][cell] = true,
            (Some(node), What::Final(..)) => settled[cell] |= run.honest[node],
            _ => {}
        }
    }
    let show = |(index, made): (usize, &[bool; CELLS as usize])| Lane {
        name: scenario.name(index),
        cells: (0..CELLS)
            .map(|cell| show(scenario, run, index, cell, made[cell as usize]))
            .collect(),
    };
    let mut lanes: Vec<_> = sealed.iter().enumerate().map(show).collect();
    lanes.push(Lane {
        name: "final".into(),
        cells: settled
            .map(|moved| if moved { '=' } else { '.' })
            .iter()
            .collect(),
    });
    lanes
}

fn show(scenario: &Scenario, run: &Run, index: usize, cell: u64, made: bool) -> char {
    let length = scenario.length_ms;
    let (from, until) = (cell * length / CELLS, (cell + 1) * length / CELLS);
    let begins = scenario
        .edges()
        .into_iter()
        .filter(|edge| (from..until).contains(edge));
    let moments: Vec<_> = begins.chain([u64::midpoint(from, until)]).collect();
    let dead = moments.iter().any(|ms| scenario.is_dead(index, *ms));
    let apart = moments.iter().any(|ms| scenario.is_apart(index, *ms));
    let led = run.leader(u64::midpoint(from, until), scenario) == index;
    match (dead, apart, made) {
        (true, ..) => 'x',
        (_, true, true) => '*',
        (_, true, false) => '/',
        (_, _, true) => '#',
        _ if led => '-',
        _ => '.',
    }
}

/// The seconds above the lanes.
pub(super) fn scale(length_ms: u64) -> String {
    let mut line = " ".repeat(NAMES);
    for mark in 0..CELLS as usize / MARKS {
        let ms = length_ms * (mark * MARKS) as u64 / CELLS;
        let text = format!("{} s", ms as f64 / 1_000.0);
        let _ = write!(line, "{text:<MARKS$}");
    }
    line.trim_end().to_owned()
}
