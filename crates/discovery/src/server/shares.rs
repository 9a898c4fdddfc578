//! A share of the connections for each host, so that no single one has them all.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Open connections of one host; one request needs one, and for a moment only.
const SHARE: usize = 16;

/// Connections by host; cloning shares them.
#[derive(Clone, Debug, Default)]
pub(super) struct Shares(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection of a host, until it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    shares: Shares,
    host: IpAddr,
}

impl Shares {
    /// Counts one more connection of this caller; `None`: it has its share. A caller on
    /// this machine has no limit, as there may be many nodes.
    pub(super) fn take(&self, caller: IpAddr) -> Option<Share> {
        let host = host(caller);
        let mut open = self.open();
        let count = open.entry(host).or_default();
        if *count >= SHARE && !host.is_loopback() {
            return None;
        }
        *count += 1;
        drop(open);
        let shares = self.clone();
        Some(Share { shares, host })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut open = self.shares.open();
        if let Some(count) = open.get_mut(&self.host) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.host);
            }
        }
    }
}

/// One spelling for each host. Whoever has one IPv6 address has a whole /64.
fn host(caller: IpAddr) -> IpAddr {
    match caller.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64))
        }
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_its_share_and_nobody_elses() {
        for (one, same, other) in [
            ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
            ("2001:db8::1", "2001:db8::ffff:0:0:2", "2001:db8:0:1::1"),
        ] {
            let [one, same, other] = [one, same, other].map(|ip| ip.parse().unwrap());
            let shares = Shares::default();
            let mut held: Vec<_> = (1..SHARE).map(|_| shares.take(one).unwrap()).collect();
            held.push(shares.take(same).unwrap());
            assert!(shares.take(one).is_none() && shares.take(same).is_none());
            drop(shares.take(other).unwrap());
            held.pop();
            held.push(shares.take(same).unwrap());
            assert!(shares.take(one).is_none());
            held.clear();
            assert!(shares.open().is_empty(), "nothing is remembered");
        }
    }

    #[test]
    fn this_machine_has_no_limit() {
        for ip in ["127.0.0.1", "127.0.0.9", "::1", "::ffff:127.0.0.1"] {
            let shares = Shares::default();
            let take = |_| shares.take(ip.parse().unwrap()).unwrap();
            assert_eq!((0..100).map(take).collect::<Vec<_>>().len(), 100);
        }
    }
}
