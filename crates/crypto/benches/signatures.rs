//! Cost of keys, signatures, verification and hashes, the limits of throughput.

use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use ccoin_crypto::{PublicKey, SecretKey, Verifier, sha256};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

fn signatures(c: &mut Criterion) {
    let key = SecretKey::generate(2048).expect("the system has randomness");
    let message = sha256(&[b"message"]);
    let signature = key.sign(&message).expect("a fresh key signs");
    let der = key.public_key().as_der().to_vec();
    let mut verifier = Verifier::new(16);

    c.bench_function("sign, RSA-2048", |b| {
        b.iter(|| key.sign(black_box(&message)))
    });
    c.bench_function("verify, key remembered", |b| {
        b.iter(|| {
            let key = verifier.intern(black_box(&der)).expect("a good key");
            verifier.verify(&key, &message, &signature)
        });
    });
    c.bench_function("verify, key never seen", |b| {
        b.iter(|| {
            let key = PublicKey::from_der(black_box(&der)).expect("a good key");
            Verifier::new(1).verify(&key, &message, &signature)
        });
    });
    c.bench_function("verify, library alone from DER", |b| {
        b.iter(|| {
            UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, black_box(&der))
                .verify(message.as_bytes(), signature.as_bytes())
        });
    });
}

fn keys(c: &mut Criterion) {
    c.bench_function("make a key, RSA-2048", |b| {
        b.iter(|| SecretKey::generate(2048));
    });
    let key = SecretKey::generate(2048).expect("the system has randomness");
    let pem = key.to_pem(Some("passphrase"));
    c.bench_function("unlock a key file", |b| {
        b.iter(|| SecretKey::from_pem(black_box(&pem), Some("passphrase")));
    });
}

fn hashes(c: &mut Criterion) {
    let bytes = vec![7; 1 << 20];
    for size in [20, 65, 1 << 20] {
        c.bench_function(&format!("SHA-256 of {size} bytes"), |b| {
            b.iter(|| sha256(&[black_box(&bytes[..size])]));
        });
    }
}

criterion_group!(benches, keys, signatures, hashes);
criterion_main!(benches);
