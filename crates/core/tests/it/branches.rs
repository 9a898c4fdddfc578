//! A reorg must not cost transactions, the way back, or the blocks that others have made
//! meanwhile.

use ccoin_core::{
    Address, PowNonce,
    applied::Applied,
    genesis::Genesis,
    machine::{Input, Publish},
    pow::Midstate,
    transaction::VerifiedTransaction,
};
use ccoin_sim::{
    Network, START, Shell, World, branch, child, ghost, give_from, key, miner, pay, record,
    transfer,
};
use std::sync::Arc;

fn network() -> Network {
    Network {
        miners: 2,
        min_bound: 1,
        max_bound: 100,
        difficulty: 0,
        ..Network::default()
    }
}

fn waits(shell: &Shell, txn: &VerifiedTransaction) -> bool {
    let pool = shell.machine.pool();
    pool.contains(&txn.sender(), txn.number, txn.id())
}

/// Empty blocks in two slots, better than anything in one.
fn empty_branch(genesis: &Arc<Genesis>) -> [Arc<Applied>; 2] {
    let first = child(genesis, &genesis.applied(), miner(0), 1_100, &[]);
    let second = child(genesis, &first, miner(1), 2_100, &[]);
    [first, second]
}

fn reorg(shell: &mut Shell, to: &[Arc<Applied>]) {
    to.iter().for_each(|block| shell.block(2_100, &block.block));
    let head = to.last().unwrap().block.id;
    assert_eq!(shell.machine.chain().head().block.id, head);
}

/// The second can only be paid from the first; both were on the branch, or waited.
#[test]
fn a_payment_that_needs_another_comes_back_with_it() {
    let genesis = Network {
        allow_empty: true,
        ..network()
    }
    .found();
    let poor = ghost(5);
    let income = transfer(&genesis, key(2).public_key(), 1, poor.address(), 100);
    let spent = transfer(&genesis, &poor, 1, miner(3), 50);
    let waiting = transfer(&genesis, &poor, 2, miner(3), 50);
    let mut shell = Shell::new(&genesis, 1);
    shell.tick(0);
    shell.submit(10, core::slice::from_ref(&income));
    let one = child(
        &genesis,
        &genesis.applied(),
        miner(0),
        100,
        core::slice::from_ref(&income),
    );
    shell.block(100, &one.block);
    shell.submit(110, core::slice::from_ref(&spent));
    let two = child(&genesis, &one, miner(0), 160, core::slice::from_ref(&spent));
    shell.block(160, &two.block);
    shell.submit(170, core::slice::from_ref(&waiting));
    reorg(&mut shell, &empty_branch(&genesis));
    let all = [&income, &spent, &waiting];
    assert!(all.iter().all(|txn| waits(&shell, txn)));
    assert!(shell.dropped.is_empty());
    let told = |publish: &Publish| matches!(publish, Publish::GossipTransactions(ids) if ids.contains(spent.id()));
    assert!(shell.published.iter().any(told), "others may lack it");
    // The log has lost the order in which they depend on each other.
    shell.pool_log.reverse();
    shell.restart();
    assert!(all.iter().all(|txn| waits(&shell, txn)));
    // They are in its next blocks.
    (22..80).for_each(|tenth| shell.tick(tenth * 100));
    assert!(all.iter().all(|txn| !waits(&shell, txn)));
    let paid = shell.machine.accounts().account(&miner(3));
    let before = genesis.applied().state.account(&miner(3));
    assert_eq!(paid.balance.get(), before.balance.get() + 100);
}

/// They had their places before; the bounds are for new ones.
#[test]
fn more_than_an_account_may_queue_comes_back() {
    let genesis = Network {
        max_bound: 3_000,
        allow_empty: true,
        ..network()
    }
    .found();
    let mut shell = Shell::unsigned(&genesis, None);
    shell.tick(0);
    let mut tip = Arc::new(genesis.applied());
    for block in 0..5 {
        let numbers = block * 2_400 + 1..=(block + 1) * 2_400;
        let txns: Vec<_> = numbers
            .map(|number| give_from(&genesis, key(2).public_key(), number))
            .collect();
        tip = child(&genesis, &tip, miner(0), 100 + 100 * block, &txns);
        shell.block(1_000, &tip.block);
    }
    reorg(&mut shell, &empty_branch(&genesis));
    assert_eq!(
        (shell.machine.pool().len(), shell.dropped.len()),
        (12_000, 0)
    );
}

