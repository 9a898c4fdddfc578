//! s^65537 mod n for eight moduli n of 2048 bits at once, in the lanes of AVX-512 IFMA. It
//! knows numbers only: no bytes, no keys, no verdicts. Everything here is public, so nothing
//! has to take constant time.
//!
//! # Method
//!
//! Montgomery multiplication with R = 2^2080 (P. L. Montgomery, Mathematics of Computation 44,
//! 1985) in limbs of 52 bits, of which the multiplier of IFMA gives the lower and the upper 52
//! bits of a product. Products are summed column by column (product scanning); five columns,
//! a block, at a time stay in registers. Column m has the weight 2^(52 m).
//!
//! # Why no column overflows
//!
//! Every operand of a product is below 2^52: inputs by their type, digits of the quotient
//! because the lower half of a product is, and results because [`carried`] ends each
//! multiplication. So each half of a product is below 2^52. Column m of a * b + q * n takes
//! the lower halves of the products of limbs i + j = m and the upper halves of i + j = m - 1;
//! there are at most 40 pairs of either kind, for a * b and for q * n each: 160 addends. A
//! square adds the products of different limbs once and doubles the sum, which is the same
//! sum. The carry out of the column before, below 2^12, is the last addend. So a column stays
//! below 160 * 2^52 + 2^12 < 2^60, and no carry has to be taken before the column is complete.
//!
//! # When carries are taken
//!
//! In the 40 lower columns as soon as the digit of the quotient is added: it makes the 52
//! lower bits zero, and what is above goes into the next column. In the 40 upper columns once
//! at the end, by [`carried`].
//!
//! # Values between the multiplications
//!
//! n < 2^2048, so n / R < 2^-32. The result (a * b + q * n) / R, with q < R, is below
//! a * b / R + n. The inputs are below n, and so is R^2 mod n; the first product is below
//! n (1 + 2^-32). If a and b are below n (1 + 2^-31), then a * b / R < n (1 + 2^-31)^2 2^-32 <
//! n 2^-31, and the result is below n (1 + 2^-31) again. So nothing is subtracted between the
//! steps (C. D. Walter, Electronics Letters 35, 1999), every value is far below 2^2080, the
//! carry out of the highest limb is zero, and one subtraction of n at the end is enough
//! ([`Number::reduced`](super::number::Number::reduced)).

use super::number::{LIMB_BITS, LIMB_MASK, LIMBS};
use fearless_simd::{prelude::*, u64x8};
use std::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_and_si512, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64,
    _mm512_set_epi64, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_srli_epi64,
};

pub(crate) use fearless_simd::Avx512 as Engine;

/// The proof that this processor has the instructions; `None` if it has not.
pub(crate) fn detected() -> Option<Engine> {
    fearless_simd::Level::new().as_avx512()
}

/// Numbers in one call.
pub(crate) const EIGHT: usize = 8;

/// Limbs that are multiplied with each other in registers.
const BLOCK: usize = 5;
const BLOCKS: usize = LIMBS / BLOCK;

/// Columns of the product of two blocks, for the lower and for the upper halves.
const SUMS: usize = 2 * BLOCK - 1;

/// Squarings that lead from s to s^65536.
const SQUARINGS: usize = 16;

/// Squarings that lead from 2^65 R to 2^2080 R.
const FORM_SQUARINGS: usize = 5;

/// Eight numbers: row k holds limb k of each.
pub(crate) type Rows = [[u64; EIGHT]; LIMBS];

/// Eight moduli and what Montgomery multiplication needs of each.
pub(crate) struct Moduli {
    /// n, odd, with 2048 bits.
    pub(crate) n: Rows,
    /// -1/n mod 2^52.
    pub(crate) inverse: [u64; EIGHT],
}

/// One limb, or one column, of eight numbers.
type Lanes = __m512i;
type Block = [Lanes; BLOCK];
type Numbers = [Block; BLOCKS];

