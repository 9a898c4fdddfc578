//! Executing a block of 1,000 transfers: against the number of accounts, and against
//! the height of the chain. Divide the printed time by 1,000 for a transfer.

use ccoin_core::{
    AccountNonce, Address, Amount, BlockId, Height, StateHash, Timestamp,
    ledger::{Account, Draft, State},
    transaction::{Transaction, VerifiedTransaction},
};
use ccoin_crypto::{PublicKey, SecretKey, Signature, sha256};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

const TRANSFERS: u64 = 1_000;

fn address(n: u64) -> Address {
    let digest = sha256(&[&n.to_be_bytes()]);
    Address::new(
        *digest
            .as_bytes()
            .first_chunk()
            .expect("a digest has 32 bytes"),
    )
}

/// A key that cannot sign: executing looks only at its address.
fn sender(template: &[u8], n: u64) -> PublicKey {
    let mut der = template.to_vec();
    der[40..48].copy_from_slice(&n.to_be_bytes());
    PublicKey::from_der(&der).expect("still an odd number of 2048 bits")
}

/// The transfers that all senders make next, each to another account.
fn transfers(senders: &[PublicKey], accounts: u64, number: u64) -> Vec<VerifiedTransaction> {
    let transfer = |(n, from): (u64, &PublicKey)| {
        let transaction = Transaction {
            number: AccountNonce::new(number).expect("small"),
            from: from.clone(),
            to: address(n.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number) % accounts),
            amount: Amount::new(1).expect("small"),
            data: String::new(),
            time: Timestamp::ZERO,
            signature: Signature::empty(),
        };
        VerifiedTransaction::already_verified(transaction, &BlockId::ZERO)
    };
    (0..).zip(senders).map(transfer).collect()
}

fn apply(state: &State, block: &[VerifiedTransaction]) -> (StateHash, State) {
    let mut draft = Draft::new(state);
    for txn in block {
        draft
            .apply(txn)
            .expect("every sender has the coins and the number");
    }
    let (next, _) = draft.finish();
    (next.root(), next)
}

fn benches(c: &mut Criterion) {
    let key = SecretKey::generate(2048).expect("the system has randomness");
    let template = key.public_key().as_der().to_vec();
    let senders: Vec<_> = (0..TRANSFERS).map(|n| sender(&template, n)).collect();
    let rich = Account {
        nonce: AccountNonce::ZERO,
        balance: Amount::new(1_000_000).expect("small"),
    };
    let state_of = |accounts: u64| {
        let others = (0..accounts - TRANSFERS).map(address);
        State::from_accounts(
            others
                .chain(senders.iter().map(PublicKey::address))
                .map(|a| (a, rich)),
        )
    };
    for accounts in [10_000, 100_000, 1_000_000] {
        let state = state_of(accounts);
        let block = transfers(&senders, accounts, 1);
        c.bench_function(&format!("1,000 transfers, {accounts} accounts"), |b| {
            b.iter(|| black_box(apply(&state, &block).0));
        });
    }
    let mut state = state_of(100_000);
    let mut height = Height::GENESIS;
    for target in [10, 10_000] {
        while height.get() < target {
            // One transfer per block is enough to give the chain a past.
            let number = state.account(&senders[0].address()).nonce.get() + 1;
            state = apply(&state, &transfers(&senders[..1], 100_000, number)).1;
            height = height.next().expect("far from the end");
        }
        let next = state.account(&senders[0].address()).nonce.get() + 1;
        let mut block = transfers(&senders[..1], 100_000, next);
        block.extend(transfers(&senders, 100_000, 1).split_off(1));
        c.bench_function(&format!("1,000 transfers, height {target}"), |b| {
            b.iter(|| black_box(apply(&state, &block).0));
        });
    }
}

criterion_group!(group, benches);
criterion_main!(group);
