//! What a key has signed, on disk before the signature leaves the host, so that
//! it never signs two blocks for one slot and number, even across crashes.
//!
//! A record never goes back. The rules that say who may sign live in `core`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ccoin_core::BlockId;

use crate::disk::{Disk, RealDisk};
use crate::slot_file::{Layout, SlotFile, SlotFileError};

/// Genesis id, slot, number.
const RECORD_BYTES: usize = 32 + 8 + 8;

const LAYOUT: Layout = Layout {
    magic: *b"ccvotes",
    version: 1,
    item: RECORD_BYTES,
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
}

impl VoteRecord {
    fn position(&self) -> (u64, u64) {
        (self.last_sealed_slot, self.last_sealed_number)
    }

    fn encode(&self) -> impl Iterator<Item = u8> {
        let slot = self.last_sealed_slot.to_be_bytes();
        let number = self.last_sealed_number.to_be_bytes();
        self.genesis_id
            .as_bytes()
            .iter()
            .copied()
            .chain(slot)
            .chain(number)
    }

    fn decode(bytes: &[u8; RECORD_BYTES]) -> Self {
        let (genesis_id, numbers) = bytes.split_at(32);
        let (slot, number) = numbers.split_at(8);
        Self {
            genesis_id: BlockId::new(genesis_id.try_into().expect("32 bytes")),
            last_sealed_slot: u64::from_be_bytes(slot.try_into().expect("8 bytes")),
            last_sealed_number: u64::from_be_bytes(number.try_into().expect("8 bytes")),
        }
    }
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
    #[error("vote record (slot, number) {got:?} is older than the stored {stored:?}")]
    Backwards {
        /// Slot and number to be stored.
        got: (u64, u64),
        /// Slot and number on disk.
        stored: (u64, u64),
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
        Self::create_on(Arc::new(RealDisk), path)
    }

    pub(crate) fn create_on(disk: Arc<dyn Disk>, path: &Path) -> Result<Self, VoteFileError> {
        SlotFile::create(disk, path, LAYOUT)
            .map(|file| Self::of(file, path))
            .map_err(fault(path))
    }

    /// Opens the file of a key.
    ///
    /// # Errors
    /// [`VoteFileError::File`].
    pub fn open(path: &Path) -> Result<Self, VoteFileError> {
        Self::open_on(Arc::new(RealDisk), path)
    }

    pub(crate) fn open_on(disk: Arc<dyn Disk>, path: &Path) -> Result<Self, VoteFileError> {
        SlotFile::open(disk, path, LAYOUT)
            .map(|file| Self::of(file, path))
            .map_err(fault(path))
    }

    fn of(file: SlotFile, path: &Path) -> Self {
        let (records, _) = file.content().as_chunks();
        Self {
            records: records.iter().map(VoteRecord::decode).collect(),
            path: path.to_owned(),
            file,
        }
    }

    /// What the key has signed on a network; `None` if it never signed there.
    #[must_use]
    pub fn record(&self, genesis_id: &BlockId) -> Option<VoteRecord> {
        self.records
            .iter()
            .find(|record| record.genesis_id == *genesis_id)
            .copied()
    }

    /// Puts a record on disk; only then may the block be signed.
    ///
    /// # Errors
    /// [`VoteFileError::Backwards`] for one older than the stored one, which stays;
    /// [`VoteFileError::File`] for a failed write, after which every later call fails too.
    pub fn store(&mut self, record: VoteRecord) -> Result<(), VoteFileError> {
        let mut records = self.records.clone();
        match records
            .iter_mut()
            .find(|known| known.genesis_id == record.genesis_id)
        {
            Some(known) if record.position() < known.position() => {
                let (got, stored) = (record.position(), known.position());
                return Err(VoteFileError::Backwards { got, stored });
            }
            Some(known) => *known = record,
            None => records.push(record),
        }
        let content = records.iter().flat_map(VoteRecord::encode).collect();
        self.file.store(content).map_err(fault(&self.path))?;
        self.records = records;
        Ok(())
    }
}

fn fault(path: &Path) -> impl Fn(SlotFileError) -> VoteFileError {
    move |source| VoteFileError::File {
        path: path.to_owned(),
        source,
    }
}
