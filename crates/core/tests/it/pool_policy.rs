//! Who may use how much of the queue and of the blocks: there are no fees, so coins decide.

use ccoin_core::{
    Address, Height, MonoTime, Now, Timestamp, TxId,
    genesis::Genesis,
    machine::{Input, Machine, PeerId, PlaceholderText, Publish, SealMark, Start, Step, Write},
    pool::{
        Accepted, HOURLY_BYTES, HOURLY_BYTES_A_COIN, LONGEST_GAP_MS, LONGEST_WAIT_MS, MAX_BYTES,
        MAX_GAP_BYTES, MINER_COINS, Pool, PoolError,
    },
    transaction::VerifiedTransaction,
};
use ccoin_crypto::PublicKey;
use ccoin_sim::{
    Network, STRANGER, account, at, child, ghost, give, miner, now, record, transfer, verified,
};
use std::sync::Arc;

const RICH: u64 = 1 << 40;

fn numbers<'a>(txns: impl IntoIterator<Item = &'a VerifiedTransaction>) -> Vec<(Address, u64)> {
    let txns = txns.into_iter();
    txns.map(|txn| (txn.sender(), txn.number.get())).collect()
}

#[test]
fn a_sender_owns_a_coin_or_is_a_miner() {
    let genesis = Network::default().found();
    let mut pool = Pool::new([miner(0)]);
    let mut submit =
        |from, coins| pool.submit(at(0), account(0, coins), give(&genesis, from, 1, 0));
    assert_eq!(submit(1, 0), Err(PoolError::NoCoins));
    assert_eq!(submit(1, 1), Ok(Accepted::New));
    assert_eq!(submit(0, 0), Ok(Accepted::New));
    // it has spent them, and may finish what it has begun
    let spent = pool.submit(at(0), account(1, 0), give(&genesis, 2, 2, 0));
    assert_eq!(spent, Ok(Accepted::New));
}

#[test]
fn an_account_sends_bytes_by_its_coins() {
    let genesis = Network::default().found();
    let sent = |pool: &mut Pool, from: usize, coins: u64| {
        let mut bytes = 0;
        for number in 1.. {
            let data = "x".repeat(4_096);
            let key = ccoin_sim::key(from);
            let txn = record(&genesis, key.public_key(), number, Address::ZERO, 0, &data);
            let size = txn.size() as u64;
            match pool.submit(at(0), account(0, coins), txn) {
                Ok(_) => bytes += size,
                Err(PoolError::Budget { allowance, wait_s }) => {
                    assert!(wait_s > 0 && bytes <= allowance && bytes + size > allowance);
                    return allowance;
                }
                Err(error) => panic!("{error}"),
            }
        }
        unreachable!("a budget ends")
    };
    let mut pool = Pool::new([miner(0)]);
    let of = |coins| HOURLY_BYTES + coins * HOURLY_BYTES_A_COIN;
    assert_eq!(sent(&mut pool, 1, 1), of(1));
    assert_eq!(sent(&mut pool, 2, 1_000), of(1_000));
    assert_eq!(sent(&mut pool, 0, 0), of(MINER_COINS));
    // an hour later it may again, also when what it sent is in blocks
    let hour = at(3_600_000);
    let number = pool.next_number(&miner(1), account(0, 1));
    let (key, data) = (ccoin_sim::key(1), "x".repeat(4_096));
    let large = record(&genesis, key.public_key(), number, Address::ZERO, 0, &data);
    let more = |time| (time, large.clone());
    for ((time, txn), ok) in [(more(at(1)), false), (more(hour), true)] {
        assert_eq!(pool.submit(time, account(0, 1), txn).is_ok(), ok);
    }
}

