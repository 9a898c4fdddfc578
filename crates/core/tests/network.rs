//! Two and three machines on a network that loses nothing: take-over when a leader
//! stops, return of the stopped, and what a partition leaves behind when it heals.

mod fixtures;

use ccoin_core::{Address, BlockId, block::SealedBlock, genesis::Genesis};
use fixtures::{Network, key, shell::Shell, transfer};
use std::sync::Arc;

/// Milliseconds between two looks at the world.
const STEP: u64 = 5;

/// A block on its way: when it is due, from whom, to whom.
type Sent = (u64, usize, usize, SealedBlock);

/// Shells and the blocks on their way between them.
struct World {
    genesis: Arc<Genesis>,
    shells: Vec<Shell>,
    now: u64,
    delay: u64,
    /// Who hears whom: the same number, the same side. `None` is a stopped node.
    sides: Vec<Option<usize>>,
    wire: Vec<Sent>,
}

impl World {
    fn new(network: &Network) -> Self {
        let genesis = network.found();
        let shells = (0..network.miners)
            .map(|index| Shell::new(&genesis, index))
            .collect();
        Self {
            genesis,
            shells,
            now: 0,
            delay: 20,
            sides: vec![Some(0); network.miners],
            wire: Vec::new(),
        }
    }

    /// A transfer of key 3 with this number reaches every running node on this side.
    fn pay(&mut self, number: u64, side: usize) {
        let txn = transfer(&self.genesis, key(3).public_key(), number, Address::ZERO, 1);
        for (shell, _) in self
            .shells
            .iter_mut()
            .zip(&self.sides)
            .filter(|(_, s)| **s == Some(side))
        {
            shell.submit(self.now, core::slice::from_ref(&txn));
        }
    }

    fn run_until(&mut self, end: u64) {
        while self.now < end {
            self.now += STEP;
            let now = self.now;
            for index in 0..self.shells.len() {
                if self.sides[index].is_none() {
                    continue;
                }
                self.shells[index].tick(now);
                for block in self.shells[index].made.split_off(0) {
                    let others = (0..self.shells.len()).filter(|to| *to != index);
                    self.wire
                        .extend(others.map(|to| (now + self.delay, index, to, block.clone())));
                }
            }
            let sides = &self.sides;
            let open = |from: usize, to: usize| {
                sides[to].is_some() && (sides[from].is_none() || sides[from] == sides[to])
            };
            let due = |sent: &Sent| sent.0 <= now && open(sent.1, sent.2);
            let (arrived, wire): (Vec<Sent>, Vec<Sent>) = self.wire.drain(..).partition(due);
            self.wire = wire;
            for (_, _, to, block) in arrived {
                self.shells[to].block(now, &block);
                let verdict = self.shells[to].verdicts.pop();
                assert_eq!(verdict, Some(Ok(())), "a block of an honest miner");
            }
        }
    }

    fn heads(&self) -> Vec<BlockId> {
        self.shells
            .iter()
            .map(|shell| shell.machine.chain().head().block.id)
            .collect()
    }

    fn one_chain(&self) -> bool {
        self.heads().windows(2).all(|pair| pair[0] == pair[1])
    }

    /// Blocks of node `index` made after a moment: (ms, position of the miner).
    fn made_after(&self, index: usize, moment: u64) -> Vec<(u64, usize)> {
        let chain = self.shells[index].machine.chain().main();
        let header = |applied: &Arc<ccoin_core::rules::Applied>| {
            let header = applied.block.header().clone();
            let position = (0..3).find(|position| fixtures::miner(*position) == header.coinbase);
            (header.time.get() - fixtures::START, position.unwrap_or(9))
        };
        chain
            .iter()
            .map(header)
            .filter(|(after, _)| *after > moment)
            .collect()
    }
}

fn network(miners: usize) -> Network {
    Network {
        miners,
        min_bound: 1,
        max_bound: 50,
        allow_empty: false,
        ..Network::default()
    }
}

