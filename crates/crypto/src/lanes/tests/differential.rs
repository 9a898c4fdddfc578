//! Claims of all kinds, good and bad beside each other in every lane: the opinion of the
//! lanes, and the verdict with lanes, against the library alone. `CCOIN_CASES=1000000` runs
//! that many.

use super::{Random, engine};
use crate::{Claim, Hash, Lanes, PublicKey, SecretKey, Signature, Verifier, sha256};
use num_bigint::BigUint;

/// Claims in a run of the ordinary tests.
const CASES: usize = 16_000;

/// Claims that are judged together: eights, and what is left over.
const TOGETHER: usize = 61;

const SIGNERS: usize = 4;
const SIGNED: usize = 64;

struct Signed {
    key: PublicKey,
    message: Hash,
    signature: Signature,
}

/// Good signatures of several keys.
fn signed() -> Vec<Signed> {
    let secrets: Vec<_> = (0..SIGNERS)
        .map(|_| SecretKey::generate(2048).unwrap())
        .collect();
    let sign = |(number, secret): (usize, &SecretKey)| {
        let message = sha256(&[&number.to_be_bytes()]);
        Signed {
            key: secret.public_key().clone(),
            message,
            signature: secret.sign(&message).unwrap(),
        }
    };
    secrets
        .iter()
        .cycle()
        .take(SIGNED)
        .enumerate()
        .map(sign)
        .collect()
}

/// A key of the profile with this modulus.
fn key_of(like: &PublicKey, modulus: &[u8; 256]) -> PublicKey {
    let mut der = like.as_der().to_vec();
    der[33..289].copy_from_slice(modulus);
    PublicKey::from_der(&der).unwrap()
}

fn signature_of(number: &BigUint) -> Signature {
    let digits = number.to_bytes_be();
    let mut bytes = vec![0; 256usize.saturating_sub(digits.len())];
    bytes.extend(digits);
    Signature::new(&bytes).unwrap()
}

/// A claim and, where the kind decides it, its verdict.
fn case(random: &mut Random, signed: &[Signed]) -> (Signed, Option<bool>) {
    let Signed {
        key,
        message,
        signature,
    } = &signed[random.below(signed.len())];
    let other = &signed[random.below(signed.len())];
    let modulus = BigUint::from_bytes_be(key.modulus());
    let (mut key, mut message, mut signature) = (key.clone(), *message, signature.clone());
    let flipped = |bytes: &[u8], bit: usize| {
        let mut bytes = bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    };
    let mut expected = Some(false);
    match random.below(16) {
        0..=4 => expected = Some(true),
        5 | 6 => {
            let bit = random.below(2_048);
            signature = Signature::new(&flipped(signature.as_bytes(), bit)).unwrap();
        }
        7 => {
            let bytes = flipped(message.as_bytes(), random.below(256));
            message = Hash::new(bytes.try_into().unwrap());
        }
        8 => {
            signature = other.signature.clone();
            expected = None;
        }
        9 => {
            key = other.key.clone();
            expected = None;
        }
        10 => {
            let edges = [
                BigUint::ZERO,
                BigUint::from(1u8),
                BigUint::from(2u8),
                &modulus - 2u8,
                &modulus - 1u8,
                modulus.clone(),
                &modulus + 1u8,
                (BigUint::from(1u8) << 2_048) - 1u8,
            ];
            signature = signature_of(&edges[random.below(edges.len())]);
        }
        11 => signature = signature_of(&(BigUint::from(1u8) << random.below(2_047))),
        12 => signature = signature_of(&BigUint::from_bytes_be(&random.bytes(Random::next))),
        13 => key = key_of(&key, &random.modulus()),
        14 => {
            key = key_of(&key, &random.modulus());
            let high = BigUint::from_bytes_be(key.modulus()) - 1u8;
            signature = signature_of(&high);
        }
        _ => {
            let length = random.below(513);
            signature = Signature::new(&vec![random.next() as u8; length]).unwrap();
        }
    }
    (
        Signed {
            key,
            message,
            signature,
        },
        expected,
    )
}

#[test]
fn lanes_and_library_agree_on_every_claim() {
    let lanes = Lanes::detect();
    if engine("the lanes against the library").is_none() {
        assert!(!lanes.are_on());
    }
    let cases = std::env::var("CCOIN_CASES").ok();
    let cases = cases.map_or(CASES, |cases| {
        cases.parse().expect("CCOIN_CASES is a number")
    });
    let (mut random, signed) = (Random::new(), signed());
    let (mut library, mut eights) = (Verifier::new(16), Verifier::with_lanes(16, lanes));
    let (mut judged, mut good) = (0, 0);
    while judged < cases {
        let together = 1 + random.below(TOGETHER);
        let made: Vec<_> = (0..together).map(|_| case(&mut random, &signed)).collect();
        let claims: Vec<_> = made
            .iter()
            .map(
                |(
                    Signed {
                        key,
                        message,
                        signature,
                    },
                    _,
                )| Claim {
                    key,
                    message: *message,
                    signature,
                },
            )
            .collect();
        let opinions = eights.ask_lanes(&claims);
        let verdicts = eights.verify_many(&claims);
        let fits = |at: &usize| claims[*at].check_range().is_ok();
        let fitting: Vec<_> = (0..together).filter(fits).collect();
        for (at, (claim, (_, expected))) in claims.iter().zip(&made).enumerate() {
            let verdict = library.verify(claim.key, &claim.message, claim.signature);
            assert_eq!(verdicts[at], verdict, "{claim:?}");
            if let Some(expected) = expected {
                assert_eq!(verdict.is_ok(), *expected, "{claim:?}");
            }
            // Whole eights are asked; what is left over may be too few.
            let rank = fitting.iter().position(|fitting| *fitting == at);
            let is_asked = lanes.are_on() && rank.is_some_and(|rank| rank < fitting.len() / 8 * 8);
            let agrees = opinions[at] == verdict.is_ok() || (!is_asked && !opinions[at]);
            assert!(agrees, "lane {at}: {} {claim:?}", opinions[at]);
            good += usize::from(verdict.is_ok());
        }
        assert_eq!(eights.lane_fault(), None);
        judged += together;
    }
    println!("{judged} claims, {good} of them good");
}
