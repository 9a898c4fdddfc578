//! Accepted transactions that are in no block yet, in two files that take
//! turns. A file is one generation: its header is written last, so a crash at
//! any point leaves one complete generation. Never grows without bound if the
//! caller rolls over when asked.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ccoin_core::{Timestamp, TxId};

use crate::StorageError;
use crate::disk::{Disk, DiskFile, RealDisk};
use crate::record::{self, MAX_PAYLOAD};
use crate::segment::{FileHeader, HEADER};

/// Bytes below which rolling over is not worth it.
const SMALL: u64 = 32 << 20;
/// Largest file that is read at open; far above what the pool's own bounds allow.
const MAX_FILE: u64 = 1 << 30;
const NAMES: [&str; 2] = ["a", "b"];
const ARRIVED: usize = 8;

/// Kinds of records.
mod kind {
    /// Arrival and encoding of a transaction.
    pub(super) const ACCEPTED: u8 = 0;
    /// The id of one that waits no longer and is in no block.
    pub(super) const DROPPED: u8 = 1;
}

/// The id of an encoded transaction; `None` if the bytes are none.
pub type IdOf<'a> = &'a dyn Fn(&[u8]) -> Option<TxId>;

/// A transaction as it was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolEntry {
    /// When it was accepted.
    pub arrived: Timestamp,
    /// Its encoding.
    pub bytes: Vec<u8>,
}

/// The log of accepted transactions.
pub struct PoolLog {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    header: FileHeader,
    file: Arc<dyn DiskFile>,
    /// End of the log with the group.
    end: u64,
    synced: u64,
    group: Vec<u8>,
    poisoned: bool,
}

impl PoolLog {
    /// Opens the log in `dir`, or makes one, and returns what it holds: each transaction
    /// once, as it was accepted last, without those that were dropped since. What was
    /// found is written as a new generation, so that nothing torn can come back.
    ///
    /// # Errors
    /// [`StorageError::Damaged`] if a synced entry is damaged, or an I/O error.
    pub fn open(dir: &Path, id_of: IdOf<'_>) -> Result<(Self, Vec<PoolEntry>), StorageError> {
        Self::open_on(Arc::new(RealDisk), dir, id_of)
    }

    pub(crate) fn open_on(
        disk: Arc<dyn Disk>,
        dir: &Path,
        id_of: IdOf<'_>,
    ) -> Result<(Self, Vec<PoolEntry>), StorageError> {
        disk.make_dir(dir).map_err(StorageError::io(dir))?;
        let (number, entries) = read_newest(&*disk, dir, id_of)?;
        let live = entries
            .iter()
            .map(|entry| (entry.arrived, entry.bytes.as_slice()));
        let (file, header, end) = write_generation(&*disk, dir, next(dir, number)?, live)?;
        let log = Self {
            disk,
            dir: dir.into(),
            header,
            file,
            end,
            synced: end,
            group: Vec::new(),
            poisoned: false,
        };
        Ok((log, entries))
    }

