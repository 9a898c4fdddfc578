//! The record of what a key has signed, on disk before the signature leaves the host, so
//! that it never signs two things for one turn, even across crashes.
//!
//! Two slots take turns: while one is written the other stays whole, and the
//! one with a good checksum and the higher sequence number counts. A record
//! never goes back. The rules of signing are elsewhere.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use ccoin_core::BlockId;
use ccoin_crypto::sha256;

use crate::atomic_file::write_new;
use crate::{ExitCode, Failure};

/// Bytes of the file that each slot owns.
const SLOT_BYTES: usize = 16 << 10;

/// Seven letters, then the version of the layout.
const MAGIC: &[u8; 7] = b"ccvotes";
const VERSION: u8 = 1;

/// Magic, version, sequence number, count of records.
const HEADER_BYTES: usize = 7 + 1 + 8 + 4;
/// Genesis id, slot, number.
const RECORD_BYTES: usize = 32 + 8 + 8;
const CHECKSUM_BYTES: usize = 32;

/// Networks that one key can serve in its life.
const MAX_RECORDS: usize = (SLOT_BYTES - HEADER_BYTES - CHECKSUM_BYTES) / RECORD_BYTES;

/// The last signatures of a key on one network.
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
}

/// Why the vote file cannot be trusted or written.
#[derive(Debug, thiserror::Error)]
pub enum VoteFileError {
    /// There is none: it is unknown what the key has signed.
    #[error("the vote file {} is missing", .0.display())]
    Missing(PathBuf),
    /// Neither slot is whole: it is unknown what the key has signed.
    #[error("the vote file {} is damaged: no slot has a good checksum", .0.display())]
    Damaged(PathBuf),
    /// Another version of the program wrote it.
    #[error("the vote file {} has version {got}, expected {VERSION}", .path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version found.
        got: u8,
    },
    /// The new record is older than the stored one.
    #[error("vote record (slot, number) {got:?} is older than the stored {stored:?}")]
    Backwards {
        /// Slot and number to be stored.
        got: (u64, u64),
        /// Slot and number on disk.
        stored: (u64, u64),
    },
    /// The key has served too many networks.
    #[error("the vote file {} is full: it lists {MAX_RECORDS} networks", .0.display())]
    Full(PathBuf),
    /// An earlier write failed, so what is on disk is not known.
    #[error("the vote file {} failed before: no more signatures", .0.display())]
    Poisoned(PathBuf),
    /// The file cannot be read or written.
    #[error("cannot use the vote file {}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

impl From<VoteFileError> for Failure {
    fn from(error: VoteFileError) -> Self {
        let failure = Self::new(ExitCode::Unexpected, error.to_string());
        match error {
            VoteFileError::Version { .. } => failure.hint("use the version of ccoin that wrote it"),
            VoteFileError::Full(_) => failure.hint("make a new key: create-account"),
            _ => failure,
        }
    }
}

/// The open vote file of one key.
#[derive(Debug)]
pub struct VoteFile {
    file: File,
    path: PathBuf,
    current: SlotContent,
    poisoned: bool,
}

impl VoteFile {
    /// Creates the file of a key that has never signed.
    ///
    /// # Errors
    /// [`VoteFileError::Io`], also if there is a file already.
    pub fn create(path: &Path) -> Result<Self, VoteFileError> {
        let mut bytes = SlotContent {
            slot: 0,
            sequence: 1,
            records: Vec::new(),
        }
        .encode();
        bytes.resize(2 * SLOT_BYTES, 0);
        write_new(path, &bytes, 0o600).map_err(|source| VoteFileError::Io {
            path: path.to_owned(),
            source,
        })?;
        Self::open(path)
    }

