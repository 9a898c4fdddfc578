//! One run of a scenario: the world goes on in small steps, faults come and go, users pay, and
//! the invariants are judged.

use super::{
    Scenario,
    observer::{Observer, Payment},
    watchdog::Watchdog,
};
use crate::{Entry, What, node::Process, random::Random, world::World};
use ccoin_core::BlockId;
use std::{
    any::Any,
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// The validators start so long after block 1, and a random part of a round of all leaders
/// later; liars have idle turns in that past.
const BEGIN: u64 = 150_000;

/// Between two looks at the world, two payments, and two chances of a liar, in ms.
const LOOK: u64 = 50;
const PAY: u64 = 200;
const LIE: u64 = 500;

/// After the end payments have so long to become final: one that was refused in a bad moment is
/// told again after half a minute, and everybody looks every half minute.
const DRAIN: u64 = 80_000;

/// Looks at the invariants of all signatures, besides those at the faults.
const AUDITS: u64 = 10;

/// What happened in a run; times in ms after its beginning.
#[derive(Clone, Debug)]
pub struct Run {
    pub seed: u64,
    pub entries: Vec<Entry>,
    pub payments: Vec<Payment>,
    /// Of the validators.
    pub honest: Vec<bool>,
    /// The validator that leads at a moment, by the slots.
    first_leader: usize,
    until_next: u64,
    /// Blocks that were made and are not on the chain.
    pub left: usize,
    /// The invariant that does not hold.
    pub violation: Option<String>,
    /// What came before it.
    pub timeline: Vec<String>,
}

impl Run {
    /// The validator that leads at a moment.
    #[must_use]
    pub fn leader(&self, ms: u64, scenario: &Scenario) -> usize {
        let slots = match ms.checked_sub(self.until_next) {
            None => 0,
            Some(behind) => 1 + behind / scenario.slot_ms(),
        };
        (self.first_leader + slots as usize) % scenario.validators()
    }
}

/// Runs a scenario. An invariant that breaks ends it, and so does a panic of the code that ships.
#[must_use]
pub fn simulate(scenario: &Scenario, seed: u64) -> Run {
    let mut stage = Stage::new(scenario, seed);
    let played = catch_unwind(AssertUnwindSafe(|| stage.play()));
    stage.into_run(seed, played.err().map(words))
}

/// The message of a panic on one line.
fn words(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    let text = text.unwrap_or_else(|| "a panic without a message".to_owned());
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    lines.join("; ")
}

struct Stage<'a> {
    scenario: &'a Scenario,
    world: World,
    random: Random,
    /// When the scenario begins.
    zero: u64,
    observer: Observer,
    watchdog: Watchdog,
}

impl<'a> Stage<'a> {
    fn new(scenario: &'a Scenario, seed: u64) -> Self {
        let validators = scenario.validators();
        let genesis = scenario.genesis();
        let mut world = World::new(&genesis, validators, scenario.nodes());
        let mut random = Random(seed);
        let copied = scenario.copied();
        for b in 0..scenario.nodes() {
            let first = b.checked_sub(validators).map(|copy| copied[copy]);
            let others = (0..b).filter(|a| Some(*a) != first);
            others.for_each(|a| world.link(a, b, scenario.rtt_ms / 2));
        }
        world.jitter = scenario.rtt_ms / 20;
        world.latency = scenario.latency();
        world.random = Random(random.draw());
        world.invite(validators as u32, false);
        for index in 0..validators {
            let attack = scenario.attack_of(index);
            world.nodes[index].lie = attack.map(|attack| attack.lie.clone());
        }
        let round = validators as u64 * scenario.slot_ms();
        let behind = scenario.most_behind().unsigned_abs();
        world.run_until(BEGIN + behind + random.below(round));
        let observer = Observer::new(&world);
        Self {
            scenario,
            world,
            random,
            zero: 0,
            observer,
            watchdog: Watchdog::new(scenario),
        }
    }

