//! EMSA-PSS verification (RFC 8017, 9.1.2) with SHA-256, MGF1-SHA-256 and a salt of 32 bytes,
//! for RSA-2048: what a signature must have become after the power.

use super::number::BYTES;
use crate::{Hash, sha256};

/// Bytes of a digest, and of the salt.
const DIGEST: usize = 32;

/// Bytes of the masked data block: all but the digest and the last byte.
const BLOCK: usize = BYTES - DIGEST - 1;

/// Zeros in front of the salt, then the byte 1.
const ZEROS: usize = BLOCK - DIGEST - 1;

/// The last byte.
const TRAILER: u8 = 0xbc;

/// The encoding has one bit less than the modulus.
const TOP_BIT: u8 = 0x80;

/// Whether `encoded` encodes the message with this digest.
pub(crate) fn fits(encoded: &[u8; BYTES], digest: &Hash) -> bool {
    let (masked, rest) = encoded.split_at(BLOCK);
    let (hash, trailer) = rest.split_at(DIGEST);
    if trailer != [TRAILER] || masked[0] & TOP_BIT != 0 {
        return false;
    }
    let mut block = [0; BLOCK];
    for (counter, (block, masked)) in block
        .chunks_mut(DIGEST)
        .zip(masked.chunks(DIGEST))
        .enumerate()
    {
        let mask = sha256(&[hash, &(counter as u32).to_be_bytes()]);
        for ((byte, masked), mask) in block.iter_mut().zip(masked).zip(mask.as_bytes()) {
            *byte = masked ^ mask;
        }
    }
    block[0] &= !TOP_BIT;
    let (zeros, rest) = block.split_at(ZEROS);
    let (one, salt) = rest.split_at(1);
    zeros.iter().all(|byte| *byte == 0)
        && one == [1]
        && sha256(&[&[0; 8], digest.as_bytes(), salt]).as_bytes() == hash
}