    /// Opens the file of a key.
    ///
    /// # Errors
    /// [`VoteFileError::Missing`] and [`VoteFileError::Damaged`] mean that what the key has
    /// signed is lost; the others are faults of the host.
    pub fn open(path: &Path) -> Result<Self, VoteFileError> {
        let owned = || path.to_owned();
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(VoteFileError::Missing(owned()));
            }
            opened => opened.map_err(|source| VoteFileError::Io {
                path: owned(),
                source,
            })?,
        };
        let mut bytes = Vec::new();
        (&file)
            .take(2 * SLOT_BYTES as u64)
            .read_to_end(&mut bytes)
            .map_err(|source| VoteFileError::Io {
                path: owned(),
                source,
            })?;
        let mut newest: Option<SlotContent> = None;
        for (slot, bytes) in bytes.chunks(SLOT_BYTES).enumerate() {
            let found = SlotContent::decode(slot, bytes)
                .map_err(|got| VoteFileError::Version { path: owned(), got })?;
            let newer = |found: &SlotContent| {
                newest
                    .as_ref()
                    .is_none_or(|newest| found.sequence > newest.sequence)
            };
            if let Some(found) = found.filter(newer) {
                newest = Some(found);
            }
        }
        let current = newest.ok_or_else(|| VoteFileError::Damaged(owned()))?;
        Ok(Self {
            file,
            path: owned(),
            current,
            poisoned: false,
        })
    }

    /// The record of a network; `None` if the key never signed there.
    #[must_use]
    pub fn record(&self, genesis_id: &BlockId) -> Option<VoteRecord> {
        self.current
            .records
            .iter()
            .find(|record| record.genesis_id == *genesis_id)
            .copied()
    }

    /// Puts a record on disk; only then may the block be signed.
    ///
    /// # Errors
    /// [`VoteFileError::Backwards`] for one older than the stored one, which stays; after a
    /// failed write every later call is [`VoteFileError::Poisoned`].
    pub fn store(&mut self, record: VoteRecord) -> Result<(), VoteFileError> {
        if self.poisoned {
            return Err(VoteFileError::Poisoned(self.path.clone()));
        }
        let mut next = SlotContent {
            slot: 1 - self.current.slot,
            sequence: self.current.sequence.wrapping_add(1),
            records: self.current.records.clone(),
        };
        let full = next.records.len() == MAX_RECORDS;
        match next
            .records
            .iter_mut()
            .find(|known| known.genesis_id == record.genesis_id)
        {
            Some(known) if record.position() < known.position() => {
                let (got, stored) = (record.position(), known.position());
                return Err(VoteFileError::Backwards { got, stored });
            }
            Some(known) => *known = record,
            None if full => return Err(VoteFileError::Full(self.path.clone())),
            None => next.records.push(record),
        }
        let offset = (next.slot * SLOT_BYTES) as u64;
        let written = self.file.write_all_at(&next.encode(), offset);
        if let Err(source) = written.and_then(|()| self.file.sync_data()) {
            self.poisoned = true;
            return Err(VoteFileError::Io {
                path: self.path.clone(),
                source,
            });
        }
        self.current = next;
        Ok(())
    }
}

/// One slot, and which of the two it is.
#[derive(Debug)]
struct SlotContent {
    slot: usize,
    sequence: u64,
    records: Vec<VoteRecord>,
}

impl SlotContent {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        bytes.extend(self.sequence.to_be_bytes());
        let count = u32::try_from(self.records.len()).expect("at most MAX_RECORDS are stored");
        bytes.extend(count.to_be_bytes());
        for record in &self.records {
            bytes.extend(record.genesis_id.as_bytes());
            bytes.extend(record.last_sealed_slot.to_be_bytes());
            bytes.extend(record.last_sealed_number.to_be_bytes());
        }
        let checksum = sha256(&[&bytes]);
        bytes.extend(checksum.as_bytes());
        bytes
    }

    /// The content, `None` if it is not whole.
    ///
    /// # Errors
    /// The version, if it is whole but of another one.
    fn decode(slot: usize, bytes: &[u8]) -> Result<Option<Self>, u8> {
        let Some((version, covered, checksum)) = split(bytes) else {
            return Ok(None);
        };
        if sha256(&[covered]).as_bytes() != checksum {
            return Ok(None);
        }
        if version != VERSION {
            return Err(version);
        }
        let (sequence, records) = covered[MAGIC.len() + 1..].split_at(8);
        let (records, _) = records[4..].as_chunks::<RECORD_BYTES>();
        Ok(Some(Self {
            slot,
            sequence: be_u64(sequence),
            records: records.iter().map(decode_record).collect(),
        }))
    }
}

