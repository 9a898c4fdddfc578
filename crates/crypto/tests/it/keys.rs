//! Which keys are inside the profile, and which files and texts are read as keys.

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PSS_2048_8192_SHA256};
use ccoin_crypto::{KeyError, PublicKey, SecretKey, sha256};
use rsa::{
    pkcs1::{self, UintRef},
    pkcs8::{
        DecodePublicKey,
        der::{Encode, asn1::BitStringRef},
        spki::SubjectPublicKeyInfoRef,
    },
    traits::PublicKeyParts,
};
use std::path::Path;

use crate::key;

fn openssl(arguments: &str, input: &str) -> Option<String> {
    crate::openssl(Path::new("."), arguments, input)
}

fn der() -> Vec<u8> {
    key().public_key().as_der().to_vec()
}

/// The DER that the encoders of `pkcs1` and `spki` write for any numbers.
fn encoded(modulus: &[u8], exponent: u32) -> Vec<u8> {
    let exponent = exponent.to_be_bytes();
    let key = pkcs1::RsaPublicKeyRef {
        modulus: UintRef::new(modulus).unwrap(),
        public_exponent: UintRef::new(&exponent).unwrap(),
    };
    let key = key.to_der().unwrap();
    let info = SubjectPublicKeyInfoRef {
        algorithm: pkcs1::ALGORITHM_ID,
        subject_public_key: BitStringRef::from_bytes(&key).unwrap(),
    };
    info.to_der().unwrap()
}

/// The modulus, big-endian, as the `rsa` crate reads it.
fn modulus() -> Vec<u8> {
    let key = rsa::PublicKey::from_public_key_der(&der()).unwrap();
    key.n_bytes().into_vec()
}

#[test]
fn a_good_key_is_taken_as_it_is() {
    let public = PublicKey::from_der(&der()).unwrap();
    assert_eq!(&public, key().public_key());
    assert_eq!(
        (public.bits(), public.modulus_len(), public.as_der().len()),
        (2048, 256, 294)
    );
    assert_eq!(
        public.address().as_bytes(),
        &sha256(&[&der()]).as_bytes()[..20]
    );
    assert_eq!(encoded(&modulus(), 65537), der());
    assert!(format!("{public:?}").len() < 80);
}

#[test]
fn every_bit_of_the_frame_counts() {
    let good = der();
    for at in (0..33).chain(good.len() - 5..good.len()) {
        for bit in 0..8 {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            assert_eq!(
                PublicKey::from_der(&bytes),
                Err(KeyError::NotCanonical),
                "byte {at}"
            );
        }
    }
    for got in (0..good.len()).chain([295, 422, 550, 600]) {
        let mut bytes = good.clone();
        bytes.resize(got, 0);
        assert!(PublicKey::from_der(&bytes).is_err(), "{got} bytes");
    }
    let trailing = [good.as_slice(), &[0]].concat();
    assert_eq!(
        PublicKey::from_der(&trailing),
        Err(KeyError::Length { got: 295 })
    );
}

#[test]
fn keys_outside_the_profile() {
    let n = modulus();
    let refused =
        |modulus: &[u8], exponent| PublicKey::from_der(&encoded(modulus, exponent)).unwrap_err();
    assert_eq!(refused(&n, 3), KeyError::Length { got: 292 });
    assert_eq!(refused(&n, 65539), KeyError::NotCanonical);
    assert_eq!(refused(&n[..128], 65537), KeyError::Length { got: 162 });
    let short = [&[0x7f], &n[1..]].concat();
    assert_eq!(refused(&short, 65537), KeyError::Length { got: 293 });
    let long = [&n[..], &[1]].concat();
    assert_eq!(refused(&long, 65537), KeyError::Length { got: 295 });
    let even = [&n[..255], &[n[255] - 1]].concat();
    assert_eq!(refused(&even, 65537), KeyError::EvenModulus);
    let mut low = der();
    low[33] &= 0x7f; // 2047 bits behind a superfluous zero byte
    assert_eq!(PublicKey::from_der(&low), Err(KeyError::NotCanonical));
    assert_eq!(
        SecretKey::generate(1024).unwrap_err(),
        KeyError::Bits { got: 1024 }
    );
    assert_eq!(
        SecretKey::generate(2049).unwrap_err(),
        KeyError::Bits { got: 2049 }
    );
}

