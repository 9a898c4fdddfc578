//! Numbers of 2080 bits in limbs of 52 bits, least limb first: the radix that the multiplier
//! of AVX-512 IFMA has. Conversion and comparison only, one number at a time.

/// Bytes of an RSA-2048 modulus, and of a signature under it.
pub(crate) const BYTES: usize = 256;

/// Bits of a limb.
pub(crate) const LIMB_BITS: usize = 52;

/// Limbs of a number: 40 * 52 = 2080 bits.
pub(crate) const LIMBS: usize = 40;

/// The bits of one limb.
pub(crate) const LIMB_MASK: u64 = (1 << LIMB_BITS) - 1;

/// Machine words of a number of 2048 bits.
pub(crate) const WORDS: usize = BYTES / 8;

/// A number below 2^2080; every limb is below 2^52.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Number(pub(crate) [u64; LIMBS]);

impl Number {
    /// Reads 256 big-endian bytes.
    pub(crate) fn from_bytes(bytes: &[u8; BYTES]) -> Self {
        Self::from_words(&words(bytes))
    }

    /// Cuts 32 words of 64 bits, least word first, into limbs.
    pub(crate) fn from_words(words: &[u64; WORDS]) -> Self {
        let word = |at: usize| words.get(at).copied().unwrap_or(0);
        Self(std::array::from_fn(|limb| {
            let (at, shift) = (limb * LIMB_BITS / 64, limb * LIMB_BITS % 64);
            let pair = u128::from(word(at)) | u128::from(word(at + 1)) << 64;
            (pair >> shift) as u64 & LIMB_MASK
        }))
    }

    /// The lowest 2048 bits as 256 big-endian bytes.
    pub(crate) fn to_bytes(&self) -> [u8; BYTES] {
        let limb = |at: usize| u128::from(self.0.get(at).copied().unwrap_or(0));
        let mut bytes = [0; BYTES];
        for (word, chunk) in bytes.rchunks_exact_mut(8).enumerate() {
            let (at, shift) = (word * 64 / LIMB_BITS, word * 64 % LIMB_BITS);
            // 64 bits begin in one limb and end in the next or the one behind it.
            let low = limb(at) | limb(at + 1) << LIMB_BITS;
            let bits = low >> shift | limb(at + 2) << (2 * LIMB_BITS - shift);
            chunk.copy_from_slice(&(bits as u64).to_be_bytes());
        }
        bytes
    }

    /// The number below `modulus` that is congruent to this one, which is below twice `modulus`.
    pub(crate) fn reduced(&self, modulus: &Self) -> Self {
        let mut less = [0; LIMBS];
        let mut borrow = 0;
        for ((less, limb), minus) in less.iter_mut().zip(&self.0).zip(&modulus.0) {
            // Both limbs are below 2^52: a difference below zero sets the bits above.
            let difference = limb.wrapping_sub(*minus).wrapping_sub(borrow);
            *less = difference & LIMB_MASK;
            borrow = difference >> 63;
        }
        if borrow == 0 {
            Self(less)
        } else {
            self.clone()
        }
    }
}

/// 256 big-endian bytes as words of 64 bits, least word first.
pub(crate) fn words(bytes: &[u8; BYTES]) -> [u64; WORDS] {
    let (chunks, _) = bytes.as_chunks::<8>();
    let mut words = [0; WORDS];
    for (word, chunk) in words.iter_mut().zip(chunks.iter().rev()) {
        *word = u64::from_be_bytes(*chunk);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_limbs_and_the_same_bytes_again() {
        for bit in 0..8 * BYTES {
            let mut bytes = [0; BYTES];
            bytes[BYTES - 1 - bit / 8] = 1 << (bit % 8);
            let number = Number::from_bytes(&bytes);
            let mut limbs = [0; LIMBS];
            limbs[bit / LIMB_BITS] = 1 << (bit % LIMB_BITS);
            assert_eq!(number, Number(limbs), "bit {bit}");
            assert_eq!(number.to_bytes(), bytes, "bit {bit}");
        }
        let bytes = std::array::from_fn(|at| (at * 89 + 5) as u8);
        assert_eq!(Number::from_bytes(&bytes).to_bytes(), bytes);
        assert_eq!(Number::from_bytes(&[0xff; BYTES]).to_bytes(), [0xff; BYTES]);
    }

    #[test]
    fn a_number_below_twice_the_modulus_is_reduced_by_at_most_one_subtraction() {
        let number = |low: u64, high: u64| {
            let mut limbs = [0; LIMBS];
            (limbs[0], limbs[39]) = (low, high);
            Number(limbs)
        };
        let modulus = number(7, 5);
        for (got, expected) in [
            (number(0, 0), number(0, 0)),
            (number(6, 5), number(6, 5)),
            (number(7, 5), number(0, 0)),
            (number(8, 5), number(1, 0)),
            (number(LIMB_MASK, 4), number(LIMB_MASK, 4)),
            (number(13, 10), number(6, 5)),
        ] {
            assert_eq!(got.reduced(&modulus), expected, "{got:?}");
        }
        // The borrow runs through all limbs.
        let mut ones = [LIMB_MASK; LIMBS];
        ones[39] = 4;
        assert_eq!(number(6, 10).reduced(&modulus), Number(ones));
    }
}
