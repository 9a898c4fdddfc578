//! Sends messages to peers. It never waits: the network drops a peer that does not keep up.
//! Transactions can wait: `tx_gossip` sends them.

use crate::view::View;
use bytes::Bytes;
use ccoin_core::{
    gossip::Gossip,
    machine::{Ask, PeerId},
    message::{ByeReason, Heights, Message, Status, frame},
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
            Ask::Tell { peers, message } => {
                let frame = Bytes::from(message.frame());
                for peer in peers {
                    network.send_urgent(peer, frame.clone());
                }
            }
            Ask::BranchTooOld { peer } => {
                let name = name(network, peer);
                tracing::warn!(
                    "the chain of peer {name} has left ours too far back, or below the final block; \
                     it is not followed"
                );
            }
            Ask::Stuck {
                peer,
                claimed,
                height,
            } => {
                let name = name(network, peer);
                tracing::warn!(
                    "peer {name} shows a better chain (block {claimed}; this node is at block \
                     {height}), but no block of it has come for 30 s: compare the clocks of \
                     both nodes and read the log of the peer"
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

    /// Tells a peer what this node knows about final blocks.
    pub(crate) fn send_status(&self, peer: PeerId, status: Box<Status>) {
        if let Some(network) = &self.network {
            network.send_urgent(peer, Message::Status(status).frame().into());
        }
    }

    /// What is durable now.
    pub(crate) fn set_heights(&self, view: &View) {
        let (height, last_final) = (view.height(), view.last_final.certificate.number);
        self.local.send_if_modified(|local| {
            let before = (local.height, local.final_number);
            (local.height, local.final_number) = (height, last_final);
            before != (height, last_final)
        });
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

/// The address of a peer, for the log.
fn name(network: &Network, peer: PeerId) -> String {
    let peers = network.peers();
    let found = peers.iter().find(|info| info.id == peer);
    found.map_or_else(|| "(gone)".into(), |info| info.address.to_string())
}
