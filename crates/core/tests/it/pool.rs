//! Transactions that wait: in which order and until when, what a block settles, and
//! what a reverted branch returns.

use ccoin_core::{
    AccountNonce, TxId,
    machine::{Input, Machine, PlaceholderText, Publish, SealMark, Start, Write},
    pool::{Accepted, Pool, PoolError},
    transaction::{Transaction, VerifiedTransaction},
};
use ccoin_crypto::Signature;
use ccoin_sim::{
    Network, STRANGER, account, at, child, coins, ghost, give, give_from, key, miner, now, ready,
    transfer, verified,
};
use std::sync::Arc;

#[test]
fn a_gap_is_held_and_visible_until_it_is_filled() {
    let genesis = Network::default().found();
    let mut pool = Pool::default();
    let rich = account(5, 100);
    for number in [8, 10] {
        assert_eq!(
            pool.submit(at(number), rich, give(&genesis, 0, number, 1)),
            Ok(Accepted::New)
        );
    }
    assert_eq!(
        (pool.len(), pool.ready_len(), pool.oldest_ready()),
        (2, 0, None)
    );
    assert_eq!(pool.next_number(&miner(0), rich), 6);
    let held: Vec<_> = pool
        .by_arrival()
        .map(|(at, txn)| (at, txn.number.get()))
        .collect();
    assert_eq!(held, [(at(8), 8), (at(10), 10)]);
    assert!(pool.contains(
        &miner(0),
        AccountNonce::new(8).unwrap(),
        give(&genesis, 0, 8, 1).id()
    ));
    for (number, ready, next) in [(7, 0, 6), (6, 3, 9), (9, 5, 11)] {
        pool.submit(at(20), rich, give(&genesis, 0, number, 1))
            .unwrap();
        assert_eq!(
            (pool.ready_len(), pool.next_number(&miner(0), rich)),
            (ready, next)
        );
    }
    assert_eq!(
        ready(&pool),
        [6, 7, 8, 9, 10].map(|number| (miner(0), number))
    );
}

#[test]
fn arrival_decides_between_senders_and_numbers_within_one() {
    let genesis = Network::default().found();
    let mut pool = Pool::default();
    for (time, from, number) in [(1, 0, 2), (2, 1, 1), (3, 0, 1), (4, 1, 2)] {
        pool.submit(at(time), account(0, 100), give(&genesis, from, number, 1))
            .unwrap();
    }
    let (a, b) = (miner(0), miner(1));
    assert_eq!(ready(&pool), [(b, 1), (a, 1), (a, 2), (b, 2)]);
    assert_eq!(pool.oldest_ready(), Some(at(2)));
}

#[test]
fn the_same_transaction_waits_once_and_a_rival_never() {
    let genesis = Network::default().found();
    let rich = account(5, 100);
    let mut pool = Pool::default();
    let first = give(&genesis, 0, 6, 1);
    assert_eq!(pool.submit(at(0), rich, first.clone()), Ok(Accepted::New));
    assert_eq!(pool.submit(at(1), rich, first.clone()), Ok(Accepted::Known));
    let again = Transaction {
        signature: Signature::new(&[1; 256]).unwrap(),
        ..Transaction::clone(&first)
    };
    let again = VerifiedTransaction::already_verified(again, &genesis.id);
    assert_eq!(
        pool.submit(at(1), rich, again),
        Ok(Accepted::Known),
        "signed twice is one transaction"
    );
    let used = |got| {
        Err(PoolError::NumberUsed {
            got: AccountNonce::new(got).unwrap(),
            next: 7,
        })
    };
    for (number, amount) in [(6, 2), (5, 1), (1, 1), (0, 1)] {
        assert_eq!(
            pool.submit(at(2), rich, give(&genesis, 0, number, amount)),
            used(number)
        );
    }
    assert_eq!(
        (pool.len(), pool.bytes(), pool.next_number(&miner(0), rich)),
        (1, first.size(), 7)
    );
}