/// What is sent once holds no place for ever.
#[test]
fn behind_a_missing_number_little_waits_and_not_for_long() {
    let genesis = Network::default().found();
    let mut pool = Pool::default();
    let data = "x".repeat(65_536);
    let held = |sender, number| record(&genesis, &ghost(sender), number, Address::ZERO, 0, &data);
    let full = (0..1_000)
        .flat_map(|sender| (2..20).map(move |number| (sender, number)))
        .map(|(sender, number)| pool.submit(at(0), account(0, RICH), held(sender, number)))
        .find_map(Result::err);
    assert_eq!(full, Some(PoolError::GapsFull));
    assert!(pool.bytes() <= MAX_GAP_BYTES && pool.ready_len() == 0);
    // others are not concerned, and what gets its missing number is held no more
    let next = pool.submit(at(0), account(0, RICH), held(999, 1));
    assert_eq!(next, Ok(Accepted::New));
    pool.submit(
        at(0),
        account(0, RICH),
        transfer(&genesis, &ghost(0), 1, Address::ZERO, 0),
    )
    .unwrap();
    let ready = pool.ready_len();
    assert!(ready > 10);
    assert!(pool.expire(at(LONGEST_GAP_MS - 1)).is_empty());
    let expired = pool.expire(at(LONGEST_GAP_MS));
    assert!(
        expired
            .iter()
            .all(|(_, reason)| *reason == PoolError::GapExpired)
    );
    assert_eq!((pool.len(), pool.ready_len()), (ready, ready));
    let again = pool.submit(at(LONGEST_GAP_MS), account(0, RICH), held(998, 2));
    assert_eq!(again, Ok(Accepted::New));
}

#[test]
fn what_no_block_takes_for_a_day_expires_with_what_follows_it() {
    let genesis = Network::default().found();
    let mut pool = Pool::default();
    for (time, number) in [(0, 1), (5, 2), (9, 3)] {
        pool.submit(at(time), account(0, 100), give(&genesis, 0, number, 1))
            .unwrap();
    }
    pool.submit(at(9), account(0, 100), give(&genesis, 1, 1, 1))
        .unwrap();
    pool.settle(&miner(0), account(1, 100));
    assert!(pool.expire(at(LONGEST_WAIT_MS + 4)).is_empty());
    let expired = pool.expire(at(LONGEST_WAIT_MS + 5));
    assert!(
        expired
            .iter()
            .all(|(_, reason)| *reason == PoolError::Expired)
    );
    let expired = numbers(expired.iter().map(|(txn, _)| txn));
    assert_eq!(expired, [(miner(0), 2), (miner(0), 3)]);
    assert_eq!(numbers(pool.ready()), [(miner(1), 1)]);
    assert_eq!(pool.next_number(&miner(0), account(1, 100)), 2);
}

/// 450 accounts of one coin each have sent what they may before a payment comes.
#[test]
fn many_small_accounts_get_no_more_room_than_one_large_one() {
    let genesis = Network::default().found();
    let mut pool = Pool::default();
    for sender in 0..450 {
        for number in 1..=100 {
            let txn = transfer(&genesis, &ghost(sender), number, Address::ZERO, 0);
            pool.submit(at(0), account(0, 1), txn).unwrap();
        }
    }
    for number in 1..=450 {
        let txn = transfer(&genesis, &ghost(1_000), number, Address::ZERO, 0);
        pool.submit(at(1), account(0, 450), txn).unwrap();
    }
    let of = |txn: &VerifiedTransaction| txn.sender() == ghost(1_000).address();
    assert!(pool.by_share().take(400).all(of), "its first coins' worth");
    let first: Vec<_> = pool.by_share().take(900).collect();
    let rich = first.iter().filter(|txn| of(txn)).count();
    assert!((440..=460).contains(&rich), "half of the first 900: {rich}");
    let rich: Vec<_> = pool.by_share().filter(|txn| of(txn)).collect();
    assert!(
        numbers(rich)
            .into_iter()
            .map(|(_, number)| number)
            .eq(1..=450)
    );
    // by arrival it would be the last
    assert!(of(pool.ready().last().unwrap()));
}

