//! Remote addresses that one party usually holds together. Per-host limits count groups,
//! so that an IPv6 network is not 2^64 hosts.

use std::net::{IpAddr, Ipv6Addr};

/// An IPv4 address, or the /64 network of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AddressGroup(IpAddr);

impl AddressGroup {
    /// The group of a remote address; `None` for loopback, which has no per-host limit.
    pub(crate) fn of(ip: IpAddr) -> Option<Self> {
        let ip = ip.to_canonical();
        let group = match ip {
            IpAddr::V4(_) => ip,
            IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6) >> 64 << 64).into(),
        };
        (!ip.is_loopback()).then_some(Self(group))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(text: &str) -> Option<AddressGroup> {
        AddressGroup::of(text.parse().unwrap())
    }

    #[test]
    fn ipv4_addresses_count_alone_and_ipv6_addresses_by_network() {
        assert_ne!(group("192.0.2.1"), group("192.0.2.2"));
        assert_eq!(group("192.0.2.1"), group("::ffff:192.0.2.1"));
        assert_eq!(group("2001:db8::1"), group("2001:db8::ffff:0:0:1"));
        assert_ne!(group("2001:db8::1"), group("2001:db8:0:1::1"));
    }

    #[test]
    fn loopback_has_no_group() {
        for text in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(group(text), None, "{text}");
        }
    }
}
