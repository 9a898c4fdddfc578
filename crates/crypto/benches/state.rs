//! Cost of a block's changes on a state of a million accounts, and its memory.
//! Divide the printed time of an update by 1,000 for the time per account.

use ccoin_crypto::{Address, StateTree, Value, sha256};
use criterion::{Criterion, criterion_group, criterion_main};
use std::{fs, hint::black_box, time::Instant};

const ACCOUNTS: u64 = 1_000_000;
const BATCH: u64 = 1_000;
const PAGE: usize = 4096;

fn address(n: u64) -> Address {
    let digest = sha256(&[&n.to_be_bytes()]);
    Address::new(
        *digest
            .as_bytes()
            .first_chunk()
            .expect("a digest has 32 bytes"),
    )
}

fn value(n: u64) -> Value {
    u128::from(n).to_be_bytes()
}

/// Resident bytes of this process; 0 where the system does not tell.
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: Option<usize> = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * PAGE
}

/// Grows a state in blocks, as a chain does.
fn grown() -> StateTree {
    let before = resident();
    let start = Instant::now();
    let mut tree = StateTree::default();
    for first in (0..ACCOUNTS).step_by(10_000) {
        let block: Vec<_> = (first..first + 10_000)
            .map(|n| (address(n), value(n + 1)))
            .collect();
        tree = tree.update(&block);
    }
    let (took, bytes) = (start.elapsed(), resident().saturating_sub(before));
    println!(
        "{} accounts: {took:?}, {} bytes each",
        tree.len(),
        bytes / tree.len()
    );
    tree
}

fn state(c: &mut Criterion) {
    let mut tree = grown();
    let mut block = 0;
    let mut next = |batch: u64| -> Vec<(Address, Value)> {
        block += 1;
        let at = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % ACCOUNTS;
        (0..batch)
            .map(|n| (address(at(block * batch + n)), value(block + n + 1)))
            .collect()
    };
    for batch in [10, BATCH, 10_000] {
        c.bench_function(&format!("update {batch} of a million accounts"), |b| {
            b.iter_batched(
                || next(batch),
                |changes| tree = tree.update(&changes),
                criterion::BatchSize::PerIteration,
            );
        });
        // A node keeps the states of recent blocks: the old one is dropped later, elsewhere.
        c.bench_function(&format!("the same, old state kept, {batch}"), |b| {
            b.iter_batched(
                || next(batch),
                |changes| {
                    let new = tree.update(&changes);
                    std::mem::replace(&mut tree, new)
                },
                criterion::BatchSize::PerIteration,
            );
        });
    }
    c.bench_function("get", |b| b.iter(|| tree.get(&address(black_box(77)))));
    c.bench_function("prove", |b| b.iter(|| tree.prove(&address(black_box(77)))));
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = state
}
criterion_main!(benches);
