//! Accepted transactions that are in no block yet, and those that were dropped, in two
//! files that take turns. A file is one generation: its header is written last, so a crash
//! at any point leaves one complete generation. Never grows without bound if the
//! caller rolls over when asked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ccoin_core::Timestamp;

use crate::StorageError;
use crate::disk::{Disk, DiskFile, RealDisk};
use crate::pool_record::{self, DroppedEntry, IdOf, PoolEntry, PoolRecord, Records};
use crate::record;
use crate::segment::{FileHeader, HEADER};

/// Bytes below which rolling over is not worth it.
const SMALL: u64 = 32 << 20;
/// How many times the live bytes a file may be long.
const SLACK: u64 = 3;
/// Largest file that is read at open; far above what the pool's own bounds allow.
const MAX_FILE: u64 = 1 << 30;
const NAMES: [&str; 2] = ["a", "b"];

/// How far the log had got: its generation and the end of that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PoolMark(pub u64, pub u64);

/// What a pool log holds.
#[derive(Debug, Default)]
pub struct PoolContents {
    /// Each transaction that waits once, in the order in which they were accepted last.
    pub waiting: Vec<PoolEntry>,
    /// Those that were dropped and not accepted again, oldest first.
    pub dropped: Vec<DroppedEntry>,
    /// How far it goes; zeros if there is no log.
    pub mark: PoolMark,
    /// The file that is missing or older than it can be: the newest records may be lost.
    pub lost: Option<PathBuf>,
}

