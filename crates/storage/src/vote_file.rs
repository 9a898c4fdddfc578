//! What a key has signed and voted, on disk before the signature is made, so that it never
//! signs two blocks for one slot and number, nor two votes that conflict, even across crashes.
//!
//! A record never goes back. The rules that say who may sign live in `core`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ccoin_core::consensus::ballot::Ballot;
use ccoin_core::consensus::vote::Proposed;
use ccoin_core::consensus::voter_record::{Standing, VoterRecord};
use ccoin_core::{BlockId, Height};

use crate::disk::{Disk, RealDisk};
use crate::slot_file::{Layout, SlotFile, SlotFileError};

/// Genesis id, slot and number of the last sealed block.
const SEALED_BYTES: usize = 32 + 8 + 8;

/// The same, the greatest ballot, ballot, number and id of the lock, standing and its ballot.
const RECORD_BYTES: usize = SEALED_BYTES + 8 + (8 + 8 + 32) + (1 + 8);

/// Stands for all networks that a file which replaces a lost one does not list.
const ANY_OTHER: BlockId = BlockId::ZERO;

const LAYOUT: Layout = Layout {
    magic: *b"ccvotes",
    version: 2,
    item: RECORD_BYTES,
};

/// The version before votes: its keys have sealed blocks and never voted.
const LAYOUT_OF_SEALS: Layout = Layout {
    magic: LAYOUT.magic,
    version: 1,
    item: SEALED_BYTES,
};

/// What a key has signed on one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoteRecord {
    /// The network.
    pub genesis_id: BlockId,
    /// Slot of the newest block that the key sealed: milliseconds since 1970 / `slot_ms`.
    pub last_sealed_slot: u64,
    /// Number of that block.
    pub last_sealed_number: u64,
    /// What it has voted.
    pub voter: VoterRecord,
}

impl VoteRecord {
    /// The record of a key that has signed nothing on a network.
    #[must_use]
    pub fn never_signed(genesis_id: BlockId) -> Self {
        Self {
            genesis_id,
            last_sealed_slot: 0,
            last_sealed_number: 0,
            voter: VoterRecord::never_voted(genesis_id),
        }
    }

    /// The record of a key that may have signed anything on a network.
    #[must_use]
    pub fn lost(genesis_id: BlockId) -> Self {
        let mut record = Self::never_signed(genesis_id);
        record.voter.standing = Standing::Abstains(None);
        record
    }

    /// Whether this record forgets what `stored` says. A key that begins to recover from a loss
    /// may lock on less (A4).
    fn goes_back_behind(&self, stored: &Self) -> bool {
        let sealed = |record: &Self| (record.last_sealed_slot, record.last_sealed_number);
        let recovers = |record: &Self| matches!(record.voter.standing, Standing::Recovering(_));
        let begins = recovers(self) && !recovers(stored);
        sealed(self) < sealed(stored)
            || self.voter.max_vote1 < stored.voter.max_vote1
            || (!begins && self.voter.lock.ballot < stored.voter.lock.ballot)
    }

    fn encode(&self) -> impl Iterator<Item = u8> {
        let VoterRecord {
            max_vote1,
            lock,
            standing,
        } = self.voter;
        let (standing, floor) = match standing {
            Standing::Intact => (0, Ballot::GENESIS),
            Standing::Abstains(None) => (1, Ballot::GENESIS),
            Standing::Abstains(Some(floor)) => (2, floor),
            Standing::Recovering(floor) => (3, floor),
        };
        let numbers = |numbers: [u64; 2]| numbers.into_iter().flat_map(u64::to_be_bytes);
        let id = |id: BlockId| id.as_bytes().to_vec();
        id(self.genesis_id)
            .into_iter()
            .chain(numbers([self.last_sealed_slot, self.last_sealed_number]))
            .chain(numbers([max_vote1.0, lock.ballot.0]))
            .chain(lock.number.get().to_be_bytes())
            .chain(id(lock.id))
            .chain([standing])
            .chain(floor.0.to_be_bytes())
    }

    /// `None`: no version has written such a record.
    fn decode(bytes: &[u8; RECORD_BYTES]) -> Option<Self> {
        let (sealed, rest) = bytes.split_first_chunk()?;
        let (max_vote1, rest) = number(rest)?;
        let (ballot, rest) = number(rest)?;
        let (height, rest) = number(rest)?;
        let (id, rest) = rest.split_first_chunk()?;
        let (standing, rest) = rest.split_first()?;
        let floor = Ballot(number(rest)?.0);
        let standing = match standing {
            0 => Standing::Intact,
            1 => Standing::Abstains(None),
            2 => Standing::Abstains(Some(floor)),
            3 => Standing::Recovering(floor),
            _ => return None,
        };
        let mut record = Self::decode_seals(sealed)?;
        record.voter = VoterRecord {
            max_vote1: Ballot(max_vote1),
            lock: Proposed {
                ballot: Ballot(ballot),
                number: Height::new(height).ok()?,
                id: BlockId::new(*id),
            },
            standing,
        };
        Some(record)
    }

    /// A record of the version before votes.
    fn decode_seals(bytes: &[u8; SEALED_BYTES]) -> Option<Self> {
        let (genesis_id, rest) = bytes.split_first_chunk()?;
        let (last_sealed_slot, rest) = number(rest)?;
        Some(Self {
            last_sealed_slot,
            last_sealed_number: number(rest)?.0,
            ..Self::never_signed(BlockId::new(*genesis_id))
        })
    }
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), rest))
}

