//! Which places a peer may name to this node. Third parties could otherwise make it dial
//! hosts of its own network, or any host again and again.

use std::net::IpAddr;

/// How far an address is valid; a smaller one is closer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Loopback,
    Private,
    Global,
}

/// `None`: no peer can listen there for others.
fn scope(ip: IpAddr) -> Option<Scope> {
    let ip = ip.to_canonical();
    if ip.is_loopback() {
        return Some(Scope::Loopback);
    }
    if ip.is_unspecified() || ip.is_multicast() {
        return None;
    }
    match ip {
        IpAddr::V4(v4) if v4.is_link_local() || v4.is_broadcast() => None,
        IpAddr::V6(v6) if v6.is_unicast_link_local() => None,
        IpAddr::V4(v4) => {
            // RFC 6598, behind the router of a provider
            let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
            Some(match v4.is_private() || shared {
                true => Scope::Private,
                false => Scope::Global,
            })
        }
        IpAddr::V6(v6) => Some(match v6.is_unique_local() {
            true => Scope::Private,
            false => Scope::Global,
        }),
    }
}

/// Whether a peer at `teller` may name this host: not one that is closer to this node than
/// the peer itself. Only a peer that names its own place may use a host name.
pub(crate) fn may_name(teller: IpAddr, host: &str, own_place: bool) -> bool {
    match host.parse::<IpAddr>() {
        Ok(ip) => scope(ip).is_some_and(|named| Some(named) >= scope(teller)),
        Err(_) => own_place,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_names_no_host_that_is_closer_than_itself() {
        let may = |teller: &str, host| may_name(teller.parse().unwrap(), host, false);
        let global = ["8.8.8.8", "2001:4860::1"];
        let private = [
            "10.1.2.3",
            "192.168.0.1",
            "172.16.0.1",
            "100.64.0.1",
            "fd00::1",
        ];
        let loopback = ["127.0.0.1", "::1", "::ffff:127.0.0.1"];
        for host in global {
            assert!(may("9.9.9.9", host) && may("10.0.0.1", host) && may("::1", host));
        }
        for host in private {
            assert!(!may("9.9.9.9", host) && may("10.0.0.1", host) && may("::1", host));
        }
        for host in loopback {
            assert!(!may("9.9.9.9", host) && !may("10.0.0.1", host) && may("::1", host));
        }
        for host in [
            "0.0.0.0",
            "::",
            "169.254.0.1",
            "fe80::1",
            "224.0.0.1",
            "ff02::1",
        ] {
            assert!(!may("9.9.9.9", host) && !may("127.0.0.1", host), "{host}");
        }
    }

    #[test]
    fn a_host_name_is_taken_from_its_own_peer_alone() {
        let teller = "9.9.9.9".parse().unwrap();
        assert!(may_name(teller, "node.example", true));
        assert!(!may_name(teller, "node.example", false));
    }
}
