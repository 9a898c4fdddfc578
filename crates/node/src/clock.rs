//! The one place of a node that reads the clocks.

use ccoin_core::{MonoTime, Now, Timestamp};
use rustix::time::{ClockId, clock_gettime};
use std::time::{SystemTime, UNIX_EPOCH};

/// Both clocks.
#[must_use]
pub fn now() -> Now {
    Now {
        wall: wall(),
        mono: mono(),
    }
}

/// Milliseconds since 1970, as this machine's clock has them.
#[must_use]
pub fn wall() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    Timestamp::new(millis).unwrap_or(Timestamp::MAX)
}

/// Milliseconds since this machine started; it counts suspended time, which
/// `std::time::Instant` does not on Linux.
#[must_use]
pub fn mono() -> MonoTime {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    MonoTime(seconds * 1_000 + nanos / 1_000_000)
}
