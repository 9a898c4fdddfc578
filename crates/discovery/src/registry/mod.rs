//! Who is listed: pure rules over verified records and a time that comes in. It knows
//! no clock, socket or file.
//!
//! An entry outlives its place in the list for as long as an older record of the same
//! node would still pass the check of its time: nothing can be replayed.

use crate::{Command, Host, Verified};
use ccoin_core::{BlockId, Timestamp};
use ccoin_crypto::Address;
use ccoin_http::address_group;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::IpAddr};

/// How long a node stays listed after it was last heard of, by the server's clock:
/// nodes renew every 30 s, so two losses are forgiven.
pub const LIFE_MS: u64 = 90_000;

/// How far the time of a record may be from the server's clock.
pub const CLOCK_WINDOW_MS: u64 = 60_000;

/// Entries of all callers; further ids are refused until one ends.
pub const MAX_ENTRIES: usize = 10_000;

/// Entries from one address (one /64 of IPv6) that is not this machine.
pub const MAX_ENTRIES_PER_CALLER: usize = 64;

/// Nodes in one answer, the longest listed first: the longest names fit into 1 MiB, and
/// whoever fills the registry hides no node that was there before.
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

/// A node with everything that is known about it.
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
}

/// Which nodes are asked for; the default is all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this network.
    pub network_id: Option<u32>,
    /// Only this block 1.
    pub genesis_id: Option<BlockId>,
}

/// From where a list is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vantage {
    /// Who asks.
    pub caller: IpAddr,
    /// The address of this server on which they reached it.
    pub reached: IpAddr,
}

/// Why a good record is not taken now.
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
    /// The caller has its share.
    #[error("there are {MAX_ENTRIES_PER_CALLER} records from your address")]
    CallerFull,
    /// No room at all.
    #[error("there are {MAX_ENTRIES} records")]
    Full,
}

/// What is remembered of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    id: Address,
    /// Of its newest record.
    time: Timestamp,
    /// Who sent that record.
    caller: IpAddr,
    /// Absent after a removal or the end of its life.
    place: Option<Place>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    ip: Host,
    port: u16,
    network_id: u32,
    genesis_id: BlockId,
    since: Timestamp,
    seen: Timestamp,
}

impl Place {
    /// A clock that was set back must not make a record live longer.
    fn lives(&self, now: Timestamp) -> bool {
        now.get().abs_diff(self.seen.get()) < LIFE_MS
    }
}

/// All entries.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    entries: BTreeMap<Address, Entry>,
    revision: u64,
}

impl Registry {
    /// What `entries` leave at `now`, at most [`MAX_ENTRIES`].
    pub(crate) fn restore(entries: Vec<Entry>, now: Timestamp) -> Self {
        let entries = entries.into_iter().take(MAX_ENTRIES);
        let mut registry = Self {
            entries: entries.map(|entry| (entry.id, entry)).collect(),
            revision: 0,
        };
        registry.sweep(now);
        registry
    }

    /// Everything that a restart must not lose.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Grows with every change; 0 for what was restored.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Does what the owner of a record asks for.
    ///
    /// # Errors
    /// [`RegistryError`]; nothing has changed then.
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
        self.check_room(id, caller)?;
        let former = former.and_then(|entry| entry.place.as_ref());
        let place = match verified.command() {
            Command::Remove => None,
            Command::Add => Some(Place {
                ip: seen_from(caller, verified.host()),
                port: record.port,
                network_id: record.network_id,
                genesis_id: record.genesis_id,
                since: former.map_or(now, |place| place.since),
                seen: now,
            }),
        };
        let entry = Entry {
            id,
            time: got,
            caller,
            place,
        };
        self.entries.insert(id, entry);
        self.revision += 1;
        Ok(())
    }

    /// The nodes that live now, the longest listed first, at most [`MAX_ANSWER`].
    #[must_use]
    pub fn members(&self, filter: &Filter, vantage: Vantage, now: Timestamp) -> Vec<Listed> {
        let wanted = |place: &Place| {
            place.lives(now)
                && filter.network_id.is_none_or(|id| id == place.network_id)
                && filter.genesis_id.is_none_or(|id| id == place.genesis_id)
        };
        let mut found: Vec<_> = self
            .entries
            .values()
            .filter_map(|entry| Some((entry.place.as_ref().filter(|p| wanted(p))?, entry.id)))
            .collect();
        found.sort_unstable_by_key(|(place, id)| (place.since, *id));
        found.truncate(MAX_ANSWER);
        let listed = |(place, id): (&Place, Address)| Listed {
            member: Member {
                id,
                ip: shown_to(vantage, &place.ip),
                port: place.port,
            },
            network_id: place.network_id,
            genesis_id: place.genesis_id,
            since: place.since,
            seen: place.seen,
        };
        found.into_iter().map(listed).collect()
    }

    /// How many nodes live now.
    #[must_use]
    pub fn count(&self, now: Timestamp) -> usize {
        let places = self
            .entries
            .values()
            .filter_map(|entry| entry.place.as_ref());
        places.filter(|place| place.lives(now)).count()
    }

    /// Ends lives, and forgets times that no record can repeat any more.
    fn sweep(&mut self, now: Timestamp) {
        self.entries.retain(|_, entry| {
            entry.place = entry.place.take().filter(|place| place.lives(now));
            entry.place.is_some() || is_current(entry.time, now)
        });
    }

    fn check_room(&self, id: Address, caller: IpAddr) -> Result<(), RegistryError> {
        if !self.entries.contains_key(&id) && self.entries.len() >= MAX_ENTRIES {
            return Err(RegistryError::Full);
        }
        if caller.is_loopback() {
            return Ok(());
        }
        let group = address_group(caller);
        let same = |entry: &&Entry| entry.id != id && address_group(entry.caller) == group;
        if self.entries.values().filter(same).count() >= MAX_ENTRIES_PER_CALLER {
            return Err(RegistryError::CallerFull);
        }
        Ok(())
    }
}

/// Could a record of this time be sent now?
fn is_current(time: Timestamp, now: Timestamp) -> bool {
    time.get().abs_diff(now.get()) <= CLOCK_WINDOW_MS
}

/// Where a node is: as it says, unless that says nothing to anybody but itself.
fn seen_from(caller: IpAddr, host: &Host) -> Host {
    if host.is_unspecified() || (host.is_loopback() && !caller.is_loopback()) {
        Host::of(caller)
    } else {
        host.clone()
    }
}

/// A node on this machine is, for others, where they reached this machine.
fn shown_to(vantage: Vantage, host: &Host) -> Host {
    if host.is_loopback() && !vantage.caller.to_canonical().is_loopback() {
        Host::of(vantage.reached)
    } else {
        host.clone()
    }
}

#[cfg(test)]
mod tests;