/// Sums of products of blocks: `lower[k]` belongs to column k, `upper[k]` to column k + 1.
struct Sums {
    lower: [Lanes; SUMS],
    upper: [Lanes; SUMS],
}

impl Sums {
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn zero() -> Self {
        let zero = _mm512_setzero_si512();
        Self {
            lower: [zero; SUMS],
            upper: [zero; SUMS],
        }
    }

    /// Adds one product of limbs.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn add(&mut self, column: usize, a: Lanes, b: Lanes) {
        self.lower[column] = _mm512_madd52lo_epu64(self.lower[column], a, b);
        self.upper[column] = _mm512_madd52hi_epu64(self.upper[column], a, b);
    }

    /// Adds a * b.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn add_product(&mut self, a: &Block, b: &Block) {
        for (i, a) in a.iter().enumerate() {
            for (j, b) in b.iter().enumerate() {
                self.add(i + j, *a, *b);
            }
        }
    }

    /// Adds the products of different limbs of a, each once.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn add_unequal(&mut self, a: &Block) {
        for i in 0..BLOCK {
            for j in i + 1..BLOCK {
                self.add(i + j, a[i], a[j]);
            }
        }
    }

    /// Adds the squares of the limbs of a.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn add_equal(&mut self, a: &Block) {
        for (i, a) in a.iter().enumerate() {
            self.add(2 * i, *a, *a);
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn double(&mut self) {
        for sums in [&mut self.lower, &mut self.upper] {
            for sum in sums {
                *sum = _mm512_add_epi64(*sum, *sum);
            }
        }
    }

    /// Ten columns, with what the block of columns before has left in the lower five.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn columns(&self, before: &Block) -> [Lanes; 2 * BLOCK] {
        let mut columns = [_mm512_setzero_si512(); 2 * BLOCK];
        columns[..BLOCK].copy_from_slice(before);
        for k in 0..SUMS {
            columns[k] = _mm512_add_epi64(columns[k], self.lower[k]);
            columns[k + 1] = _mm512_add_epi64(columns[k + 1], self.upper[k]);
        }
        columns
    }
}

/// The sums of block d of the columns of a * a.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn square_sums(a: &Numbers, d: usize) -> Sums {
    let mut sums = Sums::zero();
    for i in d.saturating_sub(BLOCKS - 1)..d.div_ceil(2) {
        sums.add_product(&a[i], &a[d - i]);
    }
    if d.is_multiple_of(2) {
        sums.add_unequal(&a[d / 2]);
    }
    sums.double();
    if d.is_multiple_of(2) {
        sums.add_equal(&a[d / 2]);
    }
    sums
}

/// The sums of block d of the columns of a * b.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn product_sums(a: &Numbers, b: &Numbers, d: usize) -> Sums {
    let mut sums = Sums::zero();
    for i in d.saturating_sub(BLOCKS - 1)..=d.min(BLOCKS - 1) {
        sums.add_product(&a[i], &b[d - i]);
    }
    sums
}

/// Five digits of the quotient; each times n, added, makes its column divisible by 2^52.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn digits(columns: &mut [Lanes; 2 * BLOCK], n: &Block, inverse: Lanes) -> Block {
    let zero = _mm512_setzero_si512();
    let mut digits = [zero; BLOCK];
    for i in 0..BLOCK {
        let digit = _mm512_madd52lo_epu64(zero, columns[i], inverse);
        for j in 0..BLOCK {
            columns[i + j] = _mm512_madd52lo_epu64(columns[i + j], digit, n[j]);
            columns[i + j + 1] = _mm512_madd52hi_epu64(columns[i + j + 1], digit, n[j]);
        }
        let carry = _mm512_srli_epi64::<{ LIMB_BITS as u32 }>(columns[i]);
        columns[i + 1] = _mm512_add_epi64(columns[i + 1], carry);
        digits[i] = digit;
    }
    digits
}

