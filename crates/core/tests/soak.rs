//! Random networks with random kills, hangs, partitions and delays. After all is well
//! again: one chain on every node, with every transaction once. The seed is the run.

mod fixtures;

use ccoin_core::genesis::Genesis;
use fixtures::{
    Network,
    peer::Lie,
    random::Random,
    world::{Process, World},
};
use std::sync::Arc;

fn network(miners: usize, random: &mut Random) -> Arc<Genesis> {
    Network {
        miners,
        min_bound: 1 + random.below(3) as u32,
        max_bound: 3 + random.below(40) as u32,
        allow_empty: random.below(4) == 0,
        difficulty: 0,
        ..Network::default()
    }
    .found()
}

fn any_lie(random: &mut Random) -> Lie {
    let number = random.between(2, 30);
    let lies = [
        Lie::Stall,
        Lie::Order,
        Lie::Beginning,
        Lie::TooMany,
        Lie::State(number),
        Lie::EmptyMore,
        Lie::Claims(1 << number),
        Lie::Stale,
        Lie::Single,
        Lie::Late,
    ];
    lies[random.below(lies.len() as u64) as usize].clone()
}

/// A connected graph: a random tree and some more links. With five nodes the last one lies,
/// and whoever is linked with it is linked with the others too.
fn linked(genesis: &Arc<Genesis>, validators: usize, nodes: usize, random: &mut Random) -> World {
    let lies = nodes == 5;
    let mut world = World::new(genesis, validators, nodes);
    for b in 1..nodes {
        let parent = random.below(b as u64) as usize;
        for a in 0..b {
            if lies || a == parent || random.below(3) == 0 {
                world.link(a, b, random.between(1, 200));
            }
        }
    }
    if lies {
        world.nodes[4].lie = Some(any_lie(random));
    }
    world.jitter = random.below(30);
    for node in &mut world.nodes {
        node.skew = random.below(501) as i64 - 250;
    }
    world
}

fn run(seed: u64) {
    let mut random = Random(seed);
    let validators = random.between(1, 3) as usize;
    let nodes = random.between(validators.max(2) as u64, 5) as usize;
    let genesis = network(validators, &mut random);
    let mut world = linked(&genesis, validators, nodes, &mut random);
    world.random = Random(random.next());
    world.run_until(1_000);
    (0..nodes).for_each(|node| {
        world.run_until(world.now + random.below(1_500));
        world.start(node);
    });
    for _ in 0..random.between(5, 200) {
        let pause = [30, 300, 1_500][random.below(3) as usize];
        world.run_until(world.now + random.below(pause));
        let node = random.below(nodes as u64) as usize;
        let process = world.nodes[node].process;
        match (random.below(12), process) {
            (0, Process::Up) => world.kill(node),
            (1, Process::Up) => world.hang(node),
            (0..=3, Process::Down) => world.start(node),
            (0..=3, Process::Hung) => world.resume(node),
            (4, _) => {
                let sides = random.next();
                world.part(|node| sides >> node & 1 == 0);
            }
            (5, _) => world.heal(),
            (6, _) if random.below(5) == 0 => world.run_until(world.now + random.below(35_000)),
            _ => world.pay(node, random.between(1, 4)),
        }
    }
    world.heal();
    for node in 0..nodes {
        match world.nodes[node].process {
            Process::Down => world.start(node),
            Process::Hung => world.resume(node),
            Process::Up => {}
        }
    }
    world.settle(world.now + 6 * 2_000);
}

#[test]
fn after_any_trouble_there_is_one_chain_with_everything_on_it() {
    let (first, count) = (fixtures::seed(), u64::from(fixtures::cases(100).cases));
    for seed in first..first + count {
        println!("seed {seed}");
        run(seed);
    }
}