    fn play(&mut self) {
        let (slot, length) = (self.scenario.slot_ms(), self.scenario.length_ms);
        (0..self.scenario.validators()).for_each(|index| self.world.start(index));
        self.world.run_until(self.world.now + 2 * slot + 2_000);
        self.zero = self.world.now;
        self.observer = Observer::new(&self.world);
        let edges: BTreeSet<u64> = self.scenario.edges().into_iter().collect();
        let audits: BTreeSet<u64> = (1..AUDITS).map(|part| length * part / AUDITS).collect();
        let mut ms = 0;
        while ms < length {
            if edges.contains(&ms) {
                self.apply_faults(ms);
            }
            if edges.contains(&ms) || audits.contains(&ms) {
                self.world.assert_finality();
            }
            self.act(ms);
            let special = edges.range(ms + 1..).next().into_iter();
            let next = special.chain(audits.range(ms + 1..).next()).copied();
            ms = next.fold((ms / LOOK + 1) * LOOK, u64::min).min(length);
            self.go_on(ms);
        }
        self.world.reveal_all();
        let end = length + self.watchdog.patience.max(DRAIN);
        while ms < end && self.waits() {
            ms += LOOK;
            self.go_on(ms);
        }
        self.world.assert_finality();
        self.world.one_block_a_turn();
    }

    fn go_on(&mut self, ms: u64) {
        self.world.run_until(self.zero + ms);
        self.observer.look(&self.world);
        self.watchdog.look(self.scenario, &self.world, ms);
    }

    /// Whether a payment is not final at its validator.
    fn waits(&self) -> bool {
        let payments = self.observer.payments(&self.world);
        payments
            .iter()
            .any(|payment| payment.final_at[payment.node].is_none())
    }

    /// Brings the world to what the scenario says of this moment.
    fn apply_faults(&mut self, ms: u64) {
        let (scenario, world) = (self.scenario, &mut self.world);
        world.cut_only(|a, b| scenario.is_cut([a, b], ms));
        for index in 0..scenario.validators() {
            world.set_clock(index, scenario.skew(index, ms));
            match (scenario.is_dead(index, ms), world.nodes[index].process) {
                (true, Process::Up) => world.kill(index),
                (false, Process::Down) => world.start(index),
                _ => {}
            }
        }
        for (place, of) in scenario.copied().into_iter().enumerate() {
            let copy = scenario.validators() + place;
            let due = !scenario.is_dead(copy, ms) && !scenario.is_dead(of, ms);
            if due && world.nodes[copy].process == Process::Down {
                world.copy_machine(copy, of);
                world.start(copy);
            }
        }
    }

    /// Users pay, and liars lie.
    fn act(&mut self, ms: u64) {
        if ms.is_multiple_of(PAY)
            && let Some((node, id)) = self.world.spend(&mut self.random)
        {
            self.observer.paid(&self.world, node, id);
        }
        if ms.is_multiple_of(LIE) {
            for index in 0..self.world.nodes.len() {
                if self.world.nodes[index].lie.is_some() && self.random.below(2) == 0 {
                    self.world.misbehave(index, &mut self.random);
                }
            }
        }
    }

    fn into_run(self, seed: u64, violation: Option<String>) -> Run {
        let (world, zero) = (&self.world, self.zero);
        let relative = |at: u64| at.saturating_sub(zero);
        let entries = self.observer.entries.iter().cloned();
        let entries: Vec<_> = entries
            .map(|entry| Entry {
                at: relative(entry.at),
                ..entry
            })
            .collect();
        let payments = self.observer.payments(world).into_iter();
        let payments = payments.map(|payment| Payment {
            at: relative(payment.at),
            final_at: payment.final_at.iter().map(|at| at.map(relative)).collect(),
            ..payment
        });
        let honest = world.nodes.iter().map(|node| node.lie.is_none());
        let schedule = &world.genesis.schedule;
        let begin = crate::at(zero);
        let leader = schedule.leader_at(begin);
        let leader = leader.and_then(|miner| schedule.index(&miner)).unwrap_or(0);
        let timeline = violation.is_some().then(|| world.timeline(zero));
        Run {
            seed,
            payments: payments.collect(),
            honest: honest.collect(),
            first_leader: leader,
            until_next: schedule.end(schedule.slot(begin)) - begin.get(),
            left: left_blocks(world, &entries),
            violation,
            timeline: timeline.unwrap_or_default(),
            entries,
        }
    }
}

/// How many of the blocks that were made are not on the longest chain of an honest node.
fn left_blocks(world: &World, entries: &[Entry]) -> usize {
    let chains = world.honest().map(|(_, node)| &node.view);
    let longest = chains.max_by_key(|view| view.len()).into_iter().flatten();
    let chain: BTreeSet<BlockId> = longest.map(|block| block.id).collect();
    let made = entries.iter().filter_map(|entry| match entry.what {
        What::Sealed(_, id) => Some(id),
        _ => None,
    });
    made.filter(|id| !chain.contains(id)).count()
}