#[test]
fn validators_take_turns_and_share_fairly() {
    for miners in [2, 3] {
        let mut world = World::new(&network(miners));
        for number in 1..=120 {
            world.run_until(3_000 + number * 200);
            world.pay(number, 0);
        }
        world.run_until(30_000);
        assert!(world.one_chain() && world.shells[0].machine.pool().is_empty());
        let made = world.made_after(0, 0);
        assert!(
            made.iter()
                .all(|(after, position)| (*after / 2_000) as usize % miners == *position)
        );
        let share = |position| made.iter().filter(|block| block.1 == position).count() * miners;
        let all = made.len();
        assert!(
            (0..miners).all(|position| (all * 7 / 10..all * 13 / 10).contains(&share(position))),
            "{made:?}"
        );
    }
}

/// The leader stops at every moment of its slot; the others go on within a slot and the guard.
#[test]
fn a_hung_leader_freezes_the_chain() {
    for (miners, dead) in [(2, vec![0]), (3, vec![0]), (3, vec![0, 1])] {
        for moment in (12_000..14_000).step_by(250) {
            let mut world = World::new(&network(miners));
            world.run_until(moment);
            dead.iter().for_each(|index| world.sides[*index] = None);
            world.pay(1, 0);
            world.run_until(moment + 6_500);
            let live = dead.len();
            let next = world
                .made_after(live, moment)
                .first()
                .copied()
                .expect("the others go on");
            assert!(
                next.0 <= moment + 2_000 * dead.len() as u64 + 400,
                "{miners} {dead:?} {moment}: {next:?}"
            );
            assert!(!dead.contains(&next.1));
        }
    }
}

#[test]
fn a_stopped_node_returns_to_the_survivors_chain() {
    let mut world = World::new(&network(2));
    for number in 1..=60 {
        if number == 20 {
            world.sides[0] = None;
        }
        if number == 40 {
            world.sides[0] = Some(0);
            world.shells[0].restart();
        }
        world.run_until(3_000 + number * 300);
        world.pay(number, 0);
    }
    let survivor = world.made_after(1, 0);
    world.run_until(30_000);
    assert!(world.one_chain());
    let both = world.made_after(0, 0);
    assert_eq!(
        both[..survivor.len()],
        survivor[..],
        "every block of the survivor is kept"
    );
    assert!(
        both.iter()
            .any(|(after, position)| *position == 0 && *after > 16_000),
        "it takes its turns again"
    );
}

#[test]
fn a_partition_shorter_than_the_skew_leaves_one_chain() {
    let mut world = World::new(&network(2));
    let mut number = 0;
    for round in 0..20 {
        let cut = 5_000 + round * 1_370;
        world.run_until(cut);
        world.sides = vec![Some(0), Some(1)];
        number += 1;
        world.pay(number, 0);
        world.pay(number, 1);
        world.run_until(cut + 450);
        world.sides = vec![Some(0), Some(0)];
    }
    world.run_until(40_000);
    assert!(world.one_chain(), "{:?}", world.heads());
    let account = world.shells[0]
        .machine
        .accounts()
        .account(&fixtures::miner(3));
    assert_eq!(
        account.nonce.get(),
        number,
        "every transaction is on the chain, once"
    );
}

/// Traffic on one side only: the other side has nothing to set against it.
#[test]
fn a_partition_with_traffic_on_one_side_keeps_that_sides_chain() {
    let mut world = World::new(&network(3));
    world.run_until(5_000);
    world.sides = vec![Some(0), Some(0), Some(1)];
    for number in 1..=20 {
        world.run_until(5_000 + number * 500);
        world.pay(number, 0);
    }
    world.run_until(16_000);
    let busy = world.made_after(0, 0);
    world.sides = vec![Some(0); 3];
    world.run_until(16_100);
    assert!(world.one_chain());
    assert_eq!(world.made_after(2, 0), busy);
}
