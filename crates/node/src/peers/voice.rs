//! What the machine wants said, made into frames. It never waits: a peer that does not
//! keep up is dropped by the network. Transactions can wait: `feeder` tells them.

use super::memory::Memory;
use bytes::Bytes;
use ccoin_core::{
    Height,
    machine::Effect,
    message::{ByeReason, Heights, Message, frame},
};
use ccoin_p2p::{ChainStatus, Network};
use std::sync::Arc;
use tokio::sync::watch;

/// The node's mouth.
pub(crate) struct Voice {
    /// `None`: nobody listens.
    pub(crate) network: Option<Network>,
    /// Who owes an answer.
    pub(crate) memory: Arc<Memory>,
    /// What the node says of itself to whoever asks.
    pub(crate) local: watch::Sender<ChainStatus>,
}

impl Voice {
    /// Says at once what promises nothing: questions and complaints need not wait for the
    /// disk. False: the effect is of another kind.
    pub(crate) fn say_now(&self, effect: &Effect) -> bool {
        match effect {
            Effect::Ask { peer, request } => {
                self.memory.ask(*peer);
                let request = Message::AskBlocks(request.clone()).frame();
                self.with(|network| {
                    network.send(*peer, request.into());
                });
            }
            Effect::AskHeights => {
                self.with(|network| network.broadcast(Message::AskHeights.frame().into(), None));
            }
            Effect::Blame { peer, fault } => {
                self.with(|network| network.ban(*peer, ByeReason::Invalid, &fault.to_string()));
            }
            Effect::Leave { peer } => {
                let text = "no answer to a request for blocks within a minute";
                self.with(|network| network.disconnect(*peer, ByeReason::Silent, text));
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
            _ => return false,
        }
        true
    }

    /// Shows peers what is on disk now, if the effect asks for it.
    pub(crate) fn show(&self, effect: &Effect) {
        match effect {
            Effect::Announce { applied, except } => self.with(|network| {
                let block = frame(*b"BLK", &applied.block.encode()).into();
                network.offer(&block, &self.heights(), *except);
            }),
            Effect::Tell { peer } => self.with(|network| {
                network.send(*peer, self.heights());
            }),
            _ => {}
        }
    }

    fn with(&self, say: impl FnOnce(&Network)) {
        if let Some(network) = &self.network {
            say(network);
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
