//! I7: while a quorum of honest validators runs, connected and with clocks that agree, what waits
//! becomes final.

use super::Scenario;
use crate::{node::Process, world::World};
use std::collections::BTreeSet;

/// Slots in which finality must move, besides one for each validator that may be dead.
const SLOTS: u64 = 8;

/// Dialling again and catching up, in ms.
const REUNION_MS: u64 = 5_000;

/// Watches one run.
pub(super) struct Watchdog {
    /// How long a block may wait, in ms.
    pub(super) patience: u64,
    /// A quorum that could make blocks final, and since when it is the same.
    group: BTreeSet<usize>,
    since: u64,
}

impl Watchdog {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let slots = SLOTS + scenario.validators() as u64;
        Self {
            patience: slots * scenario.slot_ms() + REUNION_MS,
            group: BTreeSet::new(),
            since: 0,
        }
    }

    /// Panics if a block waits too long; `ms` is the time of the scenario.
    pub(super) fn look(&mut self, scenario: &Scenario, world: &World, ms: u64) {
        let group = quorum(scenario, world, ms);
        if group != self.group {
            (self.group, self.since) = (group, ms);
        }
        if scenario.hindrance().is_some() || ms < self.since + self.patience {
            return;
        }
        for index in &self.group {
            if let Some((number, waits)) = world.oldest_unfinal(*index) {
                let (name, seconds) = (world.name(*index), waits / 1_000);
                let count = self.group.len();
                assert!(
                    waits <= self.patience,
                    "I7: block {number} of {name} waits for finality for {seconds} s, \
                     although {count} honest validators run and reach each other"
                );
            }
        }
    }
}

/// The honest validators that run, reach each other and have clocks that agree, if they are a
/// quorum.
fn quorum(scenario: &Scenario, world: &World, ms: u64) -> BTreeSet<usize> {
    let runs = |index: &usize| {
        let node = &world.nodes[*index];
        node.process == Process::Up && node.lie.is_none()
    };
    let mut left: BTreeSet<usize> = (0..scenario.validators()).filter(runs).collect();
    let consensus = &scenario.config.consensus;
    while let Some(first) = left.pop_first() {
        let mut component = BTreeSet::from([first]);
        let mut open = vec![first];
        while let Some(index) = open.pop() {
            let near = left
                .iter()
                .filter(|other| !scenario.is_cut([index, **other], ms));
            open.extend(near.copied());
            component.extend(&open);
            left.retain(|other| !component.contains(other));
        }
        let agree = in_time(world, &component, consensus.max_skew_ms);
        if 2 * agree.len() > component.len() && agree.len() >= consensus.quorum as usize {
            return agree;
        }
    }
    BTreeSet::new()
}

/// The most of some nodes whose clocks differ by so much at most.
fn in_time(world: &World, nodes: &BTreeSet<usize>, max_skew_ms: u64) -> BTreeSet<usize> {
    let skew = |index: &usize| world.nodes[*index].skew;
    let agree = |slowest: &usize| -> BTreeSet<usize> {
        let from = skew(slowest);
        let in_time = |index: &&usize| {
            let ahead = skew(index) - from;
            ahead >= 0 && ahead.unsigned_abs() <= max_skew_ms
        };
        nodes.iter().filter(in_time).copied().collect()
    };
    nodes
        .iter()
        .map(agree)
        .max_by_key(BTreeSet::len)
        .unwrap_or_default()
}