#[test]
fn what_passes_is_a_key_for_both_libraries() {
    for bits in [2048_usize, 3072, 4096] {
        let mut low = vec![0; bits / 8];
        (low[0], low[bits / 8 - 1]) = (0x80, 1);
        let high = vec![0xff; bits / 8];
        for modulus in [low, high] {
            let der = encoded(&modulus, 65537);
            assert_eq!(PublicKey::from_der(&der).unwrap().bits(), bits);
            assert!(rsa::PublicKey::from_public_key_der(&der).is_ok());
            assert!(ParsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, &der).is_ok());
        }
    }
}

#[test]
fn public_keys_are_read_from_what_people_paste() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let public = key().public_key();
    let pem = public.to_pem();
    for text in [
        pem.clone(),
        pem.trim().to_owned(),
        pem.replace('\n', "\r\n"),
        format!("\n {pem} \n"),
        STANDARD.encode(der()),
        format!(" {}\n", STANDARD.encode(der())),
        hex::encode(der()),
        hex::encode_upper(der()),
        hex::encode(&pem),
        hex::encode(pem.trim()),
    ] {
        assert_eq!(PublicKey::from_text(&text).as_ref(), Ok(public), "{text}");
    }
    let secret = key().to_pem(None);
    for text in [
        "",
        " ",
        "abc",
        "MIIB",
        "zz",
        "-----BEGIN",
        &pem[..200],
        &secret,
    ] {
        assert!(PublicKey::from_text(text).is_err(), "{text}");
    }
    let long = "00".repeat(3000);
    assert_eq!(
        PublicKey::from_text(&long),
        Err(KeyError::TextLength {
            got: 6000,
            max: 4096
        })
    );
}

#[test]
fn public_keys_travel_as_base64_and_as_bytes() {
    let public = key().public_key();
    let json = serde_json::to_string(public).unwrap();
    assert!(json.starts_with("\"MIIBIjANBgkq"));
    assert_eq!(&serde_json::from_str::<PublicKey>(&json).unwrap(), public);
    let bytes = rmp_serde::to_vec(public).unwrap();
    assert_eq!(bytes[..3], [0xc5, 1, 38]);
    assert_eq!(&rmp_serde::from_slice::<PublicKey>(&bytes).unwrap(), public);
    let mut even = bytes.clone();
    even[3 + 33 + 255] ^= 1;
    assert!(rmp_serde::from_slice::<PublicKey>(&even).is_err());
    for json in [
        json.replace('M', " M"),
        json.replacen("AB\"", "AB=\"", 1),
        "\"\"".into(),
        "[48]".into(),
    ] {
        assert_eq!(
            serde_json::from_str::<PublicKey>(&json).ok().as_ref(),
            None,
            "{json}"
        );
    }
    let long = format!("\"{}\"", "A".repeat(5000));
    let error = serde_json::from_str::<PublicKey>(&long)
        .unwrap_err()
        .to_string();
    assert!(error.contains("5000 bytes"), "{error}");
}

