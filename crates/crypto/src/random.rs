//! Randomness of the operating system, for keys, salts, challenges, tokens and
//! jitter. The only place that asks for it.

/// `N` unpredictable bytes.
///
/// # Panics
/// If the operating system has no randomness; Linux always has once it has started.
#[must_use]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    bytes
}

/// An unpredictable number.
///
/// # Panics
/// As [`random_bytes`].
#[must_use]
pub fn random_u32() -> u32 {
    u32::from_ne_bytes(random_bytes())
}
