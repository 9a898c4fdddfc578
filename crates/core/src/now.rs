//! The two clocks that the shell hands to the machine with every input.

use crate::Timestamp;

/// Milliseconds since an arbitrary moment. It never goes back, no operator can set it, and
/// it counts the time during which the computer was suspended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MonoTime(pub u64);

impl MonoTime {
    /// Milliseconds since `earlier`; 0 if that lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// So many milliseconds later.
    #[must_use]
    pub fn after(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// A moment on both clocks.
///
/// Slots, block times and the rules read `wall`; time-outs of requests and back-off read
/// `mono` (consensus C1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The wall clock, which NTP or an operator may set.
    pub wall: Timestamp,
    /// The clock for durations.
    pub mono: MonoTime,
}

impl Now {
    /// How far the wall clock has moved against the monotonic one since `earlier`, in ms.
    #[must_use]
    pub fn wall_step(self, earlier: Self) -> u64 {
        let expected = earlier
            .wall
            .get()
            .saturating_add(self.mono.since(earlier.mono));
        self.wall.get().abs_diff(expected)
    }
}
