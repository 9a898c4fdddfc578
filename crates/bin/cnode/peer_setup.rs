//! How this node finds its peers: from options and configuration.

use crate::{check::Found, options::Options};
use ccoin_core::Address;
use ccoin_home::Config;
use ccoin_node::PeerSetup;
use std::{net::TcpListener, sync::Arc};
use tokio::sync::watch;

/// The setup that the peer-to-peer side starts from, and the way to change its allow-list.
pub(crate) struct PeerLinks {
    pub(crate) setup: PeerSetup,
    allow: watch::Sender<Vec<Address>>,
}

impl PeerLinks {
    pub(crate) fn new(options: &Options, found: &Found, listener: TcpListener) -> Self {
        let config = &found.config;
        let (allow, allowed) = watch::channel(config.p2p.allow.clone());
        let advertise = options.advertise.as_ref().or(config.p2p.advertise.as_ref());
        let discovery = config.discovery_service.as_ref();
        let at = listener.local_addr().map(|at| at.ip());
        let seen_by_few = at.is_ok_and(|ip| ip.is_loopback()) && advertise.is_none();
        let is_far = |host: &str| !matches!(host, "127.0.0.1" | "::1" | "localhost");
        if seen_by_few && discovery.is_some_and(|service| is_far(&service.host)) {
            tracing::warn!(
                "peers on other machines cannot reach this node at a loopback address: \
                 name another one with --advertise HOST:PORT"
            );
        }
        let configured = options.peers.iter().chain(&config.peers);
        let setup = PeerSetup {
            listener: Some(Arc::new(listener)),
            advertise: advertise.map(|place| (place.host.clone(), place.port)),
            discovery: discovery.map(|service| (service.host.clone(), service.port)),
            configured: configured.map(ToString::to_string).collect(),
            allow: allowed,
            wanted_genesis: found.wanted,
        };
        Self { setup, allow }
    }

    /// Takes the allow-list of a configuration that was read again.
    pub(crate) fn reload(&self, config: &Config) {
        self.allow.send_if_modified(|allow| {
            let changed = *allow != config.p2p.allow;
            allow.clone_from(&config.p2p.allow);
            changed
        });
    }
}
