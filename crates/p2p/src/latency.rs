//! Round trips and clock offsets of one peer, measured by `PNG` and `POG`.
//! Pure: both clocks are arguments.

use ccoin_core::Timestamp;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Samples kept; the quickest of them counts.
const SAMPLES: usize = 8;

/// How far two clocks may drift apart while samples are kept.
const DRIFT_MS: u64 = 50;

/// Most unanswered pings remembered.
const MAX_OPEN: usize = 16;

/// One answered ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) round_trip: Duration,
    /// The peer's clock minus this node's, if both ways took the same time.
    pub(crate) offset_ms: i64,
}

impl Sample {
    fn agrees_with(&self, other: &Self) -> bool {
        let trips = self.round_trip + other.round_trip;
        let error_ms = u64::try_from(trips.as_millis() / 2).unwrap_or(u64::MAX);
        let bound = error_ms.saturating_add(DRIFT_MS);
        self.offset_ms.abs_diff(other.offset_ms) <= bound
    }
}

/// The measurements of one peer.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    open: VecDeque<(Instant, Timestamp)>,
    samples: VecDeque<Sample>,
    answered: Option<Instant>,
}

impl Latency {
    /// Whether another ping may be sent: answers are matched by their order, so every ping
    /// must be remembered.
    pub(crate) fn may_ping(&self) -> bool {
        self.open.len() < MAX_OPEN
    }

    /// A ping was sent.
    pub(crate) fn sent(&mut self, now: Instant, clock: Timestamp) {
        self.open.push_back((now, clock));
    }

    /// When the newest answered ping was sent.
    pub(crate) fn answered(&self) -> Option<Instant> {
        self.answered
    }

    /// The peer answers with its clock; an answer without a ping is ignored.
    pub(crate) fn take_pong(&mut self, now: Instant, theirs: Timestamp) {
        let Some((asked, clock)) = self.open.pop_front() else {
            return;
        };
        self.answered = Some(asked);
        let round_trip = now.saturating_duration_since(asked);
        let half = u64::try_from(round_trip.as_millis() / 2).unwrap_or(u64::MAX);
        let ours = clock.get().saturating_add(half);
        let difference = i128::from(theirs.get()) - i128::from(ours);
        let sample = Sample {
            round_trip,
            offset_ms: i64::try_from(difference).unwrap_or(i64::MAX),
        };
        // An offset is wrong by half a round trip at most: a greater difference means that a
        // clock was set, and what was measured before says nothing any more.
        self.samples.retain(|old| old.agrees_with(&sample));
        if self.samples.len() >= SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// The sample with the smallest round trip.
    pub(crate) fn best(&self) -> Option<Sample> {
        self.samples.iter().min_by_key(|s| s.round_trip).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quickest_of_the_last_eight_counts() {
        let start = Instant::now();
        let clock = |ms| Timestamp::new(ms).unwrap();
        let mut latency = Latency::default();
        latency.take_pong(start, clock(1));
        assert_eq!(latency.best(), None);
        let mut ask = |trip, theirs| {
            latency.sent(start, clock(10_000));
            latency.take_pong(start + Duration::from_millis(trip), clock(theirs));
            latency.best().unwrap()
        };
        assert_eq!(ask(100, 10_050).offset_ms, 0);
        assert_eq!(ask(40, 10_030).offset_ms, 10);
        assert_eq!(ask(400, 10_300).offset_ms, 10);
        for _ in 0..6 {
            assert_eq!(ask(60, 10_031).offset_ms, 10);
        }
        // the ninth pushes the quickest out
        assert_eq!(ask(60, 10_031).offset_ms, 1);
        assert_eq!(ask(60, 10_031).round_trip, Duration::from_millis(60));
    }

    #[test]
    fn unanswered_pings_are_bounded() {
        let (mut latency, now) = (Latency::default(), Instant::now());
        for _ in 0..MAX_OPEN {
            assert!(latency.may_ping());
            latency.sent(now, Timestamp::ZERO);
        }
        assert!(!latency.may_ping());
        assert_eq!(latency.answered(), None);
        latency.take_pong(now, Timestamp::ZERO);
        assert!(latency.may_ping());
        assert_eq!(latency.answered(), Some(now));
    }

    #[test]
    fn a_clock_that_is_set_replaces_older_samples() {
        let (start, mut latency) = (Instant::now(), Latency::default());
        let mut pong = |at: u64, round_trip: u64, offset: u64| {
            let asked = start + Duration::from_millis(at);
            let ours = Timestamp::new(1_000_000 + at).unwrap();
            latency.sent(asked, ours);
            let theirs = Timestamp::new(1_000_000 + at + round_trip / 2 + offset).unwrap();
            latency.take_pong(asked + Duration::from_millis(round_trip), theirs);
            latency.best().unwrap().offset_ms
        };
        assert_eq!(pong(0, 2, 0), 0);
        assert_eq!(pong(2_000, 40, 10), 0, "the quickest counts");
        assert_eq!(pong(4_000, 80, 7_000), 7_000, "the peer's clock was set");
    }
}
