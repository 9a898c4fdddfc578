//! Which accepted signatures are checked again: one of 1,024, each by chance of its own, so
//! that a sender can neither know nor prepare which.

use crate::random_bytes;

/// One of this many; a power of two.
const ONE_OF: u16 = 1_024;

/// Choices that are drawn at once: the operating system takes longer to answer than a choice
/// is worth.
const DRAWN: usize = 128;

/// Chooses accepts.
pub(crate) struct SpotCheck {
    drawn: [u8; DRAWN],
    used: usize,
}

impl SpotCheck {
    pub(crate) fn new() -> Self {
        Self {
            drawn: [0; DRAWN],
            used: DRAWN,
        }
    }

    /// Whether the next one is chosen.
    pub(crate) fn chooses(&mut self) -> bool {
        if self.used >= DRAWN {
            (self.drawn, self.used) = (random_bytes(), 0);
        }
        let (drawn, _) = self.drawn[self.used..]
            .split_first_chunk()
            .expect("a pair is left");
        self.used += 2;
        u16::from_ne_bytes(*drawn).is_multiple_of(ONE_OF)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bounds are 10 standard deviations (31) from the mean: one run of 10^23 fails.
    #[test]
    fn about_one_of_1024_is_chosen() {
        let mut check = SpotCheck::new();
        let chosen = (0..1_024 * 1_000).filter(|_| check.chooses()).count();
        assert!((690..=1_310).contains(&chosen), "{chosen}");
    }
}