#[test]
fn funds_count_what_already_waits_even_behind_a_gap() {
    let genesis = Network::default().found();
    let rich = account(0, 100);
    let mut pool = Pool::default();
    pool.submit(at(0), rich, give(&genesis, 0, 1, 60)).unwrap();
    pool.submit(at(0), rich, give(&genesis, 0, 3, 30)).unwrap();
    let refused = PoolError::Funds {
        balance: coins(100),
        pending: 90,
        amount: coins(11),
    };
    assert_eq!(
        pool.submit(at(0), rich, give(&genesis, 0, 2, 11)),
        Err(refused)
    );
    assert!(
        pool.submit(at(0), rich, give(&genesis, 0, 2, coins(1 << 53 >> 1).get()))
            .is_err()
    );
    assert_eq!(
        pool.submit(at(0), rich, give(&genesis, 0, 2, 10)),
        Ok(Accepted::New)
    );
    assert_eq!(
        pool.submit(at(0), rich, give(&genesis, 0, 4, 0)),
        Ok(Accepted::New)
    );
}

#[test]
fn a_block_settles_its_numbers_and_closes_gaps() {
    let genesis = Network::default().found();
    let mut pool = Pool::default();
    for number in [1, 2, 5] {
        pool.submit(at(number), account(0, 100), give(&genesis, 0, number, 1))
            .unwrap();
    }
    let settled = pool.settle(&miner(0), account(4, 100));
    assert_eq!(
        settled
            .iter()
            .map(|txn| txn.number.get())
            .collect::<Vec<_>>(),
        [1, 2]
    );
    assert_eq!(ready(&pool), [(miner(0), 5)]);
    assert!(pool.settle(&miner(1), account(9, 0)).is_empty());
    assert_eq!(pool.settle(&miner(0), account(5, 100)).len(), 1);
    assert_eq!((pool.len(), pool.bytes(), pool.ready_len()), (0, 0, 0));
    assert_eq!(pool.next_number(&miner(0), account(5, 100)), 6);
}

/// A rival with the same number was included and spent the coins.
#[test]
fn transactions_that_cannot_apply_leave_the_pool() {
    let genesis = Network::default().found();
    let mut pool = Pool::default();
    for (number, amount) in [(1, 10), (2, 50), (3, 0), (4, 40)] {
        pool.submit(
            at(number),
            account(0, 100),
            give(&genesis, 0, number, amount),
        )
        .unwrap();
    }
    let settled = pool.settle(&miner(0), account(1, 60));
    assert_eq!(
        settled
            .iter()
            .map(|txn| txn.number.get())
            .collect::<Vec<_>>(),
        [1, 4]
    );
    assert_eq!(ready(&pool), [(miner(0), 2), (miner(0), 3)]);
    let left = account(1, 60);
    assert_eq!(pool.next_number(&miner(0), left), 4);
    assert_eq!(
        pool.submit(at(9), left, give(&genesis, 0, 4, 10)),
        Ok(Accepted::New)
    );
    let settled = pool.settle(&miner(0), account(1, 0));
    assert_eq!(
        settled
            .iter()
            .map(|txn| txn.number.get())
            .collect::<Vec<_>>(),
        [2, 4]
    );
    assert_eq!(
        (pool.len(), pool.ready_len()),
        (1, 0),
        "number 3 costs nothing and waits for another 2"
    );
}

fn ids(txns: &[VerifiedTransaction]) -> Vec<TxId> {
    txns.iter().map(|txn| *txn.id()).collect()
}

/// The kind of a record, and its transactions.
fn written(write: &Write) -> (&'static str, Vec<TxId>) {
    match write {
        Write::Block { .. } => ("block", vec![]),
        Write::Transactions { txns, .. } => ("returned", ids(txns)),
        Write::Dropped(dropped) => {
            let ids = dropped.iter().map(|(txn, _)| *txn.id());
            ("dropped", ids.collect())
        }
        Write::SealMark(_) => ("seal mark", vec![]),
        Write::VoterRecord(_) => ("voter record", vec![]),
        Write::Certificate(_) => ("certificate", vec![]),
        Write::Evidence(_) => ("evidence", vec![]),
    }
}

/// The kind of a publication about transactions, and which.
fn told(publish: &Publish) -> Option<(&'static str, Vec<TxId>)> {
    match publish {
        Publish::Queued { txns, .. } => Some(("queued", ids(txns))),
        Publish::Head { dropped, .. } => {
            let dropped = dropped.iter().map(|(txn, _)| *txn.id());
            Some(("head", dropped.collect()))
        }
        Publish::GossipTransactions(ids) => Some(("gossip", ids.clone())),
        _ => None,
    }
}

