//! Sends messages to peers. It never waits: the network drops a peer that does not keep up.
//! Transactions can wait: `tx_gossip` sends them.

use bytes::Bytes;
use ccoin_core::{
    Height,
    gossip::Gossip,
    machine::{Ask, PeerId},
    message::{ByeReason, Heights, Message, frame},
};
use ccoin_p2p::{ChainStatus, Network};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// What a node remembers of its conversations; all peer tasks share it.
#[derive(Clone)]
pub(crate) struct SharedGossip(Arc<Mutex<Gossip>>);

impl SharedGossip {
    pub(crate) fn new(gossip: Gossip) -> Self {
        Self(Arc::new(Mutex::new(gossip)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Gossip> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way from the machine to the peers.
pub(crate) struct Outbound {
    /// `None`: the node meets no peers.
    pub(crate) network: Option<Network>,
    pub(crate) gossip: SharedGossip,
    /// What the node tells of itself in handshakes.
    pub(crate) local: watch::Sender<ChainStatus>,
}

impl Outbound {
    /// Carries out what reveals nothing: it does not wait for the disk.
    pub(crate) fn ask(&self, ask: Ask) {
        let Some(network) = &self.network else { return };
        match ask {
            Ask::Blocks { peer, request } => {
                self.gossip.lock().on_asked(peer);
                network.send(peer, Message::AskBlocks(request).frame().into());
            }
            Ask::Heights => network.broadcast(Message::AskHeights.frame().into(), None),
            Ask::Penalize { peer, fault } => {
                network.ban(peer, ByeReason::Invalid, &fault.to_string());
            }
            Ask::Disconnect { peer } => {
                let text = "no answer to a request for blocks within a minute";
                network.disconnect(peer, ByeReason::Silent, text);
            }
            Ask::BranchTooOld { peer } => {
                let peers = network.peers();
                let found = peers.iter().find(|info| info.id == peer);
                let name = found.map_or_else(|| "(gone)".into(), |info| info.address.to_string());
                tracing::warn!(
                    "the chain of peer {name} has left ours too far back to be followed"
                );
            }
            Ask::Progress { height, target } => {
                tracing::info!("Catching up: block {height} of {target}");
            }
        }
    }

    /// Shows the head to all peers but one.
    pub(crate) fn announce(&self, block: &Bytes, except: Option<PeerId>) {
        if let Some(network) = &self.network {
            let block = frame(*b"BLK", block).into();
            network.offer(&block, &self.heights(), except);
        }
    }

    /// Tells a peer how far this node is.
    pub(crate) fn send_heights(&self, peer: PeerId) {
        if let Some(network) = &self.network {
            network.send(peer, self.heights());
        }
    }

    /// The durable head has this number now.
    pub(crate) fn set_height(&self, height: Height) {
        self.local
            .send_if_modified(|local| core::mem::replace(&mut local.height, height) != height);
    }

    fn heights(&self) -> Bytes {
        let local = self.local.borrow();
        let heights = Heights {
            height: local.height,
            final_number: local.final_number,
        };
        Message::Heights(heights).frame().into()
    }
}