    /// What [`open`](Self::open) would return, without changing anything.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn read(dir: &Path, id_of: IdOf<'_>) -> Result<Vec<PoolEntry>, StorageError> {
        Ok(read_newest(&RealDisk, dir, id_of)?.1)
    }

    /// Adds a transaction to the group that the next [`sync`](Self::sync) writes.
    ///
    /// # Errors
    /// [`StorageError::TooLong`] changes nothing; [`StorageError::Poisoned`] after a failed write.
    pub fn append(&mut self, arrived: Timestamp, bytes: &[u8]) -> Result<(), StorageError> {
        if self.poisoned {
            return Err(StorageError::Poisoned);
        }
        let before = self.group.len();
        encode(
            &mut self.group,
            self.header.seed,
            self.end,
            self.synced,
            arrived,
            bytes,
        )?;
        self.end += (self.group.len() - before) as u64;
        Ok(())
    }

    /// Adds to the group that a transaction waits no longer.
    ///
    /// # Errors
    /// [`StorageError::Poisoned`] after a failed write.
    pub fn append_dropped(&mut self, id: &TxId) -> Result<(), StorageError> {
        if self.poisoned {
            return Err(StorageError::Poisoned);
        }
        let before = self.group.len();
        let (seed, id) = (self.header.seed, id.as_bytes());
        record::encode(
            &mut self.group,
            seed,
            self.end,
            self.synced,
            kind::DROPPED,
            &[id],
        );
        self.end += (self.group.len() - before) as u64;
        Ok(())
    }

    /// Writes the group and makes it durable; only then may its senders be answered.
    ///
    /// # Errors
    /// An I/O error, after which the log is poisoned.
    pub fn sync(&mut self) -> Result<(), StorageError> {
        if self.poisoned {
            return Err(StorageError::Poisoned);
        }
        if self.group.is_empty() {
            return Ok(());
        }
        self.poisoned = true;
        self.file
            .write_at(self.synced, &self.group)
            .and_then(|()| self.file.sync())
            .map_err(StorageError::io(&path_of(&self.dir, self.header.number)))?;
        self.poisoned = false;
        self.group.clear();
        self.synced = self.end;
        Ok(())
    }

    /// Whether the file is much longer than the `live_bytes` of waiting transactions.
    #[must_use]
    pub fn wants_rollover(&self, live_bytes: u64) -> bool {
        self.end > SMALL.max(live_bytes.saturating_mul(4))
    }

    /// Starts a generation of the `live` transactions in the other file; entries
    /// appended but not synced are dropped unless they are among them.
    ///
    /// # Errors
    /// [`StorageError::TooLong`], or an I/O error; the log is poisoned after either.
    pub fn rollover<'a>(
        &mut self,
        live: impl Iterator<Item = (Timestamp, &'a [u8])>,
    ) -> Result<(), StorageError> {
        if self.poisoned {
            return Err(StorageError::Poisoned);
        }
        self.poisoned = true;
        let number = next(&self.dir, self.header.number)?;
        let (file, header, end) = write_generation(&*self.disk, &self.dir, number, live)?;
        self.poisoned = false;
        (self.file, self.header) = (file, header);
        (self.end, self.synced) = (end, end);
        self.group.clear();
        Ok(())
    }
}

fn path_of(dir: &Path, generation: u64) -> PathBuf {
    dir.join(NAMES[(generation % 2) as usize])
}

fn next(dir: &Path, generation: u64) -> Result<u64, StorageError> {
    let damaged = || StorageError::Damaged {
        path: path_of(dir, generation),
        offset: 0,
    };
    generation.checked_add(1).ok_or_else(damaged)
}

/// A record of an accepted transaction that will stand at `at`.
pub(crate) fn encode(
    out: &mut Vec<u8>,
    seed: u64,
    at: u64,
    synced: u64,
    arrived: Timestamp,
    bytes: &[u8],
) -> Result<(), StorageError> {
    let max = MAX_PAYLOAD - ARRIVED;
    if bytes.len() > max {
        return Err(StorageError::TooLong {
            got: bytes.len() as u64,
            max: max as u64,
        });
    }
    record::encode(
        out,
        seed,
        at,
        synced,
        kind::ACCEPTED,
        &[&arrived.get().to_be_bytes(), bytes],
    );
    Ok(())
}

/// Number and entries of the newest generation; 0 if there is none.
fn read_newest(
    disk: &dyn Disk,
    dir: &Path,
    id_of: IdOf<'_>,
) -> Result<(u64, Vec<PoolEntry>), StorageError> {
    let mut newest: Option<(FileHeader, PathBuf)> = None;
    for name in NAMES {
        let path = dir.join(name);
        if let Some(header) = read_header(disk, &path)?
            && newest
                .as_ref()
                .is_none_or(|(found, _)| found.number < header.number)
        {
            newest = Some((header, path));
        }
    }
    let Some((header, path)) = newest else {
        return Ok((0, Vec::new()));
    };
    let entries = read_entries(disk, &path, &header, id_of)?;
    Ok((header.number, entries))
}