#[test]
fn key_files_open_with_their_passphrase_alone() {
    let open = key().to_pem(None);
    assert!(open.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    for passphrase in [None, Some("not needed")] {
        let read = SecretKey::from_pem(&open, passphrase).unwrap();
        assert_eq!(read.public_key(), key().public_key());
    }
    let locked = key().to_pem(Some("pässword"));
    assert!(locked.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
    assert_ne!(
        locked,
        key().to_pem(Some("pässword")),
        "salt and vector are random"
    );
    let read = SecretKey::from_pem(&locked, Some("pässword")).unwrap();
    assert_eq!(read.public_key(), key().public_key());
    assert_eq!(read.to_pem(None), open);
    let refused = |passphrase| SecretKey::from_pem(&locked, passphrase).unwrap_err();
    assert_eq!(refused(None), KeyError::Locked);
    assert_eq!(refused(Some("password")), KeyError::WrongPassphrase);
    assert_eq!(refused(Some("")), KeyError::WrongPassphrase);
    assert_eq!(format!("{read:?}"), "SecretKey(...)");
}

#[test]
fn broken_key_files_are_refused() {
    let open = key().to_pem(None);
    let refused = |text: &str| SecretKey::from_pem(text, Some("x")).unwrap_err();
    assert_eq!(refused(""), KeyError::Malformed);
    assert_eq!(refused("junk"), KeyError::Malformed);
    assert_eq!(refused(&open[..open.len() / 2]), KeyError::Malformed);
    assert_eq!(refused(&key().public_key().to_pem()), KeyError::Malformed);
    assert_eq!(
        refused(&open.replace("PRIVATE", "SECRET")),
        KeyError::Malformed
    );
    let mislabelled = open.replace("PRIVATE", "ENCRYPTED PRIVATE");
    assert_eq!(refused(&mislabelled), KeyError::Encryption);
    let length = KeyError::TextLength {
        got: 20_000,
        max: 16_384,
    };
    assert_eq!(refused(&"x".repeat(20_000)), length);
    // parts that do not fit together: another last digit in the middle of a prime
    let mut lines: Vec<String> = open.lines().map(str::to_owned).collect();
    lines[17] = lines[17].chars().rev().collect();
    assert_eq!(refused(&lines.join("\n")), KeyError::Malformed);
}

#[test]
fn openssl_reads_our_files() {
    let locked = key().to_pem(Some("secret"));
    let Some(public) = openssl("pkey -pubout -passin pass:secret", &locked) else {
        return;
    };
    assert_eq!(public, key().public_key().to_pem());
    assert_eq!(openssl("pkey -pubout", &key().to_pem(None)), Some(public));
    let scheme = openssl("asn1parse", &locked).unwrap();
    for part in [
        "PBES2",
        "PBKDF2",
        ":0927C0",
        "hmacWithSHA256",
        "aes-256-cbc",
    ] {
        assert!(scheme.contains(part), "{part} is not in {scheme}");
    }
}

#[test]
fn files_of_openssl_are_read() {
    let generate = "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:";
    let Some(open) = openssl(&format!("{generate}2048"), "") else {
        return;
    };
    let read = SecretKey::from_pem(&open, None).unwrap();
    assert_eq!(
        Some(read.public_key().to_pem()),
        openssl("pkey -pubout", &open)
    );
    assert!(read.sign(&sha256(&[b"message"])).is_ok());

    let locked = openssl("pkcs8 -topk8 -v2 aes-256-cbc -passout pass:secret", &open).unwrap();
    let opened = SecretKey::from_pem(&locked, Some("secret")).unwrap();
    assert_eq!(opened.public_key(), read.public_key());
    let refused = |text: &str, passphrase| SecretKey::from_pem(text, passphrase).unwrap_err();
    assert_eq!(refused(&locked, None), KeyError::Locked);
    assert_eq!(refused(&locked, Some("wrong")), KeyError::WrongPassphrase);

    let scrypt = openssl("pkcs8 -topk8 -scrypt -passout pass:secret", &open).unwrap();
    assert_eq!(refused(&scrypt, Some("secret")), KeyError::Encryption);
    let traditional = openssl("rsa -traditional", &open).unwrap();
    assert_eq!(refused(&traditional, None), KeyError::Malformed);
    let small = openssl(&format!("{generate}1024"), "").unwrap();
    assert_eq!(refused(&small, None), KeyError::Malformed);
    let odd = openssl(&format!("{generate}2056"), "").unwrap();
    assert_eq!(refused(&odd, None), KeyError::Length { got: 295 });
    let three = openssl(&format!("{generate}2048 -pkeyopt rsa_keygen_pubexp:3"), "").unwrap();
    assert_eq!(refused(&three, None), KeyError::Length { got: 292 });
    let curve = openssl("genpkey -algorithm ED25519", "").unwrap();
    assert_eq!(refused(&curve, None), KeyError::Malformed);
}
