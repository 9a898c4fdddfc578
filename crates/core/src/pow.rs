//! HashCash: a nonce that makes the block id start with enough zero hex digits.
//!
//! The 64 hex digits of the mining hash fill one SHA-256 block, so its compression
//! is done once and every try costs one more (Back 2002; FIPS 180-4).

use crate::{BlockId, MAX_INTEGER, PowNonce};
use ccoin_crypto::Hash;
use sha2::block_api::compress256;

/// Greatest difficulty: the zeros fit the first 32-bit word of a digest.
pub const MAX_DIFFICULTY: u8 = 8;

/// First state of SHA-256 (FIPS 180-4, 5.3.3).
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Bytes before the nonce: the mining hash in hex.
const PREFIX_BYTES: usize = 64;

/// Whether `id` starts with `difficulty` zero hex digits.
#[must_use]
pub fn meets(id: &BlockId, difficulty: u8) -> bool {
    let [a, b, c, d, ..] = *id.as_bytes();
    word_meets(u32::from_be_bytes([a, b, c, d]), difficulty)
}

fn word_meets(word: u32, difficulty: u8) -> bool {
    word.leading_zeros() >= u32::from(difficulty).saturating_mul(4)
}

/// SHA-256 after the mining hash, ready for nonces.
#[derive(Clone, Debug)]
pub struct Midstate([u32; 8]);

impl Midstate {
    /// Compresses the 64 hex digits of `mining_hash`.
    #[must_use]
    pub fn new(mining_hash: &Hash) -> Self {
        let mut digits = [0; PREFIX_BYTES];
        digits
            .iter_mut()
            .zip(mining_hash.to_string().bytes())
            .for_each(|(slot, byte)| *slot = byte);
        let mut state = INITIAL;
        compress256(&mut state, &[digits]);
        Self(state)
    }

    /// The first of `tries` nonces from `from` on whose id meets `difficulty`.
    #[must_use]
    pub fn search(&self, difficulty: u8, from: PowNonce, tries: u64) -> Option<PowNonce> {
        let mut digits = Digits::new(from.get());
        let last = from
            .get()
            .saturating_add(tries)
            .min(MAX_INTEGER.saturating_add(1));
        for nonce in from.get()..last {
            let mut state = self.0;
            compress256(&mut state, core::slice::from_ref(&digits.block));
            if word_meets(state[0], difficulty) {
                return PowNonce::new(nonce).ok();
            }
            digits.increment();
        }
        None
    }
}

/// The second SHA-256 block of a try: decimal nonce, padding, total length in bits.
struct Digits {
    block: [u8; 64],
    length: usize,
}

impl Digits {
    fn new(nonce: u64) -> Self {
        let text = nonce.to_string();
        let mut block = [0; 64];
        let bits = (PREFIX_BYTES as u64)
            .saturating_add(text.len() as u64)
            .saturating_mul(8)
            .to_be_bytes();
        let bytes = text.bytes().chain([0x80]);
        block
            .iter_mut()
            .zip(bytes)
            .for_each(|(slot, byte)| *slot = byte);
        block
            .iter_mut()
            .rev()
            .zip(bits.iter().rev())
            .for_each(|(slot, byte)| *slot = *byte);
        Self {
            block,
            length: text.len(),
        }
    }

    /// Counts up in place; a new digit rewrites padding and length.
    fn increment(&mut self) {
        for digit in self.block.iter_mut().take(self.length).rev() {
            if *digit < b'9' {
                *digit = digit.saturating_add(1);
                return;
            }
            *digit = b'0';
        }
        let next = 10u64.saturating_pow(u32::try_from(self.length).unwrap_or(u32::MAX));
        *self = Self::new(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::block_id;
    use ccoin_crypto::sha256;

    #[test]
    fn every_try_is_the_plain_digest() {
        let hash = sha256(&[b"header"]);
        let midstate = Midstate::new(&hash);
        for start in [0u64, 5, 95, 995, 99_990, MAX_INTEGER - 3] {
            for nonce in start..start.saturating_add(20).min(MAX_INTEGER) {
                let nonce = PowNonce::new(nonce).unwrap();
                let id = block_id(&hash, nonce);
                let zeros = id.to_string().bytes().take_while(|b| *b == b'0').count() as u8;
                assert_eq!(midstate.search(zeros, nonce, 1), Some(nonce));
                assert_eq!(midstate.search(zeros + 1, nonce, 1), None);
                assert!(meets(&id, zeros) && !meets(&id, zeros + 1));
            }
        }
        assert_eq!(midstate.search(8, PowNonce::MAX, 10), None);
    }

    #[test]
    fn search_counts_like_the_plain_loop() {
        let hash = sha256(&[b"another header"]);
        let found = Midstate::new(&hash)
            .search(3, PowNonce::ZERO, 1_000_000)
            .unwrap();
        let first = (0..)
            .map(|n| PowNonce::new(n).unwrap())
            .find(|n| meets(&block_id(&hash, *n), 3));
        assert_eq!(Some(found), first);
    }

    /// In the toy a solution at nonce 0 counted as a failure.
    #[test]
    fn pow_solved_by_nonce_zero_is_a_solution() {
        let solved = (0u32..).find_map(|n| {
            let hash = sha256(&[&n.to_be_bytes()]);
            meets(&block_id(&hash, PowNonce::ZERO), 2).then_some(hash)
        });
        let found = Midstate::new(&solved.unwrap()).search(2, PowNonce::ZERO, 1);
        assert_eq!(found, Some(PowNonce::ZERO));
    }
}
