//! Payments, signed or with a filler instead of a signature.

use crate::{keys::key, network::coins, time::at};
use ccoin_core::{
    AccountNonce, Address,
    genesis::Genesis,
    pool::Pool,
    transaction::{Payment, Transaction, VerifiedTransaction},
};
use ccoin_crypto::{PublicKey, Signature};

/// A payment with a filler instead of a signature, taken as verified.
#[must_use]
pub fn transfer(
    genesis: &Genesis,
    from: &PublicKey,
    number: u64,
    to: Address,
    amount: u64,
) -> VerifiedTransaction {
    record(genesis, from, number, to, amount, "")
}

/// A payment of one coin from miner `from` to the zero address.
#[must_use]
pub fn pay(genesis: &Genesis, from: usize, number: u64) -> VerifiedTransaction {
    give(genesis, from, number, 1)
}

/// A payment of `amount` coins from miner `from` to the zero address.
#[must_use]
pub fn give(genesis: &Genesis, from: usize, number: u64, amount: u64) -> VerifiedTransaction {
    transfer(
        genesis,
        key(from).public_key(),
        number,
        Address::ZERO,
        amount,
    )
}

/// A payment of nothing from any key to the zero address.
#[must_use]
pub fn give_from(genesis: &Genesis, from: &PublicKey, number: u64) -> VerifiedTransaction {
    transfer(genesis, from, number, Address::ZERO, 0)
}

/// One payment for each number.
#[must_use]
pub fn pays(
    genesis: &Genesis,
    from: usize,
    numbers: core::ops::RangeInclusive<u64>,
) -> Vec<VerifiedTransaction> {
    numbers.map(|number| pay(genesis, from, number)).collect()
}

/// As [`transfer`], with data.
#[must_use]
pub fn record(
    genesis: &Genesis,
    from: &PublicKey,
    number: u64,
    to: Address,
    amount: u64,
    data: &str,
) -> VerifiedTransaction {
    let txn = Transaction {
        number: AccountNonce::new(number).expect("within the range"),
        from: from.clone(),
        to,
        amount: coins(amount),
        data: data.into(),
        time: at(0),
        signature: Signature::new(&[0xab; 256]).expect("not too long"),
    };
    VerifiedTransaction::already_verified(txn, &genesis.id)
}

/// A payment that miner `from` has signed.
#[must_use]
pub fn signed(
    genesis: &Genesis,
    from: usize,
    number: u64,
    to: Address,
    amount: u64,
) -> Transaction {
    let payment = Payment {
        number: AccountNonce::new(number).expect("within the range"),
        to,
        amount: coins(amount),
        data: String::new(),
        time: at(0),
    };
    Transaction::sign(payment, key(from), &genesis.id).expect("a fresh key signs")
}

/// Senders and numbers of what a pool has ready, in its order.
#[must_use]
pub fn ready(pool: &Pool) -> Vec<(Address, u64)> {
    pool.ready()
        .map(|txn| (txn.sender(), txn.number.get()))
        .collect()
}
