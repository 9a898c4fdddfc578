//! Limits for each client address: requests per second, things held. This machine
//! itself has no limit, as many nodes may run on it.

use crate::{
    Endpoints, Problem,
    problem::{RATE_LIMITED, only_problems},
    request_ids,
};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Method, Response},
    middleware::{Next, from_fn, from_fn_with_state, map_response},
    response::IntoResponse,
};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    state::keyed::DefaultKeyedStateStore,
};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

/// POST requests per second from one address group, and as many at once.
const POSTS_PER_SECOND: NonZeroU32 = NonZeroU32::new(100).expect("100 is not zero");

/// The limiter forgets idle addresses after so many requests: its size stays below this
/// number and the addresses of one second.
const REQUESTS_PER_CLEANUP: u32 = 4_096;

/// The owner of an address: an IPv4 address, or the /64 network of an IPv6 address.
#[must_use]
pub fn address_group(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64))
        }
        ip => ip,
    }
}

/// Routes whose every error is a [`Problem`], which limit POST requests, and whose answers name
/// the request as its caller does.
pub fn guard<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    let limit = Arc::new(PostLimit::new(DefaultClock::default()));
    router
        .layer(from_fn_with_state(limit, limit_posts))
        .layer(map_response(only_problems))
        .layer(from_fn(request_ids::name))
}

struct PostLimit<C: Clock = DefaultClock> {
    limiter: RateLimiter<IpAddr, DefaultKeyedStateStore<IpAddr>, C, NoOpMiddleware<C::Instant>>,
    requests: AtomicU32,
}

impl<C: Clock> PostLimit<C> {
    fn new(clock: C) -> Self {
        let quota = Quota::per_second(POSTS_PER_SECOND);
        Self {
            limiter: RateLimiter::new(quota, DefaultKeyedStateStore::default(), clock),
            requests: AtomicU32::new(0),
        }
    }

    fn allows(&self, remote: IpAddr) -> bool {
        let group = address_group(remote);
        if group.is_loopback() {
            return true;
        }
        let requests = self.requests.fetch_add(1, Ordering::Relaxed);
        if requests.is_multiple_of(REQUESTS_PER_CLEANUP) {
            self.limiter.retain_recent();
        }
        self.limiter.check_key(&group).is_ok()
    }
}

async fn limit_posts(
    State(limit): State<Arc<PostLimit>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let endpoints = request.extensions().get::<Endpoints>();
    let refused = request.method() == Method::POST
        && endpoints.is_some_and(|ends| !limit.allows(ends.remote.ip()));
    if refused {
        let detail =
            format!("more than {POSTS_PER_SECOND} POST requests in a second from your address");
        return Problem::new(RATE_LIMITED, detail).into_response();
    }
    next.run(request).await
}

/// What each address group holds, connections or something else; clones share the counts.
#[derive(Clone, Debug)]
pub struct AddressCounts {
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
    limit: usize,
}

/// One of those, until it is dropped.
#[derive(Debug)]
pub struct AddressPermit {
    counts: AddressCounts,
    group: IpAddr,
}

impl AddressCounts {
    /// So many for one group.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            open: Arc::default(),
            limit,
        }
    }

    /// Counts one more, if the address group may have it; this machine always may.
    #[must_use]
    pub fn take(&self, remote: IpAddr) -> Option<AddressPermit> {
        let group = address_group(remote);
        let mut open = self.lock();
        let count = open.entry(group).or_default();
        if *count >= self.limit && !group.is_loopback() {
            return None;
        }
        *count += 1;
        drop(open);
        Some(AddressPermit {
            counts: self.clone(),
            group,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        let mut open = self.counts.lock();
        if let Some(count) = open.get_mut(&self.group) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.group);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;
    use std::time::Duration;

    /// Three addresses: two of one group, one of another.
    const GROUPS: [[&str; 3]; 2] = [
        ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"],
        ["2001:db8::1", "2001:db8::ffff:0:0:2", "2001:db8:0:1::1"],
    ];
    const LOCAL: [&str; 4] = ["127.0.0.1", "127.0.0.9", "::1", "::ffff:127.0.0.1"];

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_group_has_its_own_connections() {
        for [one, same, other] in GROUPS {
            let counts = AddressCounts::new(3);
            let mut held = vec![counts.take(ip(one)).unwrap(), counts.take(ip(one)).unwrap()];
            held.push(counts.take(ip(same)).unwrap());
            assert!(counts.take(ip(one)).is_none() && counts.take(ip(same)).is_none());
            drop(counts.take(ip(other)).unwrap());
            held.pop();
            held.push(counts.take(ip(same)).unwrap());
            assert!(counts.take(ip(one)).is_none());
            held.clear();
            assert!(counts.lock().is_empty());
        }
    }

    #[test]
    fn an_address_group_has_its_own_post_requests() {
        for [one, same, other] in GROUPS {
            let clock = FakeRelativeClock::default();
            let limit = PostLimit::new(clock.clone());
            assert!((0..100).all(|_| limit.allows(ip(one))));
            assert!(!limit.allows(ip(one)) && !limit.allows(ip(same)));
            assert!(limit.allows(ip(other)));
            clock.advance(Duration::from_millis(10));
            assert!(limit.allows(ip(same)) && !limit.allows(ip(one)));
        }
    }

    #[test]
    fn idle_addresses_are_forgotten() {
        let clock = FakeRelativeClock::default();
        let limit = PostLimit::new(clock.clone());
        let many = 0..3 * REQUESTS_PER_CLEANUP;
        for number in many {
            clock.advance(Duration::from_millis(1));
            assert!(limit.allows(IpAddr::V4((0x0A00_0000 + number).into())));
            let most = usize::try_from(REQUESTS_PER_CLEANUP + 1_000).unwrap();
            assert!(limit.limiter.len() <= most, "{}", limit.limiter.len());
        }
    }

    #[test]
    fn this_machine_has_no_limit() {
        let (limit, counts) = (
            PostLimit::new(FakeRelativeClock::default()),
            AddressCounts::new(1),
        );
        for text in LOCAL {
            assert!((0..1_000).all(|_| limit.allows(ip(text))));
            let held: Vec<_> = (0..100).map(|_| counts.take(ip(text)).unwrap()).collect();
            assert_eq!(held.len(), 100);
        }
    }
}
