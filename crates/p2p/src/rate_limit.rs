//! How often something may happen: one budget, or one budget for each key.
//! The caller decides whether to wait or to drop; a limit blames no peer.

use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter, clock::DefaultClock,
    state::keyed::HashMapStateStore,
};
use std::{
    hash::Hash,
    num::NonZeroU32,
    time::{Duration, Instant},
};
use tokio::time::sleep_until;

/// Most keys with a budget of their own. While so many are in use, the others share one.
const MAX_KEYS: usize = 10_000;

/// So many events in a period: all of them at once, or evenly spread.
#[derive(Debug)]
pub(crate) struct RateLimit(DefaultDirectRateLimiter);

impl RateLimit {
    pub(crate) fn per_second(count: u32) -> Self {
        Self(RateLimiter::direct(Quota::per_second(at_least_one(count))))
    }

    pub(crate) fn per_minute(count: u32) -> Self {
        Self(RateLimiter::direct(Quota::per_minute(at_least_one(count))))
    }

    /// Counts one event.
    ///
    /// # Errors
    /// The earliest time at which it is allowed; nothing is counted.
    pub(crate) fn take(&self) -> Result<(), Instant> {
        self.0.check().map_err(|early| early.earliest_possible())
    }

    /// Counts one event as soon as that is allowed. Dropping the future counts nothing.
    pub(crate) async fn wait(&self) {
        while let Err(earliest) = self.take() {
            sleep_until(earliest.into()).await;
        }
    }
}

/// A [`RateLimit`] for each key, bounded in memory.
#[derive(Debug)]
pub(crate) struct KeyedRateLimit<K: Clone + Eq + Hash> {
    /// `None` stands for all keys beyond [`MAX_KEYS`].
    limits: RateLimiter<Option<K>, HashMapStateStore<Option<K>>, DefaultClock>,
}

impl<K: Clone + Eq + Hash> KeyedRateLimit<K> {
    /// At most `count` a second for each key.
    pub(crate) fn per_second(count: u32) -> Self {
        let quota = Quota::per_second(at_least_one(count));
        let limits = RateLimiter::hashmap(quota);
        Self { limits }
    }

    /// One in each `period` for each key; it must not be zero.
    pub(crate) fn one_per(period: Duration) -> Self {
        let quota = Quota::with_period(period).expect("the period is not zero");
        let limits = RateLimiter::hashmap(quota);
        Self { limits }
    }

    /// Counts one event of this key.
    ///
    /// # Errors
    /// The earliest time at which it is allowed; nothing is counted.
    pub(crate) fn take(&self, key: K) -> Result<(), Instant> {
        let mut key = Some(key);
        if self.limits.len() >= MAX_KEYS {
            self.limits.retain_recent();
            if self.limits.len() >= MAX_KEYS {
                key = None;
            }
        }
        let taken = self.limits.check_key(&key);
        taken.map_err(|early| early.earliest_possible())
    }

    /// Counts one event of this key as soon as that is allowed. Dropping the future counts
    /// nothing.
    pub(crate) async fn wait(&self, key: K) {
        while let Err(earliest) = self.take(key.clone()) {
            sleep_until(earliest.into()).await;
        }
    }
}

fn at_least_one(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_period_is_allowed_at_once_and_then_one_after_another() {
        let (limit, start) = (RateLimit::per_minute(20), Instant::now());
        for _ in 0..20 {
            assert_eq!(limit.take(), Ok(()));
        }
        let earliest = limit.take().unwrap_err();
        assert!(earliest >= start + Duration::from_secs(3));
        // a refused event costs nothing
        assert_eq!(limit.take(), Err(earliest));
    }

    #[test]
    fn each_key_has_its_own_budget() {
        let limit = KeyedRateLimit::one_per(Duration::from_secs(3600));
        assert_eq!(limit.take(1), Ok(()));
        assert!(limit.take(1).is_err());
        assert_eq!(limit.take(2), Ok(()));
    }

    #[test]
    fn keys_are_bounded_and_those_beyond_the_bound_share_one_budget() {
        let limit = KeyedRateLimit::one_per(Duration::from_secs(3600));
        for key in 0..MAX_KEYS {
            assert_eq!(limit.take(key), Ok(()));
        }
        assert_eq!(limit.take(MAX_KEYS), Ok(()));
        for key in MAX_KEYS..MAX_KEYS + 10 {
            assert!(limit.take(key).is_err());
        }
        assert_eq!(limit.limits.len(), MAX_KEYS + 1);
    }

    #[tokio::test]
    async fn waiting_ends_when_the_next_event_is_allowed() {
        let (limit, start) = (RateLimit::per_second(50), Instant::now());
        for _ in 0..60 {
            limit.wait().await;
        }
        assert!(start.elapsed() >= Duration::from_millis(180));
    }
}