/// A transaction that was reported as dropped does not come back in the place of one that
/// was accepted instead.
#[test]
fn a_restart_revives_nothing_that_was_dropped() {
    let genesis = network().found();
    let mut shell = Shell::unsigned(&genesis, Some(1));
    shell.tick(0);
    let large = transfer(&genesis, key(2).public_key(), 2, miner(0), 900);
    shell.submit(10, core::slice::from_ref(&large));
    let first = transfer(&genesis, key(2).public_key(), 1, miner(0), 500);
    let block = child(&genesis, &genesis.applied(), miner(0), 100, &[first]);
    shell.block(100, &block.block);
    assert_eq!(shell.dropped.len(), 1, "the coins are spent");
    let small = transfer(&genesis, key(2).public_key(), 2, miner(0), 10);
    shell.submit(110, core::slice::from_ref(&small));
    let income = transfer(&genesis, key(3).public_key(), 1, miner(2), 600);
    let rich = child(&genesis, &block, miner(0), 160, &[income]);
    shell.block(160, &rich.block);
    shell.restart();
    assert!(waits(&shell, &small) && !waits(&shell, &large));
}

/// A clock that was ahead has left blocks behind that a restart must not take for the head:
/// there the account has nothing to spend.
#[test]
fn a_restart_judges_nothing_by_blocks_of_the_future() {
    let genesis = Network {
        allow_empty: true,
        ..network()
    }
    .found();
    let root = Arc::new(genesis.applied());
    let mut shell = Shell::unsigned(&genesis, None);
    let early = child(&genesis, &root, miner(0), 100_000, &[]);
    let later = child(&genesis, &early, miner(1), 102_000, &[]);
    [early, later]
        .iter()
        .for_each(|block| shell.block(102_000, &block.block));
    let poor = ghost(5);
    let income = transfer(&genesis, key(2).public_key(), 1, poor.address(), 100);
    let spent = transfer(&genesis, &poor, 1, miner(3), 50);
    let block = child(&genesis, &root, miner(0), 100, &[income]);
    shell.block(200, &block.block);
    assert_eq!(shell.machine.chain().head().block.id, block.block.id);
    shell.submit(300, core::slice::from_ref(&spent));
    shell.restart();
    assert!(waits(&shell, &spent));
    shell.tick(410);
    assert_eq!(shell.machine.chain().head().block.id, block.block.id);
    assert!(waits(&shell, &spent) && shell.dropped.is_empty());
}

/// The same clock has put a payment there that was dropped later, and its number used again.
#[test]
fn a_number_that_only_blocks_of_the_future_use_is_free_at_a_start() {
    let genesis = network().found();
    let root = Arc::new(genesis.applied());
    let mut shell = Shell::unsigned(&genesis, None);
    let dropped = give_from(&genesis, &ghost(5), 1);
    let other = give_from(&genesis, &ghost(6), 1);
    let early = child(
        &genesis,
        &root,
        miner(0),
        100_000,
        &[dropped, other.clone()],
    );
    let again = transfer(&genesis, &ghost(5), 1, miner(3), 0);
    shell.log.push(early.block.clone());
    shell.pool_log.push((ccoin_sim::at(300), again.clone()));
    shell.restart_at(400);
    assert!(waits(&shell, &again));
    assert!(waits(&shell, &other), "nothing else holds it any more");
}

/// Sides that were as busy as the rules allow for two seconds.
#[test]
fn two_busy_branches_heal_to_the_better_one() {
    let genesis = Network {
        miners: 1,
        max_bound: 1_000,
        ..network()
    }
    .found();
    let keys: Vec<_> = (0..200u32).map(|index| ghost(1_000 + index)).collect();
    let side = |gap: u64, count: u64, salt: u8| -> Vec<Arc<Applied>> {
        let mut tip = Arc::new(genesis.applied());
        let mut block = |number| {
            let to = |index| {
                let mut to = [salt; 20];
                to[0] = index as u8;
                to[1..9].copy_from_slice(&u64::to_be_bytes(number));
                Address::new(to)
            };
            let txns = keys.iter().enumerate();
            let txns: Vec<_> = txns
                .map(|(index, key)| transfer(&genesis, key, number, to(index), 0))
                .collect();
            tip = child(&genesis, &tip, miner(0), number * gap, &txns);
            Arc::clone(&tip)
        };
        (1..=count).map(&mut block).collect()
    };
    let (a, b) = (side(50, 200, 1), side(51, 201, 2));
    for (own, other) in [(&a, &b), (&b, &a)] {
        let mut shell = Shell::unsigned(&genesis, None);
        shell.log = own.iter().map(|block| block.block.clone()).collect();
        shell.restart();
        assert_eq!(shell.machine.chain().canonical().len(), own.len() + 1);
        for block in other {
            shell.block(100_000, &block.block);
        }
        assert_eq!(shell.machine.chain().head().block.id, b[200].block.id);
    }
}

