//! Host and port as people write them. Never resolves a name.

use std::{fmt, net::SocketAddr, str::FromStr};

/// A host name or IP address, and a TCP port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct HostPort {
    /// Without brackets.
    pub(crate) host: String,
    /// Not 0.
    pub(crate) port: u16,
}

/// Not `HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{got:?} is not HOST:PORT, for example 192.0.2.7:4001")]
pub(crate) struct HostPortError {
    got: String,
}

impl HostPort {
    /// The IP address of `remote` with another port.
    pub(crate) fn beside(remote: SocketAddr, port: u16) -> Self {
        Self {
            host: remote.ip().to_canonical().to_string(),
            port,
        }
    }
}

impl FromStr for HostPort {
    type Err = HostPortError;

    /// Parses `HOST:PORT`; an IPv6 address, and no other host, stands in brackets.
    fn from_str(text: &str) -> Result<Self, HostPortError> {
        let parse = || {
            let (host, port) = text.rsplit_once(':')?;
            let port = port.parse().ok().filter(|port| *port != 0)?;
            let bare = host
                .strip_prefix('[')
                .and_then(|host| host.strip_suffix(']'));
            let host = match bare {
                Some(ipv6) => Some(ipv6).filter(|ipv6| ipv6.contains(':')),
                None => Some(host).filter(|host| !host.contains(':')),
            }?;
            let host = host.to_owned();
            (!host.is_empty()).then_some(Self { host, port })
        };
        parse().ok_or_else(|| HostPortError { got: text.into() })
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
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
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
            "[host]:1",
        ] {
            assert!(text.parse::<HostPort>().is_err(), "{text}");
        }
    }
}