/// Transactions of the reverted blocks wait again unless the new branch holds them.
#[test]
fn a_reverted_branch_returns_its_transactions() {
    let genesis = Network {
        miners: 2,
        min_bound: 1,
        ..Network::default()
    }
    .found();
    let mut machine = Machine::new(Start {
        genesis: Arc::clone(&genesis),
        checkpoint: None,
        miner: None,
        last_sealed: SealMark::default(),
        voter_record: None,
        block_text: PlaceholderText::Fixed(String::new()),
    });
    let root = genesis.applied();
    let [first, both, rival] = [
        give(&genesis, 0, 1, 1),
        give(&genesis, 1, 1, 1),
        give(&genesis, 2, 1, 1),
    ];
    let (other, waits) = (give(&genesis, 2, 1, 2), give(&genesis, 3, 1, 1));
    let left = child(
        &genesis,
        &root,
        miner(0),
        100,
        &[first.clone(), both.clone(), rival.clone()],
    );
    let entered = child(
        &genesis,
        &root,
        miner(0),
        110,
        &[both.clone(), other.clone()],
    );
    let head = child(
        &genesis,
        &entered,
        miner(0),
        200,
        &[give(&genesis, 1, 2, 1)],
    );
    let offer = |block: &Arc<ccoin_core::applied::Applied>| Input::Block {
        peer: STRANGER,
        block: verified(&block.block),
    };
    let _ = machine.step(
        now(50),
        Input::Submit {
            ticket: 0,
            txns: vec![waits.clone(), first.clone(), rival.clone()],
            from: None,
        },
    );
    let _ = machine.step(now(150), offer(&left));
    assert_eq!(
        machine
            .pool()
            .ready()
            .map(|txn| *txn.id())
            .collect::<Vec<_>>(),
        [*waits.id()]
    );
    let _ = machine.step(now(250), offer(&entered));
    let step = machine.step(now(250), offer(&head));
    assert_eq!(machine.chain().head().block.id, head.block.id);
    let ready: Vec<_> = machine.pool().ready().map(|txn| *txn.id()).collect();
    assert_eq!(ready, [*first.id(), *waits.id()]);
    let written: Vec<_> = step.write.iter().map(written).collect();
    let dropped = vec![*rival.id()];
    let returned = vec![*first.id(), *rival.id()];
    assert_eq!(
        written,
        [
            ("block", vec![]),
            ("block", vec![]),
            ("returned", returned.clone()),
            ("dropped", dropped.clone())
        ]
    );
    let told: Vec<_> = step.publish.iter().filter_map(told).collect();
    assert_eq!(
        told,
        [
            ("queued", returned),
            ("head", dropped),
            ("gossip", vec![*first.id(), *waits.id()])
        ]
    );
}

/// A liar's block may hold transactions of a sender without coins, which no other node takes.
#[test]
fn a_reverted_branch_returns_nothing_of_senders_without_coins() {
    let genesis = Network {
        miners: 2,
        min_bound: 1,
        ..Network::default()
    }
    .found();
    let mut machine = Machine::new(Start {
        genesis: Arc::clone(&genesis),
        checkpoint: None,
        miner: None,
        last_sealed: SealMark::default(),
        voter_record: None,
        block_text: PlaceholderText::Fixed(String::new()),
    });
    let root = genesis.applied();
    let (poor, paid) = (ghost(90), ghost(91));
    let free = give_from(&genesis, &poor, 1);
    let from = key(0);
    let payment = transfer(&genesis, from.public_key(), 1, paid.address(), 1);
    let spent = give_from(&genesis, &paid, 1);
    let txns = [free.clone(), payment.clone(), spent.clone()];
    let left = child(&genesis, &root, miner(0), 100, &txns);
    let entered = child(&genesis, &root, miner(0), 110, &[give(&genesis, 1, 1, 1)]);
    let head = child(
        &genesis,
        &entered,
        miner(0),
        200,
        &[give(&genesis, 1, 2, 1)],
    );
    let mut dropped = Vec::new();
    for (time, block) in [(150, &left), (250, &entered), (250, &head)] {
        let input = Input::Block {
            peer: STRANGER,
            block: verified(&block.block),
        };
        for publish in machine.step(now(time), input).publish {
            if let Publish::Head { dropped: some, .. } = publish {
                dropped.extend(some.into_iter().map(|(txn, why)| (*txn.id(), why)));
            }
        }
    }
    assert_eq!(machine.chain().head().block.id, head.block.id);
    assert_eq!(dropped, [(*free.id(), PoolError::NoCoins)]);
    let waiting: Vec<_> = machine
        .pool()
        .by_arrival()
        .map(|(_, txn)| *txn.id())
        .collect();
    assert_eq!(waiting, [*payment.id(), *spent.id()]);
}
