//! Moments of a run, in ms after its start.

use ccoin_core::{MonoTime, Now, Timestamp};

/// A moment at which miner 0 leads, whether there are one, two, three or four.
pub const START: u64 = 1_700_000_400_000;

/// A time, `after_ms` after [`START`].
#[must_use]
pub fn at(after_ms: u64) -> Timestamp {
    Timestamp::new(START + after_ms).expect("within the range")
}

/// Both clocks of a node whose wall clock is right, so long after [`START`].
#[must_use]
pub fn now(after_ms: u64) -> Now {
    Now {
        wall: at(after_ms),
        mono: MonoTime(after_ms),
    }
}
