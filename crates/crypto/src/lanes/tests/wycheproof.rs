//! The RSASSA-PSS vectors of Project Wycheproof for our rule: 2048 bits, SHA-256,
//! MGF1-SHA-256, salt of 32 bytes; with the lanes, and with the library alone.

use super::engine;
use crate::{
    SecretKey,
    lanes::{
        eight::{Question, opinions},
        key::LaneKey,
        power::{EIGHT, Engine},
    },
    sha256,
};
use aws_lc_rs::{rsa::PublicKeyComponents, signature::RSA_PSS_2048_8192_SHA256};
use wycheproof::{HashFunction, TestResult, rsa_pss_verify::*};

struct Case {
    name: String,
    modulus: [u8; 256],
    message: Vec<u8>,
    signature: Vec<u8>,
    valid: bool,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for name in [
        TestName::RsaPss2048Sha256Mgf1SaltLen32,
        TestName::RsaPss2048Sha256Mgf1SaltLen32WithParams,
        TestName::RsaPssmisc,
        TestName::RsaPssmiscWithParams,
    ] {
        for group in TestSet::load(name).unwrap().test_groups {
            let exponent: &[u8] = group.key.e.as_ref();
            let ours = group.key_size == 2_048
                && group.salt_size == 32
                && matches!(group.hash, HashFunction::Sha2_256)
                && matches!(group.mgf_hash, Some(HashFunction::Sha2_256))
                && exponent == [1, 0, 1];
            if !ours {
                continue;
            }
            let modulus: &[u8] = group.key.n.as_ref();
            let modulus = modulus[modulus.len() - 256..].try_into().unwrap();
            cases.extend(group.tests.into_iter().map(|test| Case {
                name: format!("{name:?} {}: {}", test.tc_id, test.comment),
                modulus,
                message: test.msg.to_vec(),
                signature: test.sig.to_vec(),
                valid: matches!(test.result, TestResult::Valid),
            }));
        }
    }
    assert!(cases.len() > 100, "{} cases", cases.len());
    assert!(cases.iter().filter(|case| case.valid).count() > 50);
    cases
}

/// The opinion on a case in one lane, with good signatures of another key in all others.
fn opinion(engine: Engine, case: &Case, lane: usize, other: &Question<'_>) -> bool {
    let Ok(signature) = <&[u8; 256]>::try_from(&case.signature[..]) else {
        return false;
    };
    if *signature >= case.modulus {
        return false;
    }
    let key = LaneKey::of_moduli(engine, &[case.modulus]).pop().unwrap();
    let questions: [_; EIGHT] = std::array::from_fn(|at| match at == lane {
        true => Question {
            key: &key,
            digest: sha256(&[&case.message]),
            signature,
        },
        false => Question { ..*other },
    });
    let mut opinions = opinions(engine, &questions);
    let opinion = opinions.remove(lane);
    assert_eq!(opinions, [true; EIGHT - 1], "beside {}", case.name);
    opinion
}

#[test]
fn the_lanes_judge_the_wycheproof_vectors_as_they_must() {
    let Some(engine) = engine("the lanes against the Wycheproof vectors") else {
        return;
    };
    let secret = SecretKey::generate(2048).unwrap();
    let message = sha256(&[b"other"]);
    let signature = secret.sign(&message).unwrap();
    let modulus = secret.public_key().modulus().try_into().unwrap();
    let key = LaneKey::of_moduli(engine, &[modulus]).pop().unwrap();
    let other = Question {
        key: &key,
        digest: sha256(&[message.as_bytes()]),
        signature: signature.as_bytes().try_into().unwrap(),
    };
    for (at, case) in cases().iter().enumerate() {
        let opinion = opinion(engine, case, at % EIGHT, &other);
        assert_eq!(opinion, case.valid, "{}", case.name);
    }
}

#[test]
fn the_library_judges_the_wycheproof_vectors_as_it_must() {
    for case in cases() {
        let key = PublicKeyComponents {
            n: &case.modulus[..],
            e: &[1, 0, 1][..],
        };
        let verdict = key.verify(&RSA_PSS_2048_8192_SHA256, &case.message, &case.signature);
        assert_eq!(verdict.is_ok(), case.valid, "{}", case.name);
    }
}
