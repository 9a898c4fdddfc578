//! Limits on who asks how often, and what browsers may read.

use crate::problem::Problem;
use axum::{
    body::Body,
    extract::{ConnectInfo, Request},
    http::{HeaderValue, Method, Response, header},
    middleware::Next,
    response::IntoResponse,
};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    sync::LazyLock,
};

/// POST requests per second from one address that is not this machine.
const POSTS_PER_SECOND: NonZeroU32 = NonZeroU32::new(100).expect("100 is not zero");

/// Addresses that are remembered before those of the last second are sorted out.
const KNOWN_ADDRESSES: usize = 4_096;

static POSTS: LazyLock<DefaultKeyedRateLimiter<IpAddr>> =
    LazyLock::new(|| RateLimiter::keyed(Quota::per_second(POSTS_PER_SECOND)));

/// Refuses floods of POST requests; this machine itself has no limit.
pub(crate) async fn posts(request: Request, next: Next) -> Response<Body> {
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0.ip());
    let limited =
        peer.filter(|ip| request.method() == Method::POST && !ip.to_canonical().is_loopback());
    if POSTS.len() > KNOWN_ADDRESSES {
        POSTS.retain_recent();
    }
    if limited.is_some_and(|ip| POSTS.check_key(&network(ip)).is_err()) {
        return Problem::rate_limited("more than 100 POST requests in a second from your address")
            .into_response();
    }
    next.run(request).await
}

/// Whoever has one IPv6 address has the whole /64.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
    }
}

/// Pages of any origin may read; none may write (no CORS on POST).
pub(crate) async fn open_to_readers(
    method: Method,
    mut response: Response<Body>,
) -> Response<Body> {
    if method == Method::GET || method == Method::HEAD {
        let any = HeaderValue::from_static("*");
        response
            .headers_mut()
            .insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    }
    response
}