/// Why the vote file cannot be trusted or written.
#[derive(Debug, thiserror::Error)]
pub enum VoteFileError {
    /// The file itself; [`SlotFileError::Missing`] and [`SlotFileError::Damaged`] mean that
    /// what the key has signed is lost.
    #[error("the vote file {} {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: SlotFileError,
    },
    /// The new record is older than the stored one.
    #[error("the vote record {got:?} is older than the stored {stored:?}")]
    Backwards {
        /// The record to be stored.
        got: Box<VoteRecord>,
        /// The one on disk.
        stored: Box<VoteRecord>,
    },
}

/// The open vote file of one key; its owner holds the lock of the key.
pub struct VoteFile {
    file: SlotFile,
    path: PathBuf,
    records: Vec<VoteRecord>,
}

impl VoteFile {
    /// Creates the file of a key that has never signed.
    ///
    /// # Errors
    /// [`VoteFileError::File`], also if there is a file already.
    pub fn create(path: &Path) -> Result<Self, VoteFileError> {
        Self::create_on(Arc::new(RealDisk), path, None)
    }

    /// Creates the file of a key whose file is lost, with the record that takes its place on one
    /// network; on all others it counts as lost (A1). There is no moment at which the key seems
    /// to have signed nothing.
    ///
    /// # Errors
    /// [`VoteFileError::File`], also if there is a file already.
    pub fn create_with(path: &Path, record: VoteRecord) -> Result<Self, VoteFileError> {
        Self::create_on(Arc::new(RealDisk), path, Some(record))
    }

    pub(crate) fn create_on(
        disk: Arc<dyn Disk>,
        path: &Path,
        record: Option<VoteRecord>,
    ) -> Result<Self, VoteFileError> {
        let replaces_lost = record.map(|_| VoteRecord::lost(ANY_OTHER));
        let records = [record, replaces_lost].into_iter().flatten();
        let content = records.flat_map(|record| record.encode().collect::<Vec<_>>());
        let content = content.collect();
        SlotFile::create(disk, path, LAYOUT, content)
            .and_then(|file| Self::of(file, path))
            .map_err(fault(path))
    }

    /// Opens the file of a key; one of the version before votes is converted.
    ///
    /// # Errors
    /// [`VoteFileError::File`].
    pub fn open(path: &Path) -> Result<Self, VoteFileError> {
        Self::open_on(Arc::new(RealDisk), path)
    }

    pub(crate) fn open_on(disk: Arc<dyn Disk>, path: &Path) -> Result<Self, VoteFileError> {
        let opened = match SlotFile::open(Arc::clone(&disk), path, LAYOUT) {
            Err(SlotFileError::Version { got, .. }) if got == LAYOUT_OF_SEALS.version => {
                SlotFile::open(disk, path, LAYOUT_OF_SEALS).and_then(with_votes)
            }
            opened => opened,
        };
        opened
            .and_then(|file| Self::of(file, path))
            .map_err(fault(path))
    }

    fn of(file: SlotFile, path: &Path) -> Result<Self, SlotFileError> {
        let (records, _) = file.content().as_chunks();
        let records: Option<_> = records.iter().map(VoteRecord::decode).collect();
        Ok(Self {
            records: records.ok_or(SlotFileError::Damaged)?,
            path: path.to_owned(),
            file,
        })
    }

    /// What the key has signed on a network; `None` if it never signed there.
    #[must_use]
    pub fn record(&self, genesis_id: &BlockId) -> Option<VoteRecord> {
        let of = |id: &BlockId| self.records.iter().find(|record| record.genesis_id == *id);
        let lost = || of(&ANY_OTHER).map(|_| VoteRecord::lost(*genesis_id));
        of(genesis_id).copied().or_else(lost)
    }

    /// Puts a record on disk; only then may what it allows be signed.
    ///
    /// # Errors
    /// [`VoteFileError::Backwards`] for one older than the stored one, which stays;
    /// [`VoteFileError::File`] for a failed write, after which every later call fails too.
    pub fn store(&mut self, record: VoteRecord) -> Result<(), VoteFileError> {
        match self.record(&record.genesis_id) {
            Some(stored) if record.goes_back_behind(&stored) => {
                let (got, stored) = (Box::new(record), Box::new(stored));
                Err(VoteFileError::Backwards { got, stored })
            }
            _ => self.replace(record),
        }
    }

    /// Puts a record on disk that may lock on less than the stored one: the operator vouches
    /// for it, because the stored one counts as lost.
    ///
    /// # Errors
    /// [`VoteFileError::File`], as [`VoteFile::store`].
    pub fn replace(&mut self, record: VoteRecord) -> Result<(), VoteFileError> {
        let mut records = self.records.clone();
        let known = records
            .iter_mut()
            .find(|known| known.genesis_id == record.genesis_id);
        match known {
            Some(known) => *known = record,
            None => records.push(record),
        }
        let content = records.iter().flat_map(VoteRecord::encode).collect();
        self.file.store(content).map_err(fault(&self.path))?;
        self.records = records;
        Ok(())
    }
}

/// The same file in the version of today.
fn with_votes(file: SlotFile) -> Result<SlotFile, SlotFileError> {
    let (records, _) = file.content().as_chunks();
    let records: Option<Vec<_>> = records.iter().map(VoteRecord::decode_seals).collect();
    let records = records.ok_or(SlotFileError::Damaged)?;
    let content = records.iter().flat_map(VoteRecord::encode).collect();
    file.convert(LAYOUT, content)
}

fn fault(path: &Path) -> impl Fn(SlotFileError) -> VoteFileError {
    move |source| VoteFileError::File {
        path: path.to_owned(),
        source,
    }
}
