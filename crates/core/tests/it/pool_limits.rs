//! How many transactions may wait: every limit of the pool, exact.

use ccoin_core::{
    AccountNonce, Address,
    pool::{Accepted, MAX_BYTES, MAX_GAP, MAX_PER_ACCOUNT, MAX_TRANSACTIONS, Pool, PoolError},
};
use ccoin_sim::{Network, account, at, ghost, give, key, miner, record, transfer};

#[test]
fn the_largest_gap_is_exact() {
    let genesis = Network::default().found();
    let rich = account(5, 100);
    let mut pool = Pool::default();
    let beyond = give(&genesis, 0, 6 + MAX_GAP + 1, 1);
    let refused = PoolError::NumberGap {
        got: beyond.number,
        next: 6,
    };
    assert_eq!(pool.submit(at(0), rich, beyond), Err(refused));
    assert_eq!(
        pool.submit(at(0), rich, give(&genesis, 0, 6 + MAX_GAP, 1)),
        Ok(Accepted::New)
    );
    let last = give(&genesis, 0, AccountNonce::MAX.get(), 1);
    assert!(matches!(
        pool.submit(at(0), rich, last),
        Err(PoolError::NumberGap { .. })
    ));
}

#[test]
fn one_account_may_have_so_many_and_no_more() {
    let genesis = Network::default().found();
    let mut pool = Pool::default();
    let rich = account(0, 0);
    for number in 1..=MAX_PER_ACCOUNT as u64 {
        assert_eq!(
            pool.submit(at(0), rich, give(&genesis, 0, number, 0)),
            Ok(Accepted::New)
        );
    }
    let next = give(&genesis, 0, MAX_PER_ACCOUNT as u64 + 1, 0);
    assert_eq!(
        pool.submit(at(0), rich, next.clone()),
        Err(PoolError::AccountFull)
    );
    assert_eq!(
        pool.submit(at(0), rich, give(&genesis, 1, 1, 0)),
        Ok(Accepted::New)
    );
    pool.settle(&miner(0), account(1, 0));
    assert_eq!(pool.submit(at(0), account(1, 0), next), Ok(Accepted::New));
}

#[test]
fn the_pool_ends_at_its_count() {
    let genesis = Network::default().found();
    let mut pool = Pool::default();
    let each = 8_000;
    let sent = |index: usize| {
        let (sender, number) = (index / each, index % each);
        transfer(
            &genesis,
            &ghost(sender as u32),
            number as u64 + 1,
            Address::ZERO,
            0,
        )
    };
    for index in 0..MAX_TRANSACTIONS {
        assert_eq!(
            pool.submit(at(0), account(0, 0), sent(index)),
            Ok(Accepted::New)
        );
    }
    let refused = PoolError::Full {
        txns: MAX_TRANSACTIONS,
        bytes: pool.bytes(),
    };
    assert_eq!(
        pool.submit(at(0), account(0, 0), sent(MAX_TRANSACTIONS)),
        Err(refused)
    );
    assert_eq!(
        pool.submit(at(0), account(0, 0), sent(5)),
        Ok(Accepted::Known)
    );
}

#[test]
fn the_pool_ends_at_its_bytes() {
    let genesis = Network::default().found();
    let mut pool = Pool::default();
    let data = "x".repeat(65_536);
    let large = |number| {
        record(
            &genesis,
            key(0).public_key(),
            number,
            Address::ZERO,
            0,
            &data,
        )
    };
    let full = (1..)
        .map(|number| pool.submit(at(0), account(0, 0), large(number)))
        .find_map(Result::err);
    assert_eq!(
        full,
        Some(PoolError::Full {
            txns: pool.len(),
            bytes: pool.bytes()
        })
    );
    assert!(pool.bytes() <= MAX_BYTES && pool.bytes() + large(1).size() > MAX_BYTES);
    let room = MAX_BYTES - pool.bytes();
    assert_eq!(
        pool.submit(at(0), account(0, 0), give(&genesis, 1, 1, 0))
            .is_ok(),
        give(&genesis, 1, 1, 0).size() <= room
    );
}
