//! Which places are asked to prove their address, and what came of it. Blocks of addresses
//! take turns: many records of one party delay the proofs of no other.

use super::{Entry, Registry, block};
use crate::Host;
use ccoin_core::Timestamp;
use ccoin_crypto::Address;
use std::{cmp::Reverse, net::IpAddr};

/// A place without a proof is asked again after this time.
const AGAIN_MS: u64 = 60_000;

/// A proof is renewed after this time.
const RENEW_MS: u64 = 600_000;

/// A place that should prove its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unproven {
    /// The address to be proven.
    pub id: Address,
    /// IP address or name.
    pub ip: Host,
    /// TCP port for peers.
    pub port: u16,
    /// The sender of the record.
    pub caller: IpAddr,
}

impl Registry {
    /// The next place to ask; it counts as asked.
    pub fn next_unproven(&mut self, now: Timestamp) -> Option<Unproven> {
        self.sweep(now);
        let due = |entry: &&Entry| {
            entry.listing.as_ref().is_some_and(|listing| {
                let pause = listing.proven.map_or(AGAIN_MS, |_| RENEW_MS);
                let waited = |asked: Timestamp| now.get().abs_diff(asked.get()) >= pause;
                listing.asked.is_none_or(waited)
            })
        };
        let turn = |entry: &Entry| {
            let asked = entry.listing.as_ref().and_then(|listing| listing.asked);
            let turns = self.turns.get(&block(entry.caller)).copied();
            (
                turns.unwrap_or_default(),
                asked,
                Reverse(entry.since()),
                entry.id,
            )
        };
        let next = self
            .entries
            .values()
            .filter(due)
            .min_by_key(|entry| turn(entry))?;
        let (id, caller) = (next.id, next.caller);
        *self.turns.entry(block(caller)).or_default() += 1;
        let listing = self.entries.get_mut(&id)?.listing.as_mut()?;
        listing.asked = Some(now);
        Some(Unproven {
            id,
            ip: listing.ip.clone(),
            port: listing.port,
            caller,
        })
    }

    /// Whether a place has answered with its key.
    pub fn on_asked(&mut self, asked: &Unproven, proven: bool, now: Timestamp) {
        let listing = self.entries.get_mut(&asked.id);
        let listing = listing.and_then(|entry| entry.listing.as_mut());
        let same = listing.filter(|listing| (&listing.ip, listing.port) == (&asked.ip, asked.port));
        let Some(listing) = same else { return };
        let before = listing.proven;
        listing.proven = proven.then(|| before.unwrap_or(now));
        if before != listing.proven {
            self.revision += 1;
        }
    }

    /// Forgets the turns of those that list nothing any more.
    pub(super) fn sweep_turns(&mut self) {
        if self.turns.len() > self.entries.len() {
            let entries = &self.entries;
            self.turns.retain(|turn, _| {
                let mut callers = entries.values().map(|entry| block(entry.caller));
                callers.any(|caller| caller == *turn)
            });
        }
    }
}
