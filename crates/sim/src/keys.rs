//! Keys of miners and users. A ghost is a public key without a secret one, the same in
//! every run: where nothing is signed, a seed is the whole run.

use ccoin_core::Address;
use ccoin_crypto::{PublicKey, SecretKey};
use std::{
    collections::BTreeMap,
    sync::{Mutex, OnceLock},
};

/// The secret keys of miners 0 to 3, made once per test binary.
pub fn key(index: usize) -> &'static SecretKey {
    static KEYS: OnceLock<Vec<SecretKey>> = OnceLock::new();
    let make = |_| SecretKey::generate(2048).expect("the system has randomness");
    &KEYS.get_or_init(|| (0..4).map(make).collect())[index]
}

/// The address of miner `index`.
#[must_use]
pub fn miner(index: usize) -> Address {
    key(index).public_key().address()
}

/// A public key without a secret key: an odd number instead of a product of primes.
pub fn ghost(index: u32) -> PublicKey {
    static MADE: Mutex<BTreeMap<u32, PublicKey>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().expect("nothing panics while it is held");
    made.entry(index)
        .or_insert_with(|| make_ghost(index))
        .clone()
}

fn make_ghost(index: u32) -> PublicKey {
    // SubjectPublicKeyInfo (RFC 5280) around a modulus, and the exponent 65537.
    let mut der = vec![
        0x30, 0x82, 1, 0x22, 0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7,
    ];
    der.extend([
        13, 1, 1, 1, 5, 0, 3, 0x82, 1, 15, 0, 0x30, 0x82, 1, 10, 2, 0x82, 1, 1, 0,
    ]);
    let modulus = der.len();
    der.extend([0xc5; 256]);
    der.extend([2, 3, 1, 0, 1]);
    der[modulus + 8..modulus + 12].copy_from_slice(&index.to_be_bytes());
    PublicKey::from_der(&der).expect("an odd number of 2048 bits")
}

/// The address of a miner without a secret key, the same in every run of a test.
#[must_use]
pub fn ghost_miner(index: usize) -> Address {
    ghost_miner_key(index).address()
}

pub(crate) fn ghost_miner_key(index: usize) -> PublicKey {
    ghost(3_000 + index as u32)
}
