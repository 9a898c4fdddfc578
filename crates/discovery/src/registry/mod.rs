//! The list of nodes: pure rules over verified records and a given time. It has no clock,
//! socket or file.
//!
//! An entry outlives its listing for as long as an older record of the same
//! node would still pass the check of its time: nothing can be replayed.

mod proofs;
mod sample;

pub use proofs::Unproven;

use crate::{Command, Host, Verified};
use ccoin_core::{BlockId, Timestamp};
use ccoin_crypto::Address;
use ccoin_http::address_group;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// A node stays listed so long after its last record, by the server's clock. Nodes renew
/// every 30 s, so two lost renewals do no harm.
pub const LIFE_MS: u64 = 90_000;

/// Largest difference between the time of a record and the server's clock.
pub const CLOCK_WINDOW_MS: u64 = 60_000;

/// Entries of all callers; beyond them the unproven ones of the largest block of addresses go.
pub const MAX_ENTRIES: usize = 10_000;

/// Entries from one address (one /64 of IPv6) that is not this machine.
pub const MAX_ENTRIES_PER_CALLER: usize = 64;

/// Entries from one /24 of IPv4 or /48 of IPv6.
pub const MAX_ENTRIES_PER_BLOCK: usize = 512;

/// Nodes in one answer: the longest names fit into 1 MiB. [`Registry::members`] chooses them.
pub const MAX_ANSWER: usize = 3_000;

/// A node, as others connect to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its account.
    pub id: Address,
    /// IP address or name.
    pub ip: Host,
    /// TCP port for peers.
    pub port: u16,
}

/// A node as the page and `/members` show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Where it is.
    #[serde(flatten)]
    pub member: Member,
    /// Its network, 0 when it has none yet.
    pub network_id: u32,
    /// Its block 1, zeros when it has none yet.
    pub genesis_id: BlockId,
    /// Since when it is listed, server's clock.
    pub since: Timestamp,
    /// When it was last heard of, server's clock.
    pub seen: Timestamp,
    /// Since when it answers there with its key, server's clock.
    pub proven: Option<Timestamp>,
}

/// Selects nodes; the default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this network.
    pub network_id: Option<u32>,
    /// Only this block 1.
    pub genesis_id: Option<BlockId>,
    /// These come first: the miners that the asking node knows.
    pub prefer: Vec<Address>,
}

/// Both ends of a connection: the listed addresses depend on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vantage {
    /// The client.
    pub caller: IpAddr,
    /// The address of this server that the client has reached.
    pub reached: IpAddr,
}

/// Why a valid record is refused now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The clocks differ too much.
    #[error("time {got} is more than {} s from the clock here, {now}", CLOCK_WINDOW_MS / 1000)]
    Clock {
        /// Milliseconds of the record.
        got: Timestamp,
        /// Milliseconds here.
        now: Timestamp,
    },
    /// A replay, or overtaken by a newer record of the same node.
    #[error("time {got} is not newer than that of the stored record, {stored}")]
    Stale {
        /// Milliseconds of the record.
        got: Timestamp,
        /// Milliseconds of the stored one.
        stored: Timestamp,
    },
    /// Too many records from the neighbours of one caller.
    #[error("there are {MAX_ENTRIES_PER_BLOCK} records from your network")]
    BlockFull,
    /// Too many records from one caller.
    #[error("there are {MAX_ENTRIES_PER_CALLER} records from your address")]
    CallerFull,
    /// Too many records.
    #[error("there are {MAX_ENTRIES} records")]
    Full,
}

/// The newest record of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    id: Address,
    /// Of its newest record.
    time: Timestamp,
    /// The sender of that record.
    caller: IpAddr,
    /// Absent after a removal or after [`LIFE_MS`]; `place` on disk.
    #[serde(rename = "place")]
    listing: Option<Listing>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Listing {
    ip: Host,
    port: u16,
    network_id: u32,
    genesis_id: BlockId,
    since: Timestamp,
    seen: Timestamp,
    /// Since when the place answers with the key of this node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proven: Option<Timestamp>,
    /// When it was asked last.
    #[serde(skip)]
    asked: Option<Timestamp>,
}

impl Listing {
    /// A clock that was set back does not make a record live longer.
    fn lives(&self, now: Timestamp) -> bool {
        now.get().abs_diff(self.seen.get()) < LIFE_MS
    }
}

/// All entries.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    entries: BTreeMap<Address, Entry>,
    /// How often places of each block of addresses were asked for proof.
    turns: BTreeMap<IpAddr, u64>,
    revision: u64,
}

impl Registry {
    /// The `entries` that are current at `now`, at most [`MAX_ENTRIES`].
    pub(crate) fn restore(entries: Vec<Entry>, now: Timestamp) -> Self {
        let entries = entries.into_iter().take(MAX_ENTRIES);
        let mut registry = Self {
            entries: entries.map(|entry| (entry.id, entry)).collect(),
            turns: BTreeMap::new(),
            revision: 0,
        };
        registry.sweep(now);
        registry
    }

