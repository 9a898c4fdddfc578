//! What a node says to its peers and does with what they say, around the machine: plain
//! structs without clocks, sockets or locks.
//!
//! The shell owns them behind locks and adds back-pressure and signature checks; the
//! simulation owns them directly and runs the same code.

mod asked;
mod miner_keys;
mod parked;
mod seen;
pub mod serve;
mod tx_feed;
mod tx_queue;
mod vote_cache;

pub use miner_keys::MinerKeys;
pub use tx_feed::{TxFeed, messages};
pub use tx_queue::{QueuedTxn, TxQueue};
pub use vote_cache::{VoteCache, VoteContext};

use crate::{
    BlockId, Height,
    genesis::Genesis,
    machine::Input,
    message::{Hello, NodeType},
    sync::PeerId,
};
use asked::Asked;
use bytes::Bytes;
use ccoin_crypto::{Address, PublicKey};
use parked::Parked;
use seen::SeenCache;
use std::collections::BTreeMap;

/// An announced block so far below the head is old news from any peer.
const OLD_NEWS: u64 = 1_024;

/// What one node remembers of its conversations with all peers.
#[derive(Debug)]
pub struct Gossip {
    /// Public keys of the miners.
    pub keys: MinerKeys,
    seen: SeenCache,
    asked: Asked,
    parked: BTreeMap<PeerId, Parked>,
}

impl Gossip {
    /// A node that has heard nothing yet.
    #[must_use]
    pub fn new(keys: MinerKeys) -> Self {
        Self {
            keys,
            seen: SeenCache::default(),
            asked: Asked::default(),
            parked: BTreeMap::new(),
        }
    }

    /// What a finished handshake tells the machine. A peer without this node's chain has
    /// height 0; only a listed miner that says so is a validator.
    #[must_use]
    pub fn joined(peer: PeerId, hello: &Hello, genesis: &Genesis) -> Input {
        let listed = genesis.schedule.index(&hello.address);
        let index = listed.and_then(|index| u8::try_from(index).ok());
        let same_chain = hello.genesis_id == genesis.id;
        Input::PeerJoined {
            peer,
            validator: index.filter(|_| hello.node_type == NodeType::Validator),
            height: if same_chain {
                hello.height
            } else {
                Height::ZERO
            },
        }
    }

    /// Forgets what belongs to a connection that has ended.
    pub fn on_peer_left(&mut self, peer: PeerId) {
        self.asked.take(peer);
        self.parked.remove(&peer);
    }

    /// A request for blocks goes out to a peer.
    pub fn on_asked(&mut self, peer: PeerId) {
        self.asked.add(peer);
    }

    /// A peer sends blocks; whether it was asked for some. Checking unasked ones would cost
    /// its sender nothing.
    pub fn take_asked(&mut self, peer: PeerId) -> bool {
        self.asked.take(peer)
    }

    /// A block is announced, of which only the header was looked at. `Some`: it needs no
    /// check, and the machine hears this instead. `own` is the height of the head,
    /// `canonical` whether the block is a recent one of the head's branch.
    #[must_use]
    pub fn on_announced(
        &self,
        peer: PeerId,
        (height, id): (Height, BlockId),
        own: Height,
        canonical: bool,
    ) -> Option<Input> {
        let old = height.get().saturating_add(OLD_NEWS) < own.get();
        if old || canonical {
            return Some(Input::Heights { peer, height });
        }
        let seen = self.seen.contains(&id);
        seen.then_some(Input::KnownBlock { peer, id, height })
    }

    /// A whole announced block was checked: other copies of it need no check.
    pub fn on_checked(&mut self, id: BlockId) {
        self.seen.insert(id);
    }

    /// Keeps an announced block until the key of its miner comes, if there is room. The
    /// caller asks the peer for keys, once: a peer that does not know the key answers too.
    pub fn park(&mut self, peer: PeerId, miner: Address, block: Bytes) {
        self.parked.entry(peer).or_default().add(miner, block);
    }

    /// Takes the parked blocks of a peer whose miners' keys are known now.
    pub fn unpark(&mut self, peer: PeerId) -> Vec<Bytes> {
        let keys = &self.keys;
        let parked = self.parked.get_mut(&peer);
        parked.map_or_else(Vec::new, |parked| {
            parked.take(|miner| keys.get(miner).is_some())
        })
    }

    /// The answer to a request for the keys of miners. `None`: this node knows none, and an
    /// empty list would be a request.
    #[must_use]
    pub fn requested_keys(&self) -> Option<Vec<PublicKey>> {
        Some(self.keys.all()).filter(|keys| !keys.is_empty())
    }

    /// Takes keys of miners; the new ones go to all peers but the sender.
    pub fn learn(&mut self, keys: &[PublicKey]) -> Vec<PublicKey> {
        self.keys.learn(keys)
    }
}