fn machine(genesis: &Arc<Genesis>) -> Machine {
    of(genesis, None)
}

fn of(genesis: &Arc<Genesis>, miner: Option<Address>) -> Machine {
    let mut machine = Machine::new(Start {
        genesis: Arc::clone(genesis),
        checkpoint: None,
        miner,
        last_sealed: SealMark::default(),
        voter_record: None,
        block_text: PlaceholderText::Fixed(String::new()),
    });
    let _ = machine.step(now(50), Input::Tick);
    machine
}

fn submit(machine: &mut Machine, time: u64, txn: &VerifiedTransaction, peer: Option<u64>) -> Step {
    let input = Input::Submit {
        ticket: 0,
        txns: vec![txn.clone()],
        from: peer,
    };
    machine.step(now(time), input)
}

fn result(step: &Step) -> Result<Accepted, PoolError> {
    let results = step.publish.iter().find_map(|publish| match publish {
        Publish::Reply { results, .. } => Some(results[0].clone()),
        _ => None,
    });
    results.expect("a reply")
}

fn joined(peer: PeerId) -> Input {
    Input::PeerJoined {
        peer,
        validator: None,
        height: Height::GENESIS,
    }
}

/// What a jump of a clock seems to have made old is not dropped: it would be lost for good.
#[test]
fn nothing_expires_right_after_the_clock_of_a_lone_validator_was_set() {
    let genesis = Network::ready(1).found();
    let mut machine = of(&genesis, Some(miner(0)));
    let txn = give(&genesis, 0, 2, 1);
    let taken = result(&submit(&mut machine, 60, &txn, None));
    assert_eq!(taken, Ok(Accepted::New));
    let jumped = Now {
        wall: at(10 * LONGEST_GAP_MS),
        mono: MonoTime(100),
    };
    assert!(machine.step(jumped, Input::Tick).write.is_empty());
    let later = Now {
        wall: at(12 * LONGEST_GAP_MS),
        mono: MonoTime(100 + 2 * LONGEST_GAP_MS),
    };
    let step = machine.step(later, Input::Tick);
    assert!(matches!(&step.write[..], [Write::Dropped(dropped)] if dropped.len() == 1));
}

#[test]
fn what_has_expired_is_reported_and_only_its_user_brings_it_back() {
    let genesis = Network::default().found();
    let mut machine = machine(&genesis);
    let txn = give(&genesis, 0, 2, 1);
    assert_eq!(
        result(&submit(&mut machine, 60, &txn, None)),
        Ok(Accepted::New)
    );
    // no clock confirms that so much time has passed
    let step = machine.step(now(59 + LONGEST_GAP_MS), Input::Tick);
    assert!(step.write.is_empty());
    let (peer, offset_ms) = (1, 0);
    let _ = machine.step(now(59 + LONGEST_GAP_MS), joined(peer));
    let input = Input::ClockOffset { peer, offset_ms };
    let _ = machine.step(now(59 + LONGEST_GAP_MS), input);
    let step = machine.step(now(60 + LONGEST_GAP_MS), Input::Tick);
    let ids = |dropped: &[(VerifiedTransaction, PoolError)]| -> Vec<TxId> {
        dropped.iter().map(|(txn, _)| *txn.id()).collect()
    };
    let written = step.write.iter().find_map(|write| match write {
        Write::Dropped(dropped) => Some(ids(dropped)),
        _ => None,
    });
    let told = step.publish.iter().find_map(|publish| match publish {
        Publish::Dropped(dropped) => Some(ids(dropped)),
        _ => None,
    });
    assert_eq!(
        (written, told),
        (Some(vec![*txn.id()]), Some(vec![*txn.id()]))
    );
    let later = 61 + LONGEST_GAP_MS;
    let by_peer = submit(&mut machine, later, &txn, Some(1));
    assert_eq!(result(&by_peer), Err(PoolError::Expired));
    let by_user = submit(&mut machine, later, &txn, None);
    assert_eq!(result(&by_user), Ok(Accepted::New));
}

