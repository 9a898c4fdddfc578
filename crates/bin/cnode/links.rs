//! How this node meets others: from options and configuration.

use crate::{
    check::Found,
    options::{Options, Place, host_and_port},
};
use ccoin_core::Address;
use ccoin_home::{Config, ExitCode, Failure};
use ccoin_node::PeerSetup;
use std::{net::TcpListener, sync::Arc};
use tokio::sync::watch;

/// What the network starts from, and where a new allow-list goes.
pub(crate) struct Links {
    pub(crate) setup: PeerSetup,
    allow: watch::Sender<Vec<Address>>,
}

impl Links {
    pub(crate) fn new(
        options: &Options,
        found: &Found,
        listener: TcpListener,
    ) -> Result<Self, Failure> {
        let config = &found.config;
        let (allow, allowed) = watch::channel(config.p2p.allow.clone());
        let named = options.peers.iter().map(spell);
        let mut configured: Vec<String> = named.collect();
        for peer in &config.peers {
            let place = place(peer, "peers", config)?;
            configured.push(spell(&place));
        }
        let advertise = match (&options.advertise, &config.p2p.advertise) {
            (Some(advertise), _) => Some(advertise.clone()),
            (None, Some(text)) => Some(place(text, "p2p.advertise", config)?),
            (None, None) => None,
        };
        let at = listener.local_addr().map(|at| at.ip());
        let seen_by_few = at.is_ok_and(|ip| ip.is_loopback()) && advertise.is_none();
        let far = |host: &str| !matches!(host, "127.0.0.1" | "::1" | "localhost");
        if seen_by_few && config.discovery.as_ref().is_some_and(|s| far(&s.host)) {
            tracing::warn!(
                "others cannot reach this node at a loopback address: name one with --advertise HOST:PORT"
            );
        }
        let setup = PeerSetup {
            listener: Some(Arc::new(listener)),
            advertise,
            discovery: config
                .discovery
                .as_ref()
                .map(|service| (service.host.clone(), service.port)),
            configured,
            allow: allowed,
            wanted_genesis: found.wanted,
        };
        Ok(Self { setup, allow })
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

fn place(text: &str, key: &str, config: &Config) -> Result<Place, Failure> {
    host_and_port(text).map_err(|error| {
        Failure::new(
            ExitCode::BadConfig,
            format!("{}: {key}: {error}", config.file),
        )
    })
}

fn spell((host, port): &Place) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}
