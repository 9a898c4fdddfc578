//! Host and port as people write them. Never resolves a name.

use ccoin_core::message::PeerAddress;
use std::{fmt, net::SocketAddr};

/// A host name or IP address, and a TCP port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct HostPort {
    /// Without brackets.
    pub(crate) host: String,
    /// Not 0.
    pub(crate) port: u16,
}

impl HostPort {
    /// Parses `HOST:PORT`; an IPv6 address stands in brackets.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.trim().rsplit_once(':')?;
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        if bare.is_none() && host.contains(':') {
            return None;
        }
        let port = port.parse().ok().filter(|port| *port != 0)?;
        let host = bare.unwrap_or(host);
        (!host.is_empty()).then(|| Self {
            host: host.into(),
            port,
        })
    }

    /// The place of a peer.
    pub(crate) fn of(peer: &PeerAddress) -> Self {
        Self {
            host: peer.host.clone(),
            port: peer.port,
        }
    }

    /// The IP address of `remote` with another port.
    pub(crate) fn beside(remote: SocketAddr, port: u16) -> Self {
        Self {
            host: remote.ip().to_canonical().to_string(),
            port,
        }
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
    fn a_place_is_parsed_as_it_is_displayed() {
        for text in [
            "localhost:4001",
            "10.0.0.7:1",
            "[::1]:4001",
            "a-b.example:65535",
        ] {
            assert_eq!(HostPort::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "host",
            "host:",
            "host:0",
            "host:65536",
            ":1",
            "::1:4001",
            "[]:1",
        ] {
            assert_eq!(HostPort::parse(text), None, "{text}");
        }
    }
}
