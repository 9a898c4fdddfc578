//! What the machine wants said, made into frames. It never waits: a peer that does not
//! keep up is dropped by the network. Transactions can wait: `feeder` tells them.

use bytes::Bytes;
use ccoin_core::{
    Height,
    machine::Effect,
    message::{ByeReason, Heights, Message, frame},
};
use ccoin_p2p::{Local, Network};
use tokio::sync::watch;

/// The node's mouth.
pub(crate) struct Voice {
    /// `None`: nobody listens.
    pub(crate) network: Option<Network>,
    /// What the node says of itself to whoever asks.
    pub(crate) local: watch::Sender<Local>,
}

impl Voice {
    /// Says what an effect asks for, if it asks for anything.
    pub(crate) fn say(&self, effect: &Effect) {
        let Some(network) = &self.network else { return };
        match effect {
            Effect::Announce { applied, except } => {
                let block = frame(*b"BLK", &applied.block.encode());
                network.offer(&block.into(), &self.heights(), *except);
            }
            Effect::Tell { peer } => {
                network.send(*peer, self.heights());
            }
            Effect::Ask { peer, request } => {
                let request = Message::AskBlocks(request.clone());
                network.send(*peer, request.frame().into());
            }
            Effect::AskHeights => network.broadcast(Message::AskHeights.frame().into(), None),
            Effect::Blame { peer, fault } => {
                network.ban(*peer, ByeReason::Invalid, &fault.to_string());
            }
            Effect::Apart { peer } => {
                tracing::warn!(
                    "the chain of peer {} has left ours too far back to be followed",
                    self.name(*peer)
                );
            }
            Effect::Progress { height, target } => {
                tracing::info!("Catching up: block {height} of {target}");
            }
            _ => {}
        }
    }

    fn heights(&self) -> Bytes {
        let local = self.local.borrow();
        let heights = Heights {
            height: local.height,
            final_number: local.final_number,
        };
        Message::Heights(heights).frame().into()
    }

    /// The head has this number now.
    pub(crate) fn reach(&self, height: Height) {
        self.local
            .send_if_modified(|local| core::mem::replace(&mut local.height, height) != height);
    }

    fn name(&self, peer: ccoin_p2p::PeerId) -> String {
        let peers = self.network.iter().flat_map(Network::peers);
        let found = peers.into_iter().find(|info| info.id == peer);
        found.map_or_else(|| "(gone)".into(), |info| info.address.to_string())
    }
}