/// Version, bytes under the checksum and checksum of a slot, if they fit into it.
fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let header = bytes.get(..HEADER_BYTES)?;
    let (version, _) = header.strip_prefix(MAGIC)?.split_first()?;
    let count = u32::from_be_bytes(*header.last_chunk()?) as usize;
    let covered = count.checked_mul(RECORD_BYTES)?.checked_add(HEADER_BYTES)?;
    let (covered, rest) = bytes.split_at_checked(covered)?;
    Some((*version, covered, rest.get(..CHECKSUM_BYTES)?))
}

fn decode_record(bytes: &[u8; RECORD_BYTES]) -> VoteRecord {
    let (genesis_id, numbers) = bytes
        .split_first_chunk()
        .expect("a record is longer than an id");
    let (slot, number) = numbers.split_at(8);
    VoteRecord {
        genesis_id: BlockId::new(*genesis_id),
        last_sealed_slot: be_u64(slot),
        last_sealed_number: be_u64(number),
    }
}

fn be_u64(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn record(network: u8, slot: u64, number: u64) -> VoteRecord {
        VoteRecord {
            genesis_id: BlockId::new([network; 32]),
            last_sealed_slot: slot,
            last_sealed_number: number,
        }
    }

    /// A file whose newest slot holds `record(1, 8, 3)` and the other `record(1, 7, 3)`.
    fn two_stores(path: &Path) -> SlotContent {
        let mut votes = VoteFile::create(path).unwrap();
        votes.store(record(1, 5, 2)).unwrap();
        votes.store(record(1, 7, 3)).unwrap();
        votes.store(record(1, 8, 3)).unwrap();
        votes.current
    }

    fn found(path: &Path) -> Option<VoteRecord> {
        VoteFile::open(path).unwrap().record(&BlockId::new([1; 32]))
    }

    #[test]
    fn records_survive_and_each_network_has_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("votes");
        let mut votes = VoteFile::create(&path).unwrap();
        assert_eq!(votes.record(&BlockId::new([1; 32])), None);
        for slot in 1..20 {
            votes.store(record(1, slot, slot)).unwrap();
            votes.store(record(2, 2 * slot, 1)).unwrap();
        }
        let votes = VoteFile::open(&path).unwrap();
        assert_eq!(
            votes.record(&BlockId::new([1; 32])),
            Some(record(1, 19, 19))
        );
        assert_eq!(votes.record(&BlockId::new([2; 32])), Some(record(2, 38, 1)));
        assert_eq!(votes.record(&BlockId::new([3; 32])), None);
        assert!(matches!(
            VoteFile::create(&path),
            Err(VoteFileError::Io { .. })
        ));
        assert_eq!(fs::metadata(&path).unwrap().len(), 2 * SLOT_BYTES as u64);
    }

    #[test]
    fn a_record_never_goes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("votes");
        let mut votes = VoteFile::create(&path).unwrap();
        votes.store(record(1, 8, 3)).unwrap();
        for older in [record(1, 8, 2), record(1, 7, 9)] {
            let error = votes.store(older).unwrap_err();
            assert!(
                matches!(error, VoteFileError::Backwards { stored: (8, 3), .. }),
                "{error}"
            );
        }
        assert_eq!(found(&path), Some(record(1, 8, 3)));
        votes.store(record(1, 8, 3)).unwrap();
        votes.store(record(1, 9, 2)).unwrap();
        assert_eq!(found(&path), Some(record(1, 9, 2)));
    }

    #[test]
    fn any_flipped_byte_of_the_newest_slot_falls_back_to_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("votes");
        let newest = two_stores(&path);
        let good = fs::read(&path).unwrap();
        let start = newest.slot * SLOT_BYTES;
        let used = newest.encode().len();
        assert_eq!(found(&path), Some(record(1, 8, 3)));
        for at in start..start + used {
            let mut bytes = good.clone();
            bytes[at] ^= 0x10;
            fs::write(&path, &bytes).unwrap();
            assert_eq!(found(&path), Some(record(1, 7, 3)), "byte {at}");
            // And the file is usable again.
            VoteFile::open(&path)
                .unwrap()
                .store(record(1, 8, 4))
                .unwrap();
            assert_eq!(found(&path), Some(record(1, 8, 4)), "byte {at}");
        }
    }

    #[test]
    fn a_file_cut_anywhere_falls_back_or_is_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("votes");
        let newest = two_stores(&path);
        assert_eq!(
            newest.slot, 1,
            "the newest slot must be the last for this test"
        );
        let good = fs::read(&path).unwrap();
        let used = newest.encode().len();
        for length in SLOT_BYTES..SLOT_BYTES + used {
            fs::write(&path, &good[..length]).unwrap();
            assert_eq!(found(&path), Some(record(1, 7, 3)), "length {length}");
        }
        for length in 0..used {
            fs::write(&path, &good[..length]).unwrap();
            let error = VoteFile::open(&path).unwrap_err();
            assert!(
                matches!(error, VoteFileError::Damaged(_)),
                "length {length}: {error}"
            );
        }
    }

    #[test]
    fn missing_damaged_and_foreign_files_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("votes");
        assert!(matches!(
            VoteFile::open(&path),
            Err(VoteFileError::Missing(_))
        ));
        assert!(matches!(
            VoteFile::open(dir.path()),
            Err(VoteFileError::Io { .. })
        ));
        two_stores(&path);
        let mut bytes = fs::read(&path).unwrap();
        bytes[10] ^= 1;
        bytes[SLOT_BYTES + 10] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert!(matches!(
            VoteFile::open(&path),
            Err(VoteFileError::Damaged(_))
        ));

        let mut later = SlotContent {
            slot: 0,
            sequence: 1,
            records: Vec::new(),
        }
        .encode();
        later.truncate(HEADER_BYTES);
        later[MAGIC.len()] = 2;
        let checksum = sha256(&[&later]);
        later.extend(checksum.as_bytes());
        fs::write(&path, &later).unwrap();
        let error = VoteFile::open(&path).unwrap_err();
        assert!(
            matches!(error, VoteFileError::Version { got: 2, .. }),
            "{error}"
        );
        assert!(
            Failure::from(error)
                .message
                .contains("has version 2, expected 1")
        );
    }

    #[test]
    fn a_failed_write_poisons_and_a_full_file_refuses() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("votes");
        let mut votes = VoteFile::create(&path).unwrap();
        for network in 0..MAX_RECORDS {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&(network as u64).to_be_bytes());
            votes.current.records.push(VoteRecord {
                genesis_id: BlockId::new(id),
                ..record(0, 1, 1)
            });
        }
        assert!(matches!(
            votes.store(record(9, 1, 1)),
            Err(VoteFileError::Full(_))
        ));
        votes.store(record(0, 2, 1)).unwrap();
        assert_eq!(
            VoteFile::open(&path).unwrap().current.records.len(),
            MAX_RECORDS
        );

        votes.file = File::open(&path).unwrap();
        assert!(matches!(
            votes.store(record(0, 3, 1)),
            Err(VoteFileError::Io { .. })
        ));
        assert!(matches!(
            votes.store(record(0, 3, 1)),
            Err(VoteFileError::Poisoned(_))
        ));
    }
}
