//! HashCash tries per second of one core: 1,000,000 divided by the printed time.

use ccoin_core::{PowNonce, pow::Midstate};
use ccoin_crypto::sha256;
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

fn pow(c: &mut Criterion) {
    let midstate = Midstate::new(&sha256(&[b"a header"]));
    let from = PowNonce::new(1_000_000).expect("small");
    c.bench_function("1,000,000 tries", |b| {
        b.iter(|| black_box(midstate.search(8, black_box(from), 1_000_000)));
    });
}

criterion_group!(group, pow);
criterion_main!(group);
