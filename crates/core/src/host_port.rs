//! Where a server listens: host and port, as people write it. No name is looked up here.

use crate::message::PeerAddress;
use serde::{Deserialize, Deserializer, de::Error};
use std::{fmt, net::SocketAddr, str::FromStr};

/// Longest host name (RFC 1035, 2.3.4, without the final dot).
const MAX_HOST_BYTES: usize = 253;

/// A host name or IP address, and a TCP port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    /// Without brackets.
    pub host: String,
    /// Not 0.
    pub port: u16,
}

/// Not `HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{got:?} is not HOST:PORT, for example 192.0.2.7:4001")]
pub struct HostPortError {
    got: String,
}

impl HostPort {
    /// The host of a socket address with another port.
    #[must_use]
    pub fn beside(remote: SocketAddr, port: u16) -> Self {
        let host = remote.ip().to_canonical().to_string();
        Self { host, port }
    }
}

/// The place of a peer.
impl From<&PeerAddress> for HostPort {
    fn from(peer: &PeerAddress) -> Self {
        Self {
            host: peer.host.clone(),
            port: peer.port,
        }
    }
}

impl FromStr for HostPort {
    type Err = HostPortError;

    /// Reads `HOST:PORT`; an IPv6 address, and nothing else, stands in brackets.
    fn from_str(text: &str) -> Result<Self, HostPortError> {
        let parse = || {
            let (host, port) = text.rsplit_once(':')?;
            let port = port.parse().ok().filter(|port| *port != 0)?;
            let bare = host
                .strip_prefix('[')
                .and_then(|host| host.strip_suffix(']'));
            let is_ipv6 = bare.unwrap_or(host).contains(':');
            let host = bare.unwrap_or(host);
            let fits = (1..=MAX_HOST_BYTES).contains(&host.len()) && is_ipv6 == bare.is_some();
            fits.then(|| Self {
                host: host.to_owned(),
                port,
            })
        };
        parse().ok_or_else(|| HostPortError {
            got: text.chars().take(MAX_HOST_BYTES).collect(),
        })
    }
}

impl<'de> Deserialize<'de> for HostPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let advice = "write it like 192.0.2.7:4001 or [2001:db8::7]:4001";
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|_| D::Error::custom(format!("is not HOST:PORT: {advice}")))
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_nothing_else_is() {
        for text in [
            "localhost:4001",
            "10.0.0.7:1",
            "[::1]:4001",
            "a-b.example:65535",
        ] {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
        }
        let long = format!("{}:1", "a".repeat(MAX_HOST_BYTES + 1));
        for text in [
            "",
            "host",
            "host:",
            "host:0",
            "host:65536",
            ":1",
            "::1:4001",
            "[]:1",
            "[a]:1",
            "[::1:1",
            "::1]:1",
            &long,
        ] {
            assert!(text.parse::<HostPort>().is_err(), "{text}");
        }
        let remote = "[::ffff:10.1.2.3]:9".parse().unwrap();
        assert_eq!(HostPort::beside(remote, 7).to_string(), "10.1.2.3:7");
    }
}
