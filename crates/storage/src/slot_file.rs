//! A small record that is replaced as a whole and never goes back.
//!
//! The file holds two copies, each with its own checksum, written and synced one
//! after the other: a torn or a rotten copy leaves the other one, which holds the
//! same record. The caller makes sure that one process has the file open.

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use ccoin_crypto::sha256;

use crate::disk::{Disk, DiskFile};

/// Magic, version, sequence number, number of items.
const HEADER: usize = 7 + 1 + 8 + 4;
const CHECKSUM: usize = 32;

/// Least room for a copy, in bytes: a record of many items fits without moving.
const MIN_ROOM: usize = 16 << 10;
/// Most room for a copy that is read.
const MAX_ROOM: usize = 16 << 20;

/// What a kind of slot file looks like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// First bytes of each copy.
    pub(crate) magic: [u8; 7],
    /// Version of the items.
    pub(crate) version: u8,
    /// Bytes of an item; a record is any number of them.
    pub(crate) item: usize,
}

/// Why a slot file cannot be trusted or written.
#[derive(Debug, thiserror::Error)]
pub enum SlotFileError {
    /// There is no file.
    #[error("is missing")]
    Missing,
    /// There is a file where a new one was to be created.
    #[error("exists already")]
    Exists,
    /// The record is lost.
    #[error("is damaged: neither copy has a good checksum")]
    Damaged,
    /// Another version of the program wrote it.
    #[error("has version {got}, expected {expected}")]
    Version {
        /// Version found.
        got: u8,
        /// Version read.
        expected: u8,
    },
    /// The record needs more than `MAX_ROOM`.
    #[error("cannot hold {got} bytes, only {MAX_ROOM}")]
    TooLong {
        /// Bytes of a copy.
        got: usize,
    },
    /// An earlier write failed; what is on disk is unknown until the file is opened again.
    #[error("failed before and takes no more records until the next start")]
    Poisoned,
    /// The operating system refused.
    #[error("cannot be used: {0}")]
    Io(#[from] io::Error),
}

/// An open slot file.
pub(crate) struct SlotFile {
    disk: Arc<dyn Disk>,
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    layout: Layout,
    /// Bytes that each copy may take; the second one begins there.
    room: usize,
    record: Record,
    poisoned: bool,
}

/// What a copy holds.
#[derive(Clone)]
struct Record {
    sequence: u64,
    content: Vec<u8>,
}

impl SlotFile {
    /// Creates a file with a first record, whole or not at all; its name is durable on return.
    pub(crate) fn create(
        disk: Arc<dyn Disk>,
        path: &Path,
        layout: Layout,
        content: Vec<u8>,
    ) -> Result<Self, SlotFileError> {
        match disk.open(path) {
            Ok(_) => return Err(SlotFileError::Exists),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        let record = Record {
            sequence: 1,
            content,
        };
        let bytes = record.encode(layout);
        let room = bytes.len().next_power_of_two().max(MIN_ROOM);
        let file = write_whole(&*disk, path, &bytes, room)?;
        Ok(Self {
            disk,
            file,
            path: path.to_owned(),
            layout,
            room,
            record,
            poisoned: false,
        })
    }

    /// Opens a file and takes the newest good copy; where the other one differs, it is
    /// written again first, so that the record has two good copies from then on.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        path: &Path,
        layout: Layout,
    ) -> Result<Self, SlotFileError> {
        let file = match disk.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(SlotFileError::Missing);
            }
            opened => opened?,
        };
        let length = usize::try_from(file.len()?).unwrap_or(usize::MAX);
        if length > 2 * MAX_ROOM {
            return Err(SlotFileError::Damaged);
        }
        let mut bytes = vec![0; length];
        file.read_at(0, &mut bytes)?;
        let room = length / 2;
        let (first, second) = bytes.split_at(room);
        let other_version = other_version(first, layout).or(other_version(second, layout));
        let first = Record::decode(first, layout);
        let second = Record::decode(second, layout);
        let (record, stale) = match (first, second) {
            (None, None) => return Err(other_version.unwrap_or(SlotFileError::Damaged)),
            (Some(first), None) => (first, Some(1)),
            (None, Some(second)) => (second, Some(0)),
            (Some(first), Some(second)) if first.sequence > second.sequence => (first, Some(1)),
            (Some(first), Some(second)) if first.sequence < second.sequence => (second, Some(0)),
            (Some(first), Some(_)) => (first, None),
        };
        let mut opened = Self {
            disk,
            file,
            path: path.to_owned(),
            layout,
            room,
            record,
            poisoned: false,
        };
        if let Some(stale) = stale {
            opened.write(&[stale], &opened.record.encode(layout))?;
        }
        Ok(opened)
    }

    /// Replaces the file by one of another layout, which keeps its sequence; the old one
    /// stays whole until the new one is on disk.
    pub(crate) fn convert(self, layout: Layout, content: Vec<u8>) -> Result<Self, SlotFileError> {
        let record = Record {
            sequence: self.record.sequence.wrapping_add(1),
            content,
        };
        let bytes = record.encode(layout);
        if bytes.len() > MAX_ROOM {
            return Err(SlotFileError::TooLong { got: bytes.len() });
        }
        let room = bytes.len().next_power_of_two().max(MIN_ROOM);
        let file = write_whole(&*self.disk, &self.path, &bytes, room)?;
        Ok(Self {
            file,
            layout,
            room,
            record,
            ..self
        })
    }

    /// The record.
    pub(crate) fn content(&self) -> &[u8] {
        &self.record.content
    }

    /// Replaces the record, whose length is a multiple of the item's; on return it is on
    /// disk twice. After a failed write every later call fails.
    pub(crate) fn store(&mut self, content: Vec<u8>) -> Result<(), SlotFileError> {
        if self.poisoned {
            return Err(SlotFileError::Poisoned);
        }
        let next = Record {
            sequence: self.record.sequence.wrapping_add(1),
            content,
        };
        let bytes = next.encode(self.layout);
        if bytes.len() > MAX_ROOM {
            return Err(SlotFileError::TooLong { got: bytes.len() });
        }
        self.poisoned = true;
        self.write(&[0, 1], &bytes)?;
        self.poisoned = false;
        self.record = next;
        Ok(())
    }

    /// Writes `copies` in place, or the whole file again where they do not fit.
    fn write(&mut self, copies: &[usize], bytes: &[u8]) -> Result<(), SlotFileError> {
        if bytes.len() > self.room {
            let room = bytes.len().next_power_of_two().max(MIN_ROOM);
            self.file = write_whole(&*self.disk, &self.path, bytes, room)?;
            self.room = room;
            return Ok(());
        }
        for copy in copies {
            self.file.write_at((copy * self.room) as u64, bytes)?;
            self.file.sync()?;
        }
        Ok(())
    }
}

