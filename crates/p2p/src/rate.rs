//! How often something may be done. Pure: time comes in; whoever is early is told when.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

/// A rate is for one second, and after a second of rest all of it may be used at once.
const SECOND: Duration = Duration::from_secs(1);

/// Most hosts remembered; beyond them those that rest are forgotten, or all.
const MOST_HOSTS: usize = 10_000;

/// So many a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    every: Duration,
}

impl Rate {
    pub(crate) fn new(a_second: u32) -> Self {
        let every = SECOND / a_second.max(1);
        Self { every }
    }

    /// One more, if it is not too early; `spent`: until when the rate is used up.
    ///
    /// # Errors
    /// When to ask again.
    pub(crate) fn take(self, spent: &mut Option<Instant>, now: Instant) -> Result<(), Instant> {
        let after = spent.map_or(now, |spent| spent.max(now)) + self.every;
        if after.saturating_duration_since(now) > SECOND {
            return Err(after - SECOND);
        }
        *spent = Some(after);
        Ok(())
    }
}

/// One rate for all together and one for each host.
#[derive(Debug)]
pub(crate) struct Rates {
    all: Rate,
    of_host: Rate,
    spent: Option<Instant>,
    hosts: HashMap<IpAddr, Option<Instant>>,
}

impl Rates {
    /// So many a second in all, and so many for one host.
    pub(crate) fn new(all: u32, of_host: u32) -> Self {
        Self {
            all: Rate::new(all),
            of_host: Rate::new(of_host),
            spent: None,
            hosts: HashMap::new(),
        }
    }

    /// One more of all.
    ///
    /// # Errors
    /// When to ask again; nothing is kept for whoever asks.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        self.all.take(&mut self.spent, now)
    }

    /// One more of this host; loopback has no such limit.
    ///
    /// # Errors
    /// When to ask again; nothing is kept for whoever asks.
    pub(crate) fn take_of_host(&mut self, host: IpAddr, now: Instant) -> Result<(), Instant> {
        let host = host.to_canonical();
        if host.is_loopback() {
            return Ok(());
        }
        if self.hosts.len() >= MOST_HOSTS && !self.hosts.contains_key(&host) {
            self.hosts
                .retain(|_, spent| spent.is_some_and(|spent| spent > now));
            if self.hosts.len() >= MOST_HOSTS {
                self.hosts.clear();
            }
        }
        self.of_host.take(self.hosts.entry(host).or_default(), now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    #[test]
    fn a_seconds_worth_at_once_and_then_one_after_another() {
        let (mut rates, start) = (Rates::new(200, 20), Instant::now());
        for _ in 0..200 {
            assert_eq!(rates.take(start), Ok(()));
        }
        let next = start + Duration::from_millis(5);
        // asking alone costs nothing
        for _ in 0..3 {
            assert_eq!(rates.take(start), Err(next));
        }
        assert_eq!(rates.take(next), Ok(()));
        assert_eq!(rates.take(next), Err(next + Duration::from_millis(5)));
        let rested = start + Duration::from_secs(60);
        let taken = (0..1000).take_while(|_| rates.take(rested).is_ok());
        assert_eq!(taken.count(), 200);
    }

    #[test]
    fn a_host_waits_for_itself_alone_and_loopback_never() {
        let (mut rates, now) = (Rates::new(200, 20), Instant::now());
        let host = |n: u32| IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n));
        for _ in 0..20 {
            assert_eq!(rates.take_of_host(host(1), now), Ok(()));
        }
        let next = now + Duration::from_millis(50);
        assert_eq!(rates.take_of_host(host(1), now), Err(next));
        let mapped = IpAddr::V6(Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped());
        assert_eq!(rates.take_of_host(mapped, now), Err(next));
        assert_eq!(rates.take_of_host(host(2), now), Ok(()));
        assert_eq!(rates.take_of_host(host(1), next), Ok(()));
        for _ in 0..1000 {
            let loopback = IpAddr::V6(Ipv6Addr::LOCALHOST);
            assert_eq!(rates.take_of_host(loopback, now), Ok(()));
        }
        for n in 0..3 * MOST_HOSTS as u32 {
            assert_eq!(rates.take_of_host(host(100 + n), now), Ok(()));
            assert!(rates.hosts.len() <= MOST_HOSTS);
        }
    }
}