/// Takes the carries: the same numbers with limbs below 2^52.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn carried(mut numbers: Numbers) -> Numbers {
    let mask = _mm512_set1_epi64(LIMB_MASK as i64);
    let mut carry = _mm512_setzero_si512();
    for limb in numbers.as_flattened_mut() {
        let sum = _mm512_add_epi64(*limb, carry);
        carry = _mm512_srli_epi64::<{ LIMB_BITS as u32 }>(sum);
        *limb = _mm512_and_si512(sum, mask);
    }
    numbers
}

/// a * b / R mod n, or a * a / R mod n without b, in the range that the bounds above give.
#[target_feature(enable = "avx512f,avx512ifma")]
fn montgomery(a: &Numbers, b: Option<&Numbers>, n: &Numbers, inverse: Lanes) -> Numbers {
    let zero = _mm512_setzero_si512();
    let mut quotient = [[zero; BLOCK]; BLOCKS];
    let mut result = [[zero; BLOCK]; BLOCKS];
    let mut before = [zero; BLOCK];
    for d in 0..2 * BLOCKS - 1 {
        let mut sums = match b {
            Some(b) => product_sums(a, b, d),
            None => square_sums(a, d),
        };
        for i in d.saturating_sub(BLOCKS - 1)..d.min(BLOCKS) {
            sums.add_product(&quotient[i], &n[d - i]);
        }
        let mut columns = sums.columns(&before);
        match d.checked_sub(BLOCKS) {
            None => quotient[d] = digits(&mut columns, &n[0], inverse),
            Some(upper) => result[upper].copy_from_slice(&columns[..BLOCK]),
        }
        before.copy_from_slice(&columns[BLOCK..]);
    }
    result[BLOCKS - 1] = before;
    carried(result)
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn squared(mut a: Numbers, times: usize, n: &Numbers, inverse: Lanes) -> Numbers {
    for _ in 0..times {
        a = montgomery(&a, None, n, inverse);
    }
    a
}

/// Rows into registers.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn load(rows: &Rows) -> Numbers {
    let mut numbers = [[_mm512_setzero_si512(); BLOCK]; BLOCKS];
    for (limbs, row) in numbers.as_flattened_mut().iter_mut().zip(rows) {
        *limbs = load_row(row);
    }
    numbers
}

/// The compiler makes one load of it.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn load_row(row: &[u64; EIGHT]) -> Lanes {
    let [a, b, c, d, e, f, g, h] = row.map(u64::cast_signed);
    _mm512_set_epi64(h, g, f, e, d, c, b, a)
}

fearless_simd::kernel!(
    /// s^65537 mod n in each lane, below n (1 + 2^-31). `base` is s, below n; `form` is
    /// R^2 mod n.
    pub(crate) fn power(simd: Avx512, base: &Rows, form: &Rows, moduli: &Moduli) -> Rows {
        let (base, form, n) = (load(base), load(form), load(&moduli.n));
        let inverse = load_row(&moduli.inverse);
        // s R, then s^65536 R; times s without R it is s^65537.
        let inside = montgomery(&base, Some(&form), &n, inverse);
        let power = squared(inside, SQUARINGS, &n, inverse);
        let power = montgomery(&power, Some(&base), &n, inverse);
        let power = power.as_flattened();
        std::array::from_fn(|limb| {
            let lanes: u64x8<_> = power[limb].simd_into(simd);
            lanes.into()
        })
    }
);

fearless_simd::kernel!(
    /// R^2 mod n in each lane, below n (1 + 2^-31), from 2^65 R mod n.
    pub(crate) fn montgomery_form(simd: Avx512, seed: &Rows, moduli: &Moduli) -> Rows {
        let (seed, n) = (load(seed), load(&moduli.n));
        let form = squared(seed, FORM_SQUARINGS, &n, load_row(&moduli.inverse));
        let form = form.as_flattened();
        std::array::from_fn(|limb| {
            let lanes: u64x8<_> = form[limb].simd_into(simd);
            lanes.into()
        })
    }
);
