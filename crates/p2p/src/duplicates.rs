//! Several connections of one address. A working connection is never replaced: another one
//! stands beside it. The side with the smaller address ends the newer of two as soon as
//! both work; only one side may decide, or each could end a different one.

use crate::{peer::Peer, shared::Shared, state::State};
use ccoin_core::{Address, message::ByeReason};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

impl State {
    /// The connections to this address, the oldest first.
    pub(crate) fn connections_to(&self, address: &Address) -> impl Iterator<Item = &Arc<Peer>> {
        let ids = self.seats.connections_to(address).iter();
        ids.filter_map(|id| self.peers.get(id))
    }

    /// Whether a connection to this address is not suspect.
    pub(crate) fn has_working_connection(&self, address: &Address) -> bool {
        self.connections_to(address).any(|peer| peer.works())
    }

    /// Ends all connections to an address.
    pub(crate) fn end_all(&mut self, address: &Address, reason: ByeReason, text: &str) {
        for id in self.seats.connections_to(address).to_vec() {
            self.seats.leave(address, id);
            if let Some(peer) = self.remove(id) {
                peer.end(reason, text);
            }
        }
    }

    /// Ends the suspect connections to this address: a new one takes their place.
    pub(crate) fn end_suspects(&mut self, new: &Peer) {
        let address = new.hello.address;
        let suspects: Vec<_> = self
            .connections_to(&address)
            .filter(|peer| !peer.works())
            .cloned()
            .collect();
        for old in suspects {
            self.remove(old.id);
            self.seats.leave(&address, old.id);
            let text = format!(
                "replaced by the connection of {address} from {}",
                new.remote
            );
            old.end(ByeReason::Duplicate, &text);
        }
    }
}

impl Shared {
    /// A peer has answered a ping: ends its newer connection if two of them work.
    pub(crate) fn end_redundant(&self, peer: &Peer) {
        let state = self.state();
        let mut connections = state.connections_to(&peer.hello.address);
        let (Some(old), Some(new)) = (connections.next(), connections.next()) else {
            return;
        };
        let both_answer = [old, new]
            .iter()
            .all(|peer| peer.works() && peer.answered_since(new.began));
        if !both_answer {
            return;
        }
        if old.process != new.process {
            // both stay: each is a node of its own
            return state.warn_of_shared_key(old, new);
        }
        let apart = old.remote.ip().to_canonical() != new.remote.ip().to_canonical();
        let settled = !apart || new.began.elapsed() >= self.limits.beside;
        if self.address < peer.hello.address && settled {
            let text = format!("{} works too", old.describe(Instant::now()));
            new.end(ByeReason::Duplicate, &text);
        }
    }
}

impl State {
    /// Warns, once for two connections and at most once a minute, that two processes use one
    /// key.
    fn warn_of_shared_key(&self, old: &Peer, new: &Peer) {
        let address = &old.hello.address;
        let told = new.twin_told.swap(true, Ordering::Relaxed);
        if !told && self.log_throttle.allows("shared key", address.to_string()) {
            let (first, second) = (old.remote, new.remote);
            tracing::warn!(
                "two nodes use the key of {address}, one at {first} and one at {second}: \
                 stop one of them"
            );
        }
    }
}