    /// The content that a restart must not lose.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Grows with every change; 0 for the restored content.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Adds, renews or removes the record of a node.
    ///
    /// # Errors
    /// [`RegistryError`]; the registry is unchanged then.
    pub fn apply(
        &mut self,
        verified: &Verified,
        caller: IpAddr,
        now: Timestamp,
    ) -> Result<(), RegistryError> {
        let record = verified.record();
        let (id, got) = (record.id, record.time);
        if !is_current(got, now) {
            return Err(RegistryError::Clock { got, now });
        }
        self.sweep(now);
        let former = self.entries.get(&id);
        if let Some(stored) = former.map(|entry| entry.time).filter(|time| got <= *time) {
            return Err(RegistryError::Stale { got, stored });
        }
        let caller = caller.to_canonical();
        self.make_room(id, caller)?;
        let former = self.entries.get(&id);
        let former = former.and_then(|entry| entry.listing.as_ref());
        let listing = match verified.command() {
            Command::Remove => None,
            Command::Add => {
                let (ip, port) = (seen_from(caller, verified.host()), record.port);
                let same = former.filter(|former| (&former.ip, former.port) == (&ip, port));
                Some(Listing {
                    port,
                    network_id: record.network_id,
                    genesis_id: record.genesis_id,
                    since: former.map_or(now, |listing| listing.since),
                    seen: now,
                    proven: same.and_then(|former| former.proven),
                    asked: same.and_then(|former| former.asked),
                    ip,
                })
            }
        };
        let entry = Entry {
            id,
            time: got,
            caller,
            listing,
        };
        self.entries.insert(id, entry);
        self.revision += 1;
        Ok(())
    }

    /// The nodes that live now, at most [`MAX_ANSWER`]: those that the filter prefers, then
    /// proven ones, the longest proven first, then the others in an order that `chance` gives.
    /// The blocks of addresses take turns, so that one of them hides no other.
    #[must_use]
    pub fn members(
        &self,
        filter: &Filter,
        vantage: Vantage,
        now: Timestamp,
        chance: u32,
    ) -> Vec<Listed> {
        let wanted = |listing: &Listing| {
            listing.lives(now)
                && filter.network_id.is_none_or(|id| id == listing.network_id)
                && filter.genesis_id.is_none_or(|id| id == listing.genesis_id)
        };
        let listed = |entry: &Entry| {
            let listing = entry.listing.as_ref().filter(|listing| wanted(listing))?;
            Some(Listed {
                member: Member {
                    id: entry.id,
                    ip: shown_to(vantage, &listing.ip),
                    port: listing.port,
                },
                network_id: listing.network_id,
                genesis_id: listing.genesis_id,
                since: listing.since,
                seen: listing.seen,
                proven: listing.proven,
            })
        };
        let entries = self.entries.values();
        let found = entries.filter_map(|entry| Some((block(entry.caller), listed(entry)?)));
        sample::choose(found.collect(), &filter.prefer, chance, MAX_ANSWER)
    }

    /// How many nodes live now.
    #[must_use]
    pub fn count(&self, now: Timestamp) -> usize {
        let listings = self
            .entries
            .values()
            .filter_map(|entry| entry.listing.as_ref());
        listings.filter(|listing| listing.lives(now)).count()
    }

    /// Removes expired listings, and entries whose old records are too old to be replayed.
    fn sweep(&mut self, now: Timestamp) {
        self.entries.retain(|_, entry| {
            entry.listing = entry.listing.take().filter(|listing| listing.lives(now));
            entry.listing.is_some() || is_current(entry.time, now)
        });
        self.sweep_turns();
    }

    /// Room for an entry of this id. When all room is taken, the newest entry without a proof
    /// goes, of the block of addresses that has most entries.
    fn make_room(&mut self, id: Address, caller: IpAddr) -> Result<(), RegistryError> {
        let others = || self.entries.values().filter(|entry| entry.id != id);
        let count = |same: &dyn Fn(&Entry) -> bool| others().filter(|entry| same(entry)).count();
        let (group, own) = (address_group(caller), block(caller));
        let in_block = count(&|entry| block(entry.caller) == own);
        if !caller.is_loopback() {
            let in_group = count(&|entry| address_group(entry.caller) == group);
            if in_group >= MAX_ENTRIES_PER_CALLER {
                return Err(RegistryError::CallerFull);
            }
            if in_block >= MAX_ENTRIES_PER_BLOCK {
                return Err(RegistryError::BlockFull);
            }
        }
        if self.entries.contains_key(&id) || self.entries.len() < MAX_ENTRIES {
            return Ok(());
        }
        let mut sizes: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for entry in self.entries.values() {
            *sizes.entry(block(entry.caller)).or_default() += 1;
        }
        let size = |entry: &Entry| sizes.get(&block(entry.caller)).copied().unwrap_or_default();
        let unproven = self.entries.values().filter(|entry| !entry.is_proven());
        let worst = unproven
            .filter(|entry| size(entry) > in_block + 1)
            .max_by_key(|entry| (size(entry), entry.since(), entry.id));
        let worst = worst.map(|entry| entry.id).ok_or(RegistryError::Full)?;
        self.entries.remove(&worst);
        Ok(())
    }
}

impl Entry {
    fn is_proven(&self) -> bool {
        let listing = self.listing.as_ref();
        listing.is_some_and(|listing| listing.proven.is_some())
    }

    fn since(&self) -> Option<Timestamp> {
        self.listing.as_ref().map(|listing| listing.since)
    }
}

/// The /24 of an IPv4 address or the /48 of an IPv6 address: what one party may hold whole.
fn block(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() >> 8 << 8)),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 80 << 80)),
    }
}

/// Whether a record of this time would be accepted now.
fn is_current(time: Timestamp, now: Timestamp) -> bool {
    time.get().abs_diff(now.get()) <= CLOCK_WINDOW_MS
}

/// The host that a record names, or the caller if only the node itself could use that.
fn seen_from(caller: IpAddr, host: &Host) -> Host {
    if host.is_unspecified() || (host.is_loopback() && !caller.is_loopback()) {
        Host::of(caller)
    } else {
        host.clone()
    }
}

/// For callers elsewhere, a node on this machine has the address that they have reached.
fn shown_to(vantage: Vantage, host: &Host) -> Host {
    if host.is_loopback() && !vantage.caller.to_canonical().is_loopback() {
        Host::of(vantage.reached)
    } else {
        host.clone()
    }
}

#[cfg(test)]
mod tests;