/// `None` if there is no such file or it holds no complete generation.
fn read_header(disk: &dyn Disk, path: &Path) -> Result<Option<FileHeader>, StorageError> {
    let read = || {
        let file = disk.open(path)?;
        let mut bytes = [0; HEADER as usize];
        if file.len()? >= HEADER {
            file.read_at(0, &mut bytes)?;
        }
        Ok(bytes)
    };
    match read().map_err(StorageError::io(path)) {
        Ok(bytes) if bytes == [0; HEADER as usize] => Ok(None),
        Ok(bytes) => match FileHeader::decode(path, &bytes)? {
            // It lies within one sector, so no crash did this.
            None => Err(StorageError::Damaged {
                path: path.into(),
                offset: 0,
            }),
            header => Ok(header),
        },
        Err(StorageError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn read_entries(
    disk: &dyn Disk,
    path: &Path,
    header: &FileHeader,
    id_of: IdOf<'_>,
) -> Result<Vec<PoolEntry>, StorageError> {
    let file = disk.open(path).map_err(StorageError::io(path))?;
    let length = file.len().map_err(StorageError::io(path))?;
    if length > MAX_FILE {
        return Err(StorageError::TooLong {
            got: length,
            max: MAX_FILE,
        });
    }
    let mut bytes = vec![0; length as usize];
    file.read_at(0, &mut bytes)
        .map_err(StorageError::io(path))?;
    let mut at = HEADER as usize;
    // In the order of their last acceptance; holes where one was dropped.
    let mut entries = Vec::new();
    let mut places = HashMap::new();
    while let Some(record) = record::decode(&bytes[at..], header.seed, at as u64) {
        let damaged = || StorageError::Damaged {
            path: path.into(),
            offset: at as u64,
        };
        match (record.kind, record.payload) {
            (_, None) => {}
            (kind::DROPPED, Some(id)) => {
                let id: [u8; 32] = id.try_into().map_err(|_| damaged())?;
                if let Some(place) = places.remove(&TxId::new(id)) {
                    entries[place] = None;
                }
            }
            (_, Some(payload)) => {
                let entry = parse(payload).ok_or_else(damaged)?;
                let id = id_of(&entry.bytes).ok_or_else(damaged)?;
                if let Some(before) = places.insert(id, entries.len()) {
                    entries[before] = None;
                }
                entries.push(Some(entry));
            }
        }
        at += record.size();
    }
    if record::proves_synced(&bytes[at..], header.seed, at as u64, at as u64) {
        return Err(StorageError::Damaged {
            path: path.into(),
            offset: at as u64,
        });
    }
    Ok(entries.into_iter().flatten().collect())
}

fn parse(payload: &[u8]) -> Option<PoolEntry> {
    let (arrived, bytes) = payload.split_first_chunk::<ARRIVED>()?;
    Some(PoolEntry {
        arrived: Timestamp::new(u64::from_be_bytes(*arrived)).ok()?,
        bytes: bytes.to_vec(),
    })
}

/// Writes entries, then the header that makes them count.
fn write_generation<'a>(
    disk: &dyn Disk,
    dir: &Path,
    number: u64,
    live: impl Iterator<Item = (Timestamp, &'a [u8])>,
) -> Result<(Arc<dyn DiskFile>, FileHeader, u64), StorageError> {
    const CHUNK: usize = 1 << 20;
    let path = path_of(dir, number);
    let header = FileHeader {
        number,
        seed: FileHeader::fresh_seed(),
    };
    let io = |result: std::io::Result<()>| result.map_err(StorageError::io(&path));
    let file = match disk.open(&path).map_err(StorageError::io(&path)) {
        Err(StorageError::Missing { .. }) => disk.create(&path).map_err(StorageError::io(&path)),
        found => found,
    }?;
    let mut written = HEADER;
    let mut chunk = Vec::new();
    for (arrived, bytes) in live {
        let at = written + chunk.len() as u64;
        // All of a generation is durable before its header: each entry vouches for those before.
        encode(&mut chunk, header.seed, at, at, arrived, bytes)?;
        if chunk.len() >= CHUNK {
            io(file.write_at(written, &chunk))?;
            written += chunk.len() as u64;
            chunk.clear();
        }
    }
    let at = written + chunk.len() as u64;
    record::encode_turn(&mut chunk, header.seed, at, at);
    io(file.write_at(written, &chunk).and_then(|()| file.sync()))?;
    io(file
        .write_at(0, &header.encode())
        .and_then(|()| file.sync()))?;
    io(disk.sync_dir(dir))?;
    Ok((file, header, written + chunk.len() as u64))
}
