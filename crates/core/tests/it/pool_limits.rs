//! How many transactions may wait: every limit of the pool, exact.

use ccoin_core::{
    AccountNonce, Address,
    pool::{Accepted, MAX_BYTES, MAX_GAP, MAX_PER_ACCOUNT, MAX_TRANSACTIONS, Pool, PoolError},
};
use ccoin_sim::{Network, account, at, ghost, give, miner, record, transfer};

/// Coins of a sender that no budget stops.
const RICH: u64 = 1 << 40;

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
    let rich = account(0, RICH);
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
    pool.settle(&miner(0), account(1, RICH));
    assert_eq!(
        pool.submit(at(0), account(1, RICH), next),
        Ok(Accepted::New)
    );
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
            pool.submit(at(0), account(0, RICH), sent(index)),
            Ok(Accepted::New)
        );
    }
    let refused = PoolError::Full {
        txns: MAX_TRANSACTIONS,
        bytes: pool.bytes(),
    };
    assert_eq!(
        pool.submit(
            at(0),
            account(0, RICH),
            transfer(&genesis, &ghost(0), each as u64 + 1, Address::ZERO, 0)
        ),
        Err(refused),
        "it holds as much as any other"
    );
    assert_eq!(
        pool.submit(at(0), account(0, RICH), sent(5)),
        Ok(Accepted::Known)
    );
}

#[test]
fn the_pool_ends_at_its_bytes() {
    let genesis = Network::default().found();
    let mut pool = Pool::default();
    let data = "x".repeat(65_536);
    let large = |sender, number| record(&genesis, &ghost(sender), number, Address::ZERO, 0, &data);
    for sender in 0..4 {
        let full = (1..)
            .map(|number| pool.submit(at(0), account(0, RICH), large(sender, number)))
            .find_map(Result::err);
        assert_eq!(full, Some(PoolError::AccountFull));
    }
    assert!(pool.bytes() <= MAX_BYTES && pool.bytes() + 4 * large(0, 1).size() > MAX_BYTES);
    while pool.bytes() + large(4, 1).size() <= MAX_BYTES {
        let number = pool.next_number(&ghost(4).address(), account(0, RICH));
        pool.submit(at(0), account(0, RICH), large(4, number))
            .unwrap();
    }
    // as rich as the others, and it holds less; a poorer one holds more for its coins
    let number = pool.next_number(&ghost(4).address(), account(0, RICH));
    let before = pool.bytes();
    let accepted = pool.submit(at(0), account(0, RICH), large(4, number));
    assert_eq!(accepted, Ok(Accepted::New));
    assert!(pool.bytes() <= before);
    assert_eq!(pool.take_displaced().len(), 1);
    let poor = pool.submit(at(0), account(0, 1_000), large(5, 1));
    assert!(matches!(poor, Err(PoolError::Full { .. })));
}
