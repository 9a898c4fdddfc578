//! One rule for signatures: ours, with aws-lc-rs behind it, against the `rsa` crate
//! and openssl. Whatever we accept, both libraries must accept.

use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use ccoin_crypto::{Hash, PublicKey, SecretKey, Signature, SignatureError, Verifier, sha256};
use rsa::{
    pkcs1v15,
    pkcs8::{DecodePrivateKey, DecodePublicKey},
    pss,
    sha2::{Sha256, Sha512},
    signature::{SignatureEncoding, Signer, Verifier as _},
    traits::PublicKeyParts,
};
use std::fs;

use crate::{key, openssl};

/// The same key as the `rsa` crate has it.
fn other_key() -> rsa::PrivateKey {
    rsa::PrivateKey::from_pkcs8_pem(&key().to_pem(None)).unwrap()
}

fn message() -> Hash {
    sha256(&[b"message"])
}

fn ours(bytes: &[u8], message: &Hash) -> Result<(), SignatureError> {
    Verifier::new(1).verify(key().public_key(), message, &Signature::new(bytes).unwrap())
}

fn aws(bytes: &[u8], message: &Hash) -> bool {
    UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, key().public_key().as_der())
        .verify(message.as_bytes(), bytes)
        .is_ok()
}

fn rsa(bytes: &[u8], message: &Hash) -> bool {
    let key = rsa::PublicKey::from_public_key_der(key().public_key().as_der()).unwrap();
    pss::Signature::try_from(bytes).is_ok_and(|signature| {
        pss::VerifyingKey::<Sha256>::new(key)
            .verify(message.as_bytes(), &signature)
            .is_ok()
    })
}

/// Our verdict, checked against both libraries.
fn judge(bytes: &[u8], message: &Hash) -> Result<(), SignatureError> {
    let verdict = ours(bytes, message);
    if verdict.is_ok() {
        assert!(
            aws(bytes, message) && rsa(bytes, message),
            "{}",
            hex::encode(bytes)
        );
    }
    verdict
}

#[test]
fn valid_both_ways() {
    for n in 0..20_u8 {
        let message = sha256(&[&[n]]);
        let signature = key().sign(&message).unwrap();
        assert_eq!(judge(signature.as_bytes(), &message), Ok(()));
        let signer = pss::SigningKey::<Sha256>::new(other_key());
        let theirs = signer.sign(message.as_bytes()).to_vec();
        assert_eq!(judge(&theirs, &message), Ok(()));
        assert_ne!(signature.as_bytes(), theirs, "the salt is random");
    }
}

#[test]
fn every_altered_byte_is_refused() {
    let signature = key().sign(&message()).unwrap();
    let mut verifier = Verifier::new(1);
    for at in 0..256 {
        let mut bytes = signature.as_bytes().to_vec();
        bytes[at] ^= 1 << (at % 8);
        let altered = Signature::new(&bytes).unwrap();
        assert!(
            verifier
                .verify(key().public_key(), &message(), &altered)
                .is_err(),
            "byte {at}"
        );
        assert!(!aws(&bytes, &message()) && !rsa(&bytes, &message()));
    }
    assert_eq!(
        judge(signature.as_bytes(), &sha256(&[b"other"])),
        Err(SignatureError::Mismatch)
    );
}

#[test]
fn other_schemes_are_refused() {
    let message = message();
    let with_salt = |salt| {
        let signer = pss::SigningKey::<Sha256>::new_with_salt_len(other_key(), salt);
        signer.sign(message.as_bytes()).to_vec()
    };
    assert_eq!(judge(&with_salt(32), &message), Ok(()));
    for salt in [0, 20, 31, 33, 222] {
        let bytes = with_salt(salt);
        assert_eq!(
            judge(&bytes, &message),
            Err(SignatureError::Mismatch),
            "salt {salt}"
        );
        assert!(!aws(&bytes, &message), "the library takes salt {salt}");
    }
    let sha512 = pss::SigningKey::<Sha512>::new_with_salt_len(other_key(), 32)
        .sign(message.as_bytes())
        .to_vec();
    assert_eq!(judge(&sha512, &message), Err(SignatureError::Mismatch));
    let pkcs1 = pkcs1v15::SigningKey::<Sha256>::new(other_key())
        .sign(message.as_bytes())
        .to_vec();
    assert_eq!(judge(&pkcs1, &message), Err(SignatureError::Mismatch));
    let other = SecretKey::generate(2048).unwrap().sign(&message).unwrap();
    assert!(judge(other.as_bytes(), &message).is_err());
}

/// The sum of two big-endian numbers of one length, if it has that length too.
fn sum(a: &[u8], b: &[u8]) -> Option<Vec<u8>> {
    let mut carry = 0;
    let mut bytes = vec![0; a.len()];
    for (at, byte) in bytes.iter_mut().enumerate().rev() {
        let digit = u16::from(a[at]) + u16::from(b[at]) + carry;
        *byte = digit as u8;
        carry = digit >> 8;
    }
    (carry == 0).then_some(bytes)
}

