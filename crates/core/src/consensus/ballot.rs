//! The number of a proposal: its slot, and a count within the slot.

use super::schedule::Slot;
use serde::{Deserialize, Serialize};

/// Ballots of one slot.
const BALLOTS_PER_SLOT: u64 = 1 << 16;

/// `slot * 65,536 + count`; 0 is the ballot of the genesis certificate. Certificates and locks
/// compare by ballot.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Ballot(pub u64);

impl Ballot {
    /// The ballot of the genesis certificate.
    pub const GENESIS: Self = Self(0);

    /// The first ballot of a slot.
    #[must_use]
    pub fn first(slot: Slot) -> Self {
        Self(slot.saturating_mul(BALLOTS_PER_SLOT))
    }

    /// The last ballot of a slot.
    #[must_use]
    pub fn last(slot: Slot) -> Self {
        Self(
            Self::first(slot)
                .0
                .saturating_add(BALLOTS_PER_SLOT.saturating_sub(1)),
        )
    }

    /// The slot whose leader may propose it.
    #[must_use]
    pub fn slot(self) -> Slot {
        self.0.checked_div(BALLOTS_PER_SLOT).unwrap_or_default()
    }

    /// The ballot behind it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl core::fmt::Display for Ballot {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ballot_names_its_slot() {
        assert_eq!(Ballot::first(7).slot(), 7);
        assert_eq!(Ballot::last(7).slot(), 7);
        assert_eq!(Ballot::last(7).next(), Ballot::first(8));
        assert_eq!(Ballot::first(u64::MAX).slot(), u64::MAX >> 16);
    }
}