/// The log of accepted and dropped transactions.
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
    /// Opens the log in `dir`, or makes one, and returns what it holds. That is written as
    /// a new generation, so that nothing torn can come back.
    ///
    /// # Errors
    /// [`StorageError::Damaged`] if a synced entry is damaged, or an I/O error.
    pub fn open(dir: &Path, id_of: IdOf<'_>) -> Result<(Self, PoolContents), StorageError> {
        Self::open_on(Arc::new(RealDisk), dir, id_of)
    }

    pub(crate) fn open_on(
        disk: Arc<dyn Disk>,
        dir: &Path,
        id_of: IdOf<'_>,
    ) -> Result<(Self, PoolContents), StorageError> {
        let contents = read_newest(&*disk, dir, id_of)?;
        let number = contents.mark.0;
        disk.make_dir(dir).map_err(StorageError::io(dir))?;
        if number == 0 {
            // From here on a file that is not there is one that was lost.
            let path = path_of(dir, number);
            disk.create(&path)
                .and_then(|_| disk.sync_dir(dir))
                .map_err(StorageError::io(&path))?;
        }
        let dropped = contents.dropped.iter().map(DroppedEntry::record);
        let live = dropped.chain(contents.waiting.iter().map(PoolEntry::record));
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
        Ok((log, contents))
    }

    /// What [`open`](Self::open) would return, without changing anything.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn read(dir: &Path, id_of: IdOf<'_>) -> Result<PoolContents, StorageError> {
        read_newest(&RealDisk, dir, id_of)
    }

    /// How far it has got on disk.
    #[must_use]
    pub fn mark(&self) -> PoolMark {
        PoolMark(self.header.number, self.synced)
    }

    /// Adds a transaction to the group that the next [`sync`](Self::sync) writes.
    ///
    /// # Errors
    /// [`StorageError::TooLong`] changes nothing; [`StorageError::Poisoned`] after a failed write.
    pub fn append(&mut self, arrived: Timestamp, bytes: &[u8]) -> Result<(), StorageError> {
        self.add(&PoolRecord::Waiting { arrived, bytes })
    }

    /// Adds to the group that a transaction waits no longer, and why.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn append_dropped(
        &mut self,
        at: Timestamp,
        reason: &str,
        bytes: &[u8],
    ) -> Result<(), StorageError> {
        self.add(&PoolRecord::Dropped { at, reason, bytes })
    }

    fn add(&mut self, record: &PoolRecord<'_>) -> Result<(), StorageError> {
        if self.poisoned {
            return Err(StorageError::Poisoned);
        }
        let before = self.group.len();
        let place = (self.header.seed, self.end, self.synced);
        pool_record::encode(&mut self.group, place, record)?;
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

    /// Whether the file is much longer than the `live_bytes` of the records that count.
    #[must_use]
    pub fn wants_rollover(&self, live_bytes: u64) -> bool {
        self.end > SMALL.max(live_bytes.saturating_mul(SLACK))
    }

    /// Starts a generation of the `live` records in the other file; entries
    /// appended but not synced are dropped unless they are among them.
    ///
    /// # Errors
    /// [`StorageError::TooLong`], or an I/O error; the log is poisoned after either.
    pub fn rollover<'a>(
        &mut self,
        live: impl Iterator<Item = PoolRecord<'a>>,
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

/// Contents of the newest generation.
fn read_newest(disk: &dyn Disk, dir: &Path, id_of: IdOf<'_>) -> Result<PoolContents, StorageError> {
    let mut found = Vec::new();
    for name in NAMES {
        let path = dir.join(name);
        found.push((read_header(disk, &path)?, path));
    }
    // Without a header last: `None` is the least.
    found.sort_by_key(|(header, _)| std::cmp::Reverse(header.number()));
    let [(newest, path), (other, lost)] = &found[..] else {
        return Ok(PoolContents::default());
    };
    let Found::Generation(header) = newest else {
        return Ok(PoolContents::default());
    };
    let complete = match other {
        Found::Missing => false,
        Found::Unwritten => header.number == 1,
        Found::Generation(before) => before.number.checked_add(1) == Some(header.number),
    };
    let Records {
        waiting,
        dropped,
        end,
    } = read_records(disk, path, header, id_of)?;
    Ok(PoolContents {
        waiting,
        dropped,
        mark: PoolMark(header.number, end),
        lost: (!complete).then(|| lost.clone()),
    })
}

/// What a file of the log is.
enum Found {
    Missing,
    /// No generation was completed in it.
    Unwritten,
    Generation(FileHeader),
}

impl Found {
    fn number(&self) -> u64 {
        match self {
            Self::Missing | Self::Unwritten => 0,
            Self::Generation(header) => header.number,
        }
    }
}

fn read_header(disk: &dyn Disk, path: &Path) -> Result<Found, StorageError> {
    let read = || {
        let file = disk.open(path)?;
        let mut bytes = [0; HEADER as usize];
        if file.len()? >= HEADER {
            file.read_at(0, &mut bytes)?;
        }
        Ok(bytes)
    };
    match read().map_err(StorageError::io(path)) {
        Ok(bytes) if bytes == [0; HEADER as usize] => Ok(Found::Unwritten),
        Ok(bytes) => match FileHeader::decode(path, &bytes)? {
            // It lies within one sector, so no crash did this.
            None => Err(StorageError::Damaged {
                path: path.into(),
                offset: 0,
            }),
            Some(header) => Ok(Found::Generation(header)),
        },
        Err(StorageError::Missing { .. }) => Ok(Found::Missing),
        Err(error) => Err(error),
    }
}

fn read_records(
    disk: &dyn Disk,
    path: &Path,
    header: &FileHeader,
    id_of: IdOf<'_>,
) -> Result<Records, StorageError> {
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
    pool_record::read(path, &bytes, header, id_of)
}

/// Writes entries, then the header that makes them count.
fn write_generation<'a>(
    disk: &dyn Disk,
    dir: &Path,
    number: u64,
    live: impl Iterator<Item = PoolRecord<'a>>,
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
    for record in live {
        let at = written + chunk.len() as u64;
        // All of a generation is durable before its header: each entry vouches for those before.
        pool_record::encode(&mut chunk, (header.seed, at, at), &record)?;
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