impl Record {
    fn encode(&self, layout: Layout) -> Vec<u8> {
        let mut bytes = layout.magic.to_vec();
        bytes.push(layout.version);
        bytes.extend(self.sequence.to_be_bytes());
        let items = (self.content.len() / layout.item) as u32;
        bytes.extend(items.to_be_bytes());
        bytes.extend(&self.content);
        let checksum = sha256(&[&bytes]);
        bytes.extend(checksum.as_bytes());
        bytes
    }

    /// The record of a copy; `None` if it is not whole or of another version.
    fn decode(copy: &[u8], layout: Layout) -> Option<Self> {
        let (version, numbers) = after_magic(copy, layout)?;
        if version != layout.version {
            return None;
        }
        let (sequence, items) = numbers.split_first_chunk()?;
        let items = u32::from_be_bytes(*items.first_chunk()?) as usize;
        let covered = items.checked_mul(layout.item)?.checked_add(HEADER)?;
        let (covered, rest) = copy.split_at_checked(covered)?;
        if sha256(&[covered]).as_bytes()[..] != *rest.get(..CHECKSUM)? {
            return None;
        }
        Some(Self {
            sequence: u64::from_be_bytes(*sequence),
            content: covered[HEADER..].to_vec(),
        })
    }
}

/// The version of a copy and what follows it.
fn after_magic(copy: &[u8], layout: Layout) -> Option<(u8, &[u8])> {
    let (version, rest) = copy.strip_prefix(&layout.magic)?.split_first()?;
    Some((*version, rest))
}

/// The error of a copy of another version, whose checksum only that version can find.
fn other_version(copy: &[u8], layout: Layout) -> Option<SlotFileError> {
    let (got, _) = after_magic(copy, layout)?;
    let expected = layout.version;
    (got != expected).then_some(SlotFileError::Version { got, expected })
}

/// A new file with two equal copies under the name of the old one.
fn write_whole(
    disk: &dyn Disk,
    path: &Path,
    copy: &[u8],
    room: usize,
) -> io::Result<Arc<dyn DiskFile>> {
    let mut bytes = vec![0; 2 * room];
    bytes[..copy.len()].copy_from_slice(copy);
    bytes[room..room + copy.len()].copy_from_slice(copy);
    let temporary = path.with_added_extension("new");
    let file = disk.create(&temporary)?;
    file.write_at(0, &bytes)?;
    file.sync()?;
    disk.rename(&temporary, path)?;
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => disk.sync_dir(dir)?,
        _ => disk.sync_dir(Path::new("."))?,
    }
    Ok(file)
}