/// A listed miner fills its other turns with large siblings of the head.
#[test]
fn side_blocks_do_not_shorten_the_heads_branch() {
    let genesis = Network {
        max_data: 65_536,
        ..network()
    }
    .found();
    let main = branch(&genesis, &Arc::new(genesis.applied()), 101, 4_000);
    let mut shell = Shell::unsigned(&genesis, None);
    shell.log = main[..100].iter().map(|b| b.block.clone()).collect();
    shell.restart();
    let data = "x".repeat(65_536);
    let txn = |number| record(&genesis, &ghost(8), number, miner(0), 0, &data);
    let txns: Vec<_> = (1..=40).map(txn).collect();
    let mut ids = Vec::new();
    for turn in 0..60u64 {
        let after = 402_100 + 4_000 * turn;
        let side = child(&genesis, &main[98], miner(1), after, &txns);
        ids.push(side.block.id);
        shell.block(1_000_000, &side.block);
    }
    shell.block(1_000_000, &main[100].block);
    let chain = shell.machine.chain();
    assert_eq!(chain.canonical().len(), 102);
    let kept = ids.iter().filter(|id| chain.get(id).is_some()).count();
    assert!((40..55).contains(&kept), "{kept} of 2.6 MB each");
    // A better branch that leaves six blocks back is still followed.
    for block in branch(&genesis, &main[94], 10, 4_100) {
        shell.block(2_000_000, &block.block);
    }
    let head = shell.machine.chain().head();
    assert_eq!(head.block.header().number.get(), 106);
}

/// Two blocks arrive at once on the parent of the block that is being mined.
#[test]
fn a_job_ends_when_others_have_gone_on_behind_its_parent() {
    let genesis = Network {
        difficulty: 1,
        interval: 60_000,
        ..network()
    }
    .found();
    let mut shell = Shell::new(&genesis, 0);
    shell.tick(0);
    shell.tick(2_000);
    let root = genesis.applied();
    let parent = child(&genesis, &root, miner(1), 2_100, &[pay(&genesis, 1, 1)]);
    shell.block(2_110, &parent.block);
    let one = child(&genesis, &parent, miner(1), 3_000, &[pay(&genesis, 1, 2)]);
    let two = child(&genesis, &one, miner(1), 3_100, &[pay(&genesis, 1, 3)]);
    shell.mines = false;
    shell.submit(4_000, &[pay(&genesis, 2, 1)]);
    let mine = |publish: &Publish| match publish {
        Publish::Mine {
            job,
            mining_hash,
            difficulty,
        } => Some((*job, *mining_hash, *difficulty)),
        _ => None,
    };
    let (job, hash, difficulty) = shell.published.iter().find_map(mine).expect("a job");
    // The second first: it waits for its parent, and both join the chain in one step.
    shell.block(4_050, &two.block);
    shell.block(4_050, &one.block);
    let nonce = Midstate::new(&hash).search(difficulty, PowNonce::ZERO, u64::MAX);
    let nonce = nonce.unwrap();
    shell.input(4_500, Input::Mined { job, nonce });
    assert_eq!(shell.machine.chain().head().block.id, two.block.id);
}

/// A clock that was wrong for a while leaves blocks behind that no other node takes yet.
#[test]
fn a_head_of_the_future_is_left_when_the_clock_is_set_back() {
    for jump in [100_000, 101_000, 102_000] {
        let mut world = World::mesh(&network().found(), 2, 2);
        world.run_until(8_000);
        world.nodes[0].skew = jump;
        for round in 0..20 {
            world.run_until(8_000 + round * 500);
            world.pay(0, 1);
        }
        world.nodes[0].skew = 0;
        world.run_until(world.now + 3_000);
        let head = world.nodes[0].shell.machine.chain().head();
        let latest = START + world.now + 500;
        assert!(head.block.header().time.get() <= latest, "jump {jump}");
        world.settle(world.now + 10_000);
    }
}

/// Stopped near the end of a turn, and on again in its own next one.
#[test]
fn a_leader_that_hung_for_one_turn_builds_on_what_it_has_missed() {
    for hang in [13_650, 13_950] {
        let mut world = World::mesh(&network().found(), 2, 2);
        world.run_until(13_640);
        world.pay(0, 1);
        world.run_until(hang);
        world.hang(0);
        for at in [14_200, 15_000] {
            world.run_until(at);
            world.pay(1, 1);
        }
        world.run_until(16_050);
        world.resume(0);
        world.settle(world.now + 6_000);
        let shell = &world.nodes[0].shell;
        let off_chain = shell.log.len() + 1 - shell.machine.chain().canonical().len();
        assert_eq!(off_chain, 0, "hung at {hang}");
    }
}