#[test]
fn a_signature_has_one_spelling() {
    let modulus = other_key().n_bytes();
    // s + n must fit into 256 bytes; with s below 2^2048 - n it does
    let (signature, sum) = (0..)
        .map(|_| key().sign(&message()).unwrap())
        .find_map(|signature| {
            let sum = sum(signature.as_bytes(), &modulus)?;
            Some((signature, sum))
        })
        .unwrap();
    // rsa 0.9 took it: our own check keeps the rule the same whatever a library does
    assert_eq!(judge(&sum, &message()), Err(SignatureError::Range));
    assert!(!aws(&sum, &message()) && !rsa(&sum, &message()));
    assert_eq!(judge(&modulus, &message()), Err(SignatureError::Range));
    assert_eq!(judge(&[0xff; 256], &message()), Err(SignatureError::Range));
    assert_eq!(judge(&[0; 256], &message()), Err(SignatureError::Mismatch));
    for (got, bytes) in [
        (0, Vec::new()),
        (255, signature.as_bytes()[1..].to_vec()),
        (255, signature.as_bytes()[..255].to_vec()),
        (257, [signature.as_bytes(), &[0]].concat()),
        (257, [&[0], signature.as_bytes()].concat()),
        (512, vec![0; 512]),
    ] {
        assert_eq!(
            judge(&bytes, &message()),
            Err(SignatureError::Length { got, expected: 256 })
        );
    }
    assert_eq!(
        Signature::new(&[0; 513]),
        Err(SignatureError::TooLong { got: 513 })
    );
}

#[test]
fn leading_zeros_stay() {
    let signature = (0..)
        .map(|_| key().sign(&message()).unwrap())
        .find(|s| s.as_bytes()[0] == 0)
        .unwrap();
    assert_eq!(judge(signature.as_bytes(), &message()), Ok(()));
    assert!(judge(&signature.as_bytes()[1..], &message()).is_err());
}

#[test]
fn remembered_keys_judge_alike() {
    let other = SecretKey::generate(2048).unwrap();
    let mut verifier = Verifier::new(1);
    for round in 0..3 {
        for signer in [key(), &other] {
            let signature = signer.sign(&message()).unwrap();
            for public in [key().public_key(), other.public_key()] {
                let known = verifier.intern(public.as_der()).unwrap();
                assert_eq!(&known, public);
                let verdict = verifier.verify(&known, &message(), &signature).is_ok();
                assert_eq!(verdict, public == signer.public_key(), "round {round}");
            }
        }
    }
    assert!(verifier.intern(&[0; 294]).is_err());
    assert!(Verifier::new(0).intern(key().public_key().as_der()).is_ok());
}

#[test]
fn signatures_travel_as_base64_and_as_bytes() {
    let signature = Signature::new(&[0xfb, 0xff, 1]).unwrap();
    assert_eq!(serde_json::to_string(&signature).unwrap(), r#""+/8B""#);
    assert_eq!(
        serde_json::from_str::<Signature>(r#""+/8B""#).unwrap(),
        signature
    );
    assert_eq!(
        rmp_serde::to_vec(&signature).unwrap(),
        [0xc4, 3, 0xfb, 0xff, 1]
    );
    for size in [0, 1, 256, 511, 512] {
        let signature = Signature::new(&vec![9; size]).unwrap();
        let json = serde_json::to_string(&signature).unwrap();
        assert_eq!(serde_json::from_str::<Signature>(&json).unwrap(), signature);
        let bytes = rmp_serde::to_vec(&signature).unwrap();
        assert_eq!(
            rmp_serde::from_slice::<Signature>(&bytes).unwrap(),
            signature
        );
    }
    for json in [r#""+/8""#, r#""-_8B""#, r#"" +/8B""#, "[251]", "null", "7"] {
        assert!(serde_json::from_str::<Signature>(json).is_err(), "{json}");
    }
    let long = rmp_serde::to_vec(serde_bytes::Bytes::new(&[0; 513])).unwrap();
    assert!(rmp_serde::from_slice::<Signature>(&long).is_err());
    let long = format!("\"{}\"", "A".repeat(688));
    assert!(serde_json::from_str::<Signature>(&long).is_err());
    assert_eq!(
        format!("{:?}", Signature::new(&[7; 256]).unwrap()),
        "Signature(256 bytes, 07070707..)"
    );
}

#[test]
fn openssl_agrees() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name| dir.path().join(name);
    let message = message();
    fs::write(at("key"), key().to_pem(None).as_bytes()).unwrap();
    fs::write(at("pub"), key().public_key().to_pem()).unwrap();
    fs::write(at("msg"), message.as_bytes()).unwrap();
    fs::write(at("ours"), key().sign(&message).unwrap().as_bytes()).unwrap();
    let pss = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen";
    let verify = format!("dgst -sha256 {pss}:32 -verify pub -signature ours msg");
    if openssl(dir.path(), &verify, "").is_none() {
        return;
    }
    for (digest, salt, expected) in [
        ("sha256", 32, Ok(())),
        ("sha256", 20, Err(SignatureError::Mismatch)),
        ("sha1", 32, Err(SignatureError::Mismatch)),
        ("sha1", 20, Err(SignatureError::Mismatch)),
    ] {
        let sign = format!("dgst -{digest} {pss}:{salt} -sign key -out theirs msg");
        openssl(dir.path(), &sign, "").unwrap();
        assert_eq!(
            judge(&fs::read(at("theirs")).unwrap(), &message),
            expected,
            "{sign}"
        );
    }
}

#[test]
fn larger_keys_sign_and_verify() {
    // one key of another size is enough: 4096 bits take seconds to find
    let key = SecretKey::generate(3072).unwrap();
    let signature = key.sign(&message()).unwrap();
    let public = PublicKey::from_der(key.public_key().as_der()).unwrap();
    assert_eq!((public.bits(), signature.as_bytes().len()), (3072, 384));
    assert_eq!(
        Verifier::new(1).verify(&public, &message(), &signature),
        Ok(())
    );
    let short = Signature::new(&signature.as_bytes()[..256]).unwrap();
    assert!(
        Verifier::new(1)
            .verify(&public, &message(), &short)
            .is_err()
    );
}
