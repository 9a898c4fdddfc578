//! The records of the pool log: transactions that wait, and those that were dropped with
//! the reason. Turns them into bytes and the bytes of one file back; touches no file.

use std::collections::HashMap;
use std::path::Path;

use ccoin_core::{Timestamp, TxId};

use crate::StorageError;
use crate::record::{self, MAX_PAYLOAD};
use crate::segment::{FileHeader, HEADER};

/// Kinds of records.
mod kind {
    /// Arrival and encoding of a transaction.
    pub(super) const ACCEPTED: u8 = 0;
    /// Its id alone; earlier versions wrote this when one was dropped.
    pub(super) const DROPPED_ID: u8 = 1;
    /// When a transaction was dropped, length of the reason, reason, encoding.
    pub(super) const DROPPED: u8 = 2;
}

/// Most bytes of a reason that are kept.
const MAX_REASON: usize = 1_000;

/// The id of an encoded transaction; `None` if the bytes are none.
pub type IdOf<'a> = &'a dyn Fn(&[u8]) -> Option<TxId>;

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolRecord<'a> {
    /// A transaction that waits.
    Waiting {
        /// When it was accepted.
        arrived: Timestamp,
        /// Its encoding.
        bytes: &'a [u8],
    },
    /// A transaction that waits no longer and is in no block.
    Dropped {
        /// When it was dropped.
        at: Timestamp,
        /// Why; what is behind the first 1,000 bytes is not kept.
        reason: &'a str,
        /// Its encoding.
        bytes: &'a [u8],
    },
}

/// A transaction as it was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolEntry {
    /// When it was accepted.
    pub arrived: Timestamp,
    /// Its encoding.
    pub bytes: Vec<u8>,
}

/// A transaction as it was dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppedEntry {
    /// When it was dropped.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// Its encoding.
    pub bytes: Vec<u8>,
}

impl PoolEntry {
    pub(crate) fn record(&self) -> PoolRecord<'_> {
        PoolRecord::Waiting {
            arrived: self.arrived,
            bytes: &self.bytes,
        }
    }
}

impl DroppedEntry {
    pub(crate) fn record(&self) -> PoolRecord<'_> {
        PoolRecord::Dropped {
            at: self.at,
            reason: &self.reason,
            bytes: &self.bytes,
        }
    }

    fn parse(payload: &[u8]) -> Option<Self> {
        let (at, rest) = payload.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (reason, bytes) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        Some(Self {
            at: Timestamp::new(u64::from_be_bytes(*at)).ok()?,
            reason: String::from_utf8(reason.to_vec()).ok()?,
            bytes: bytes.to_vec(),
        })
    }
}

/// Appends a record that will stand at `at`.
pub(crate) fn encode(
    out: &mut Vec<u8>,
    (seed, at, synced): (u64, u64, u64),
    record: &PoolRecord<'_>,
) -> Result<(), StorageError> {
    let (kind, time, reason, bytes) = match record {
        PoolRecord::Waiting { arrived, bytes } => (kind::ACCEPTED, arrived, None, bytes),
        PoolRecord::Dropped { at, reason, bytes } => {
            let reason = &reason[..reason.floor_char_boundary(MAX_REASON)];
            (kind::DROPPED, at, Some(reason), bytes)
        }
    };
    let time = time.get().to_be_bytes();
    let length = reason.map(|reason| (reason.len() as u16).to_be_bytes());
    let length = length.as_ref().map_or(&[][..], |length| length);
    let parts = [&time, length, reason.unwrap_or("").as_bytes(), bytes];
    let got = parts.iter().map(|part| part.len()).sum::<usize>();
    if got > MAX_PAYLOAD {
        return Err(StorageError::TooLong {
            got: got as u64,
            max: MAX_PAYLOAD as u64,
        });
    }
    record::encode(out, seed, at, synced, kind, &parts);
    Ok(())
}

/// What a file holds.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// In the order of their last acceptance.
    pub(crate) waiting: Vec<PoolEntry>,
    /// In the order in which they were dropped.
    pub(crate) dropped: Vec<DroppedEntry>,
    /// Where the next record would stand.
    pub(crate) end: u64,
}

/// Reads the records behind the header of a file; the last one of a transaction counts.
pub(crate) fn read(
    path: &Path,
    file: &[u8],
    header: &FileHeader,
    id_of: IdOf<'_>,
) -> Result<Records, StorageError> {
    let seed = header.seed;
    let mut at = HEADER as usize;
    let damaged = |at: usize| StorageError::Damaged {
        path: path.into(),
        offset: at as u64,
    };
    // Holes where a later record of the same transaction follows.
    let (mut waiting, mut dropped) = (Vec::new(), Vec::new());
    let (mut waits, mut drops) = (HashMap::new(), HashMap::new());
    while let Some(record) = record::decode(&file[at..], seed, at as u64) {
        if let Some(payload) = record.payload {
            let (id, kept) = parse(record.kind, payload, id_of).ok_or_else(|| damaged(at))?;
            let place = waits
                .remove(&id)
                .and_then(|place: usize| waiting.get_mut(place));
            place.into_iter().for_each(|entry| *entry = None);
            let place = drops
                .remove(&id)
                .and_then(|place: usize| dropped.get_mut(place));
            place.into_iter().for_each(|entry| *entry = None);
            match kept {
                Kept::Waiting(entry) => {
                    waits.insert(id, waiting.len());
                    waiting.push(Some(entry));
                }
                Kept::Dropped(entry) => {
                    drops.insert(id, dropped.len());
                    dropped.push(Some(entry));
                }
                Kept::Nothing => {}
            }
        }
        at += record.size();
    }
    if record::proves_synced(&file[at..], seed, at as u64, at as u64) {
        return Err(damaged(at));
    }
    if record::begins(&file[at..], seed) {
        tracing::warn!(file = %path.display(), offset = at, "torn tail cut off");
    }
    Ok(Records {
        waiting: waiting.into_iter().flatten().collect(),
        dropped: dropped.into_iter().flatten().collect(),
        end: at as u64,
    })
}

/// What a record leaves of its transaction.
enum Kept {
    Waiting(PoolEntry),
    Dropped(DroppedEntry),
    Nothing,
}

fn parse(kind: u8, payload: &[u8], id_of: IdOf<'_>) -> Option<(TxId, Kept)> {
    match kind {
        kind::ACCEPTED => {
            let (arrived, bytes) = payload.split_first_chunk()?;
            let entry = PoolEntry {
                arrived: Timestamp::new(u64::from_be_bytes(*arrived)).ok()?,
                bytes: bytes.to_vec(),
            };
            Some((id_of(&entry.bytes)?, Kept::Waiting(entry)))
        }
        kind::DROPPED => {
            let entry = DroppedEntry::parse(payload)?;
            Some((id_of(&entry.bytes)?, Kept::Dropped(entry)))
        }
        kind::DROPPED_ID => Some((TxId::new(payload.try_into().ok()?), Kept::Nothing)),
        _ => None,
    }
}
