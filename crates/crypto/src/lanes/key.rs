//! What the lanes need of a public key besides its modulus; computed once for each key that
//! is remembered.

use super::{
    number::{BYTES, LIMB_MASK, LIMBS, Number, WORDS, words},
    power::{EIGHT, Engine, Moduli, Rows, montgomery_form},
};
use crate::PublicKey;

/// Doublings from 2^2048 to 2^65 R = 2^2145.
const SEED_DOUBLINGS: usize = 97;

/// Steps of Newton's iteration, each of which doubles the bits that are right: 5, 10, .. 80.
const NEWTON_STEPS: usize = 4;

/// An RSA-2048 modulus n, which is odd, with the constants of Montgomery multiplication for
/// R = 2^2080.
#[derive(Clone, Debug)]
pub(crate) struct LaneKey {
    pub(crate) modulus: Number,
    /// R^2 mod n.
    form: Number,
    /// -1/n mod 2^52.
    inverse: u64,
}

impl LaneKey {
    /// The constants of up to eight moduli at once, in their order.
    pub(crate) fn of_moduli(engine: Engine, moduli: &[[u8; BYTES]]) -> Vec<Self> {
        let mut keys = Vec::with_capacity(moduli.len());
        for eight in moduli.chunks(EIGHT) {
            let found: Vec<_> = eight.iter().map(Number::from_bytes).collect();
            let mut rows = Moduli::zero();
            let mut seeds: Rows = [[0; EIGHT]; LIMBS];
            for (lane, (bytes, modulus)) in eight.iter().zip(&found).enumerate() {
                rows.set(lane, modulus, negative_inverse(modulus));
                set(&mut seeds, lane, &seed(bytes));
            }
            let forms = montgomery_form(engine, &seeds, &rows);
            for (lane, modulus) in found.into_iter().enumerate() {
                keys.push(Self {
                    form: get(&forms, lane).reduced(&modulus),
                    inverse: rows.inverse[lane],
                    modulus,
                });
            }
        }
        keys
    }

    /// Puts the key into a lane.
    pub(crate) fn fill(&self, lane: usize, moduli: &mut Moduli, forms: &mut Rows) {
        moduli.set(lane, &self.modulus, self.inverse);
        set(forms, lane, &self.form);
    }
}

/// The modulus of a key of 2048 bits.
pub(crate) fn modulus_2048(key: &PublicKey) -> Option<[u8; BYTES]> {
    key.modulus().try_into().ok()
}

impl Moduli {
    /// No modulus in any lane: a lane of zeros computes zeros.
    pub(crate) fn zero() -> Self {
        Self {
            n: [[0; EIGHT]; LIMBS],
            inverse: [0; EIGHT],
        }
    }

    fn set(&mut self, lane: usize, modulus: &Number, inverse: u64) {
        set(&mut self.n, lane, modulus);
        self.inverse[lane] = inverse;
    }
}

/// Writes a number into a lane.
pub(crate) fn set(rows: &mut Rows, lane: usize, number: &Number) {
    for (row, limb) in rows.iter_mut().zip(&number.0) {
        row[lane] = *limb;
    }
}

/// The number in a lane.
pub(crate) fn get(rows: &Rows, lane: usize) -> Number {
    Number(std::array::from_fn(|limb| rows[limb][lane]))
}

/// -1/n mod 2^52 by Newton's iteration: x (2 - n x) is right in twice as many bits as x. The
/// first guess 3n xor 2 is right in five.
fn negative_inverse(modulus: &Number) -> u64 {
    let n = modulus.0[0];
    let mut inverse = n.wrapping_mul(3) ^ 2;
    for _ in 0..NEWTON_STEPS {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(n.wrapping_mul(inverse)));
    }
    inverse.wrapping_neg() & LIMB_MASK
}

/// 2^2145 mod n by doubling, from 2^2048 - n: n has its top bit set, so that is below n.
fn seed(modulus: &[u8; BYTES]) -> Number {
    let n = words(modulus);
    let (mut power, _) = minus(&[0; WORDS], &n);
    for _ in 0..SEED_DOUBLINGS {
        power = doubled(&power, &n);
    }
    Number::from_words(&power)
}

/// 2a mod n for a below n.
fn doubled(a: &[u64; WORDS], n: &[u64; WORDS]) -> [u64; WORDS] {
    let mut double = [0; WORDS];
    let mut carry = 0;
    for (double, word) in double.iter_mut().zip(a) {
        *double = word << 1 | carry;
        carry = word >> 63;
    }
    let (less, borrow) = minus(&double, n);
    if carry == 1 || !borrow { less } else { double }
}

/// a - b mod 2^2048, and whether a is below b.
fn minus(a: &[u64; WORDS], b: &[u64; WORDS]) -> ([u64; WORDS], bool) {
    let mut difference = [0; WORDS];
    let mut borrow = false;
    for ((difference, a), b) in difference.iter_mut().zip(a).zip(b) {
        let (less, first) = a.overflowing_sub(*b);
        let (less, second) = less.overflowing_sub(u64::from(borrow));
        *difference = less;
        borrow = first || second;
    }
    (difference, borrow)
}
