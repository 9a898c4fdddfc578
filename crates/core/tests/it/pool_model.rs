//! The pool against a naive model: random submissions and blocks, the same verdicts,
//! the same order, the same numbers.

use crate::cases::cases;
use ccoin_core::{
    Timestamp,
    pool::{Accepted, MAX_GAP, Pool, PoolError},
};
use ccoin_sim::{Network, account, give, miner, ready};
use proptest::prelude::*;

/// The pool as specified, in the plainest code.
#[derive(Default)]
struct Model {
    waiting: Vec<(usize, u64, u64)>,
    ready: Vec<(usize, u64)>,
}

impl Model {
    fn next(&self, from: usize, nonce: u64) -> u64 {
        (nonce + 1..)
            .find(|number| !self.waiting.iter().any(|w| (w.0, w.1) == (from, *number)))
            .unwrap()
    }

    fn pending(&self, from: usize) -> u64 {
        self.waiting
            .iter()
            .filter(|w| w.0 == from)
            .map(|w| w.2)
            .sum()
    }

    fn submit(
        &mut self,
        from: usize,
        (nonce, balance): (u64, u64),
        number: u64,
        amount: u64,
    ) -> &'static str {
        match self.waiting.iter().find(|w| (w.0, w.1) == (from, number)) {
            Some(waiting) if waiting.2 == amount => return "known",
            Some(_) => return "used",
            None if number <= nonce => return "used",
            None => {}
        }
        if number > self.next(from, nonce) + MAX_GAP {
            return "gap";
        }
        if balance == 0 && nonce == 0 {
            return "coins";
        }
        if self.pending(from) + amount > balance {
            return "funds";
        }
        self.waiting.push((from, number, amount));
        self.promote(from, nonce);
        "new"
    }

    fn promote(&mut self, from: usize, nonce: u64) {
        for number in nonce + 1..self.next(from, nonce) {
            if !self.ready.contains(&(from, number)) {
                self.ready.push((from, number));
            }
        }
    }

    fn settle(&mut self, from: usize, nonce: u64, balance: u64) {
        self.waiting.retain(|w| w.0 != from || w.1 > nonce);
        if self.pending(from) > balance {
            let (mut again, kept): (Vec<_>, Vec<_>) =
                self.waiting.iter().partition(|w| w.0 == from);
            again.sort_unstable();
            self.waiting = kept;
            self.ready.retain(|r| r.0 != from);
            // They have their places: only the coins count.
            for (_, number, amount) in again {
                if (nonce, balance) != (0, 0) && self.pending(from) + amount <= balance {
                    self.waiting.push((from, number, amount));
                    self.promote(from, nonce);
                }
            }
        }
        self.ready
            .retain(|r| self.waiting.iter().any(|w| (w.0, w.1) == *r));
        self.promote(from, nonce);
    }
}

fn verdict(result: Result<Accepted, PoolError>) -> &'static str {
    match result {
        Ok(Accepted::New) => "new",
        Ok(Accepted::Known) => "known",
        Err(PoolError::NumberUsed { .. }) => "used",
        Err(PoolError::NumberGap { .. }) => "gap",
        Err(PoolError::NoCoins) => "coins",
        Err(PoolError::Funds { .. }) => "funds",
        Err(error) => panic!("{error}"),
    }
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn pool_is_the_naive_model(
        moves in prop::collection::vec((0usize..3, prop_oneof![4 => 0u64..6, 1 => 60u64..70], 0u64..30, any::<bool>()), 1..60)
    ) {
        let genesis = Network::default().found();
        let (mut pool, mut model) = (Pool::default(), Model::default());
        let mut accounts = [(0u64, 100u64); 3];
        for (from, ahead, amount, block) in moves {
            let (nonce, balance) = &mut accounts[from];
            if block && ahead < 3 {
                (*nonce, *balance) = (*nonce + ahead, amount * 4);
                pool.settle(&miner(from), account(*nonce, *balance));
                model.settle(from, *nonce, *balance);
            } else {
                let number = *nonce + ahead;
                let got = pool.submit(Timestamp::ZERO, account(*nonce, *balance), give(&genesis, from, number, amount));
                prop_assert_eq!(verdict(got), model.submit(from, accounts[from], number, amount));
            }
            let expected: Vec<_> = model.ready.iter().map(|(from, number)| (miner(*from), *number)).collect();
            prop_assert_eq!(ready(&pool), expected);
            prop_assert_eq!(pool.len(), model.waiting.len());
            prop_assert_eq!(pool.by_arrival().count(), pool.len());
            prop_assert_eq!(pool.bytes(), pool.by_arrival().map(|(_, txn)| txn.size()).sum::<usize>());
            for (from, (nonce, balance)) in accounts.iter().enumerate() {
                prop_assert_eq!(pool.next_number(&miner(from), account(*nonce, *balance)), model.next(from, *nonce));
            }
        }
    }
}
