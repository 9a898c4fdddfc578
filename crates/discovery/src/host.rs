//! The host of a node: an IP address or a name, of bounded length and plain characters.
//! Nothing here asks a name server.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{borrow::Cow, fmt, net::IpAddr, net::Ipv4Addr, str::FromStr};

/// Longest host name (RFC 1035, 2.3.4, without the final dot).
const MAX_NAME: usize = 253;

/// Longest part of a name between two dots (RFC 1035, 2.3.4).
const MAX_LABEL: usize = 63;

/// Not an IP address and not a host name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an IP address and not a host name of at most {MAX_NAME} characters")]
pub struct HostError;

/// An IP address, or a name that the connecting peer resolves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// Never an IPv4-mapped IPv6 address.
    Ip(IpAddr),
    /// Letters, digits, `-`, `_` and dots.
    Name(String),
}

impl Host {
    /// `0.0.0.0`: the address that the request comes from.
    pub const UNSPECIFIED: Self = Self::Ip(IpAddr::V4(Ipv4Addr::UNSPECIFIED));

    /// IPv4-mapped addresses become IPv4.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        Self::Ip(ip.to_canonical())
    }

    /// `0.0.0.0` or `::`.
    #[must_use]
    pub fn is_unspecified(&self) -> bool {
        matches!(self, Self::Ip(ip) if ip.is_unspecified())
    }

    /// Reachable from its own machine only.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Ip(ip) => ip.is_loopback(),
            Self::Name(name) => name.eq_ignore_ascii_case("localhost"),
        }
    }
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        if text.len() > MAX_NAME {
            return Err(HostError);
        }
        if let Ok(ip) = text.parse() {
            return Ok(Self::of(ip));
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let label = |part: &str| (1..=MAX_LABEL).contains(&part.len()) && part.bytes().all(plain);
        // A name that ends in a number would be a mistyped address.
        let number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if text.split('.').all(label) && !text.rsplit('.').next().is_some_and(number) {
            Ok(Self::Name(text.to_owned()))
        } else {
            Err(HostError)
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl Serialize for Host {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Host {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_names_are_hosts() {
        let long = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
        for (text, shown) in [
            ("10.1.2.3", "10.1.2.3"),
            ("::ffff:10.1.2.3", "10.1.2.3"),
            ("fe80::1", "fe80::1"),
            ("node-1.example_net.org", "node-1.example_net.org"),
            (&long, &long),
        ] {
            assert_eq!(text.parse::<Host>().unwrap().to_string(), shown);
        }
        for bad in [
            "",
            ".",
            "a..b",
            "a.",
            "10.1.2.300",
            "1",
            "<b>",
            "a b",
            "a:1",
            "[::1]",
            "é",
            "a\0",
            "a/b",
            &"a".repeat(64),
            &format!("{long}c"),
        ] {
            assert_eq!(bad.parse::<Host>(), Err(HostError), "{bad:?}");
        }
    }

    #[test]
    fn loopback_has_several_spellings() {
        for text in [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::ffff:127.0.0.1",
            "LocalHost",
        ] {
            assert!(text.parse::<Host>().unwrap().is_loopback(), "{text}");
        }
        for text in ["10.0.0.1", "0.0.0.0", "localhost.example.org"] {
            assert!(!text.parse::<Host>().unwrap().is_loopback(), "{text}");
        }
        assert!("::".parse::<Host>().unwrap().is_unspecified());
        assert!(Host::UNSPECIFIED.is_unspecified());
    }
}