#[test]
fn the_disk_reserve_refuses_transactions_and_takes_blocks() {
    let genesis = Network::ready(1).found();
    let mut machine = machine(&genesis);
    let reserve = |machine: &mut Machine, reached| {
        let _ = machine.step(now(60), Input::DiskReserve { reached });
    };
    reserve(&mut machine, true);
    let txn = give(&genesis, 0, 1, 1);
    let refused = result(&submit(&mut machine, 60, &txn, None));
    assert_eq!(refused, Err(PoolError::DiskReserve));
    let block = child(
        &genesis,
        &genesis.applied(),
        miner(0),
        100,
        &[give(&genesis, 1, 1, 1)],
    );
    let input = Input::Block {
        peer: 1,
        block: verified(&block.block),
    };
    let _ = machine.step(now(150), input);
    assert_eq!(machine.chain().head().block.id, block.block.id);
    reserve(&mut machine, false);
    let taken = result(&submit(&mut machine, 160, &txn, None));
    assert_eq!(taken, Ok(Accepted::New));
}

/// A wrong clock for an hour must not cost all that waits.
#[test]
fn nothing_expires_by_a_time_before_its_arrival() {
    let genesis = Network::default().found();
    let mut pool = Pool::default();
    pool.submit(at(1_000_000), account(0, 100), give(&genesis, 0, 3, 1))
        .unwrap();
    assert!(pool.expire(Timestamp::ZERO).is_empty());
}

/// Whose bytes make room is decided by the coins of now, also of one that a block paid.
#[test]
fn coins_received_while_waiting_count() {
    let (rich, paid, payer) = (0..4, ghost(4), ghost(9));
    let network = Network {
        min_bound: 1,
        max_data: 65_536,
        alloc: (rich.clone().map(|of| (ghost(of).address(), 0, RICH)))
            .chain([
                (paid.address(), 0, RICH >> 10),
                (payer.address(), 0, 2 * RICH),
            ])
            .collect(),
        ..Network::default()
    };
    let genesis = network.found();
    let mut machine = Machine::new(Start {
        genesis: Arc::clone(&genesis),
        checkpoint: None,
        miner: None,
        last_sealed: SealMark::default(),
        voter_record: None,
        block_text: PlaceholderText::Fixed(String::new()),
    });
    let data = "x".repeat(65_536);
    let large = |from: &PublicKey, number| record(&genesis, from, number, Address::ZERO, 0, &data);
    let submit = |machine: &mut Machine, txns| {
        let input = Input::Submit {
            ticket: 0,
            txns,
            from: None,
        };
        machine.step(now(50), input)
    };
    let _ = submit(&mut machine, vec![large(&paid, 1), large(&paid, 2)]);
    let room = MAX_BYTES / large(&payer, 1).size() - 2;
    for number in 1..=room as u64 {
        let from = ghost((number % 4) as u32);
        let _ = submit(&mut machine, vec![large(&from, number.div_ceil(4))]);
    }
    assert!(machine.pool().bytes() + large(&payer, 1).size() > MAX_BYTES);
    let income = transfer(&genesis, &payer, 1, paid.address(), RICH);
    let block = child(&genesis, &genesis.applied(), miner(0), 100, &[income]);
    let _ = machine.step(
        now(150),
        Input::Block {
            peer: STRANGER,
            block: verified(&block.block),
        },
    );
    assert_eq!(machine.chain().head().block.id, block.block.id);
    let _ = submit(&mut machine, vec![large(&payer, 2)]);
    let waits = |of: &PublicKey| {
        let txns = machine.pool().by_arrival();
        txns.filter(|(_, txn)| txn.sender() == of.address()).count()
    };
    assert_eq!((waits(&payer), waits(&paid)), (1, 2));
}
