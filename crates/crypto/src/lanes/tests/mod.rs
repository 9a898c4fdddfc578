//! The lanes against three others: `num-bigint` for the power, the Wycheproof vectors and the
//! library for verdicts. Where the processor has no lanes, each of these says so.

mod differential;
mod power;
mod wycheproof;

use super::power::{Engine, detected};
use std::io::Write as _;

/// The engine; without one it tells past the capture of the test harness what is not checked.
fn engine(unchecked: &str) -> Option<Engine> {
    let engine = detected();
    if engine.is_none() {
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: no AVX-512 IFMA here; not checked: {unchecked}"
        );
    }
    engine
}

/// Numbers that a seed decides (Marsaglia's xorshift64).
struct Random(u64);

impl Random {
    /// From `CCOIN_SEED`, which a failure prints, or by chance.
    fn new() -> Self {
        let given = std::env::var("CCOIN_SEED").ok();
        let given = given.map(|seed| seed.parse().expect("CCOIN_SEED is a number"));
        let seed = given.unwrap_or_else(|| u64::from(crate::random_u32()));
        println!("CCOIN_SEED={seed}");
        Self(seed.max(1))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// 256 bytes of words that `word` makes.
    fn bytes(&mut self, mut word: impl FnMut(&mut Self) -> u64) -> [u8; 256] {
        let mut bytes = [0; 256];
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&word(self).to_be_bytes());
        }
        bytes
    }

    /// An odd number of 2048 bits: the least, the greatest, with few bits, with many, or any.
    fn modulus(&mut self) -> [u8; 256] {
        let mut bytes = match self.below(6) {
            0 => [0; 256],
            1 => [0xff; 256],
            2 => self.bytes(|random| random.next() & random.next() & random.next() & random.next()),
            3 => self.bytes(|random| random.next() | random.next() | random.next() | random.next()),
            4 => self.bytes(|random| u64::from(random.below(2) == 0).wrapping_neg()),
            _ => self.bytes(Self::next),
        };
        bytes[0] |= 0x80;
        bytes[255] |= 1;
        bytes
    }
}
