//! Cost of keys, signatures, verification and hashes, the limits of throughput.

use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use ccoin_crypto::{Claim, Lanes, PublicKey, SecretKey, Verifier, sha256};
use criterion::{Criterion, criterion_group, criterion_main};
use std::{hint::black_box, time::Instant};

fn signatures(c: &mut Criterion) {
    let key = SecretKey::generate(2048).expect("the system has randomness");
    let message = sha256(&[b"message"]);
    let signature = key.sign(&message).expect("a fresh key signs");
    let der = key.public_key().as_der().to_vec();
    let mut verifier = Verifier::new(16);

    c.bench_function("sign, RSA-2048", |b| {
        b.iter(|| key.sign(black_box(&message)));
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

/// Signatures that come together: alone, and with so many seats of an eight taken.
fn together(c: &mut Criterion) {
    let secrets: Vec<_> = (0..8)
        .map(|_| SecretKey::generate(2048).expect("the system has randomness"))
        .collect();
    let messages: Vec<_> = (0..64u8).map(|n| sha256(&[&[n]])).collect();
    let signers = || secrets.iter().cycle();
    let signatures: Vec<_> = messages
        .iter()
        .zip(signers())
        .map(|(message, key)| key.sign(message).expect("a fresh key signs"))
        .collect();
    let claims: Vec<_> = messages
        .iter()
        .zip(signers())
        .zip(&signatures)
        .map(|((message, key), signature)| Claim {
            key: key.public_key(),
            message: *message,
            signature,
        })
        .collect();
    for (path, lanes) in [("off", Lanes::off()), ("as found", Lanes::detect())] {
        println!("lanes {path}: {lanes}");
        for count in [1, 2, 3, 4, 8, 64] {
            let mut verifier = Verifier::with_lanes(16, lanes);
            let name = format!("verify {count} together, lanes {path}");
            c.bench_function(&name, |b| {
                b.iter(|| verifier.verify_many(black_box(&claims[..count])));
            });
        }
        c.bench_function(&format!("verify 8 of keys never seen, lanes {path}"), |b| {
            b.iter(|| Verifier::with_lanes(16, lanes).verify_many(black_box(&claims[..8])));
        });
    }
    println!(
        "64 together, one by one against eights: {:.2}",
        ratio(&claims)
    );
}

/// Time of one by one over time of eights, in turns; the median of 21 pairs.
fn ratio(claims: &[Claim<'_>]) -> f64 {
    let mut alone = Verifier::with_lanes(16, Lanes::off());
    let mut eights = Verifier::with_lanes(16, Lanes::detect());
    let mut ratios: Vec<f64> = (0..21)
        .map(|_| {
            let seconds = |verifier: &mut Verifier| {
                let began = Instant::now();
                for _ in 0..10 {
                    black_box(verifier.verify_many(black_box(claims)));
                }
                began.elapsed().as_secs_f64()
            };
            seconds(&mut alone) / seconds(&mut eights)
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

criterion_group!(benches, keys, signatures, together, hashes);
criterion_main!(benches);
