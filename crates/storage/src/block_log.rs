//! The truth: an append-only log of checksummed records in preallocated
//! segments. One owner appends; a record exists for others once [`BlockLog::sync`]
//! has returned. Never overwrites a record, never retries a failed fsync, and
//! never opens over damage to acknowledged records.

use std::fmt;
use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use crate::StorageError;
use crate::disk::{Disk, DiskFile, RealDisk};
use crate::log_reader::LogReader;
use crate::record::{self, MAX_PAYLOAD};
use crate::scanned_log::ScannedLog;
use crate::segment::{self, Segments};

/// Bytes of a segment file.
pub(crate) const SEGMENT: u64 = 16 << 20;

/// Where a record begins: segment number x 16 MiB + offset in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

impl Position {
    /// Where the first record of every log stands.
    pub const START: Self = Self(SEGMENT + segment::HEADER);
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is done with each record: its position, kind and payload.
pub type Visit<'a, E> = dyn FnMut(Position, u8, &[u8]) -> Result<(), E> + 'a;

/// Records of one group that go into one segment.
struct Chunk {
    number: u64,
    offset: u64,
    bytes: Vec<u8>,
}

/// The writing end of the log.
pub struct BlockLog {
    segments: Segments,
    /// Segment and offset where the next record goes.
    number: u64,
    offset: u64,
    /// End of the acknowledged log, shared with readers.
    synced: Arc<AtomicU64>,
    pending: Vec<Chunk>,
    /// The segment last written to.
    open: Option<(u64, Arc<dyn DiskFile>)>,
    /// Highest segment that exists or is being made.
    prepared: u64,
    preparation: Option<JoinHandle<Result<(), StorageError>>>,
    poisoned: bool,
}

impl BlockLog {
    /// Makes an empty log in `dir`, durable when this returns.
    ///
    /// # Errors
    /// [`StorageError::Exists`] if there is one already, or an I/O error.
    pub fn create(dir: &Path) -> Result<Self, StorageError> {
        Self::create_on(Arc::new(RealDisk), dir, SEGMENT)
    }

    pub(crate) fn create_on(
        disk: Arc<dyn Disk>,
        dir: &Path,
        bytes: u64,
    ) -> Result<Self, StorageError> {
        let segments = Segments::create(disk, dir, bytes)?;
        Ok(Self::at(segments, 1, segment::HEADER, 1))
    }

    /// Opens the log, gives every record at or behind `from` to `visit` in
    /// order, cuts off a torn tail and makes what is left durable.
    ///
    /// `from` is [`Position::START`] or the position of an acknowledged record.
    ///
    /// # Errors
    /// Those of [`read`](Self::read), of `visit` and of [`ScannedLog::resume`].
    pub fn open<E: From<StorageError>>(
        dir: &Path,
        from: Position,
        visit: &mut Visit<'_, E>,
    ) -> Result<Self, E> {
        Ok(Self::read(dir, from, visit)?.resume()?)
    }

    /// The same without changing anything: the caller decides whether what it has seen is
    /// all that there should be before [`ScannedLog::resume`] cuts off a torn tail.
    ///
    /// # Errors
    /// [`StorageError::Damaged`] if acknowledged records are damaged or `from` is not a
    /// record, [`StorageError::Missing`] for a missing file, I/O errors, and those of `visit`.
    pub fn read<E: From<StorageError>>(
        dir: &Path,
        from: Position,
        visit: &mut Visit<'_, E>,
    ) -> Result<ScannedLog, E> {
        ScannedLog::read_on(Arc::new(RealDisk), dir, SEGMENT, from, visit)
    }

    pub(crate) fn at(segments: Segments, number: u64, offset: u64, prepared: u64) -> Self {
        let synced = Arc::new(AtomicU64::new(number * segments.bytes + offset));
        Self {
            segments,
            number,
            offset,
            synced,
            pending: Vec::new(),
            open: None,
            prepared,
            preparation: None,
            poisoned: false,
        }
    }

    /// The first record of the log in `dir`; changes nothing there.
    ///
    /// # Errors
    /// [`StorageError::Damaged`], [`StorageError::Missing`] for a missing file, or an I/O error.
    pub fn first_record(dir: &Path) -> Result<(u8, Vec<u8>), StorageError> {
        Self::reader_of(dir)?.read(Position::START)
    }

    /// Reads records of a log that nobody has open for writing, synced or not.
    ///
    /// # Errors
    /// [`StorageError::Missing`] for a missing file, or an I/O error.
    pub fn reader_of(dir: &Path) -> Result<LogReader, StorageError> {
        let (segments, last) = Segments::find(Arc::new(RealDisk), dir, SEGMENT)?;
        let end = (last + 1) * SEGMENT;
        Ok(LogReader::new(segments, Arc::new(AtomicU64::new(end))))
    }

    /// Adds a record of the concatenated `parts` (at most [`MAX_PAYLOAD`] bytes) to the
    /// group that the next [`sync`](Self::sync) writes, and says where it will stand.
    /// A group beyond 16 MiB is synced at once, so that memory stays bounded.
    ///
    /// # Errors
    /// [`StorageError::TooLong`] changes nothing; otherwise as [`sync`](Self::sync).
    pub fn append(&mut self, kind: u8, parts: &[&[u8]]) -> Result<Position, StorageError> {
        if self.poisoned {
            return Err(StorageError::Poisoned);
        }
        let got = parts
            .iter()
            .fold(0, |sum: u64, part| sum.saturating_add(part.len() as u64));
        let header = record::HEADER as u64;
        let max = (MAX_PAYLOAD as u64).min(self.segments.bytes - segment::HEADER - header);
        if got > max {
            return Err(StorageError::TooLong { got, max });
        }
        if self
            .pending
            .iter()
            .map(|chunk| chunk.bytes.len() as u64)
            .sum::<u64>()
            > SEGMENT
        {
            self.sync()?;
        }
        if self.offset + header + got > self.segments.bytes {
            let (at, synced) = (self.end().0, self.synced.load(Ordering::Relaxed));
            let seed = self.segments.seed;
            record::encode_turn(self.chunk(), seed, at, synced);
            self.turn();
        }
        let (at, synced, seed) = (
            self.end(),
            self.synced.load(Ordering::Relaxed),
            self.segments.seed,
        );
        record::encode(self.chunk(), seed, at.0, synced, kind, parts);
        self.offset += header + got;
        if self.segments.bytes - self.offset < header {
            self.turn();
        }
        Ok(at)
    }

    /// Writes the group and makes it durable; only then may anyone hear of its records.
    ///
    /// # Errors
    /// An I/O error, after which the log is poisoned: every later call fails with
    /// [`StorageError::Poisoned`].
    pub fn sync(&mut self) -> Result<(), StorageError> {
        if self.poisoned {
            return Err(StorageError::Poisoned);
        }
        self.poisoned = true;
        for chunk in mem::take(&mut self.pending) {
            let path = self.segments.path(chunk.number);
            let file = self.file(chunk.number)?;
            file.write_at(chunk.offset, &chunk.bytes)
                .and_then(|()| file.sync())
                .map_err(StorageError::io(&path))?;
        }
        self.poisoned = false;
        self.synced.store(self.end().0, Ordering::Release);
        if self.offset > self.segments.bytes / 2 && self.prepared == self.number {
            self.prepare_next()?;
        }
        Ok(())
    }

    /// Where the next record will stand.
    #[must_use]
    pub fn end(&self) -> Position {
        Position(self.number * self.segments.bytes + self.offset)
    }

    /// A reader of the acknowledged records; cheap to clone, for any thread.
    #[must_use]
    pub fn reader(&self) -> LogReader {
        LogReader::new(self.segments.clone(), Arc::clone(&self.synced))
    }

    /// The bytes of the pending group that belong to the current segment.
    fn chunk(&mut self) -> &mut Vec<u8> {
        if self
            .pending
            .last()
            .is_none_or(|chunk| chunk.number != self.number)
        {
            self.pending.push(Chunk {
                number: self.number,
                offset: self.offset,
                bytes: vec![],
            });
        }
        let last = self.pending.len() - 1;
        &mut self.pending[last].bytes
    }

    /// Continues in the next segment.
    fn turn(&mut self) {
        self.number += 1;
        self.offset = segment::HEADER;
    }

    /// The file of a segment, made now if it was not prepared.
    fn file(&mut self, number: u64) -> Result<Arc<dyn DiskFile>, StorageError> {
        if let Some((open, file)) = &self.open
            && *open == number
        {
            return Ok(Arc::clone(file));
        }
        self.finish_preparation()?;
        if self.prepared < number {
            self.segments.prepare(number)?;
            self.prepared = number;
        }
        let file = self.segments.open(number)?;
        self.open = Some((number, Arc::clone(&file)));
        Ok(file)
    }

    /// Starts making the next segment beside the appends.
    fn prepare_next(&mut self) -> Result<(), StorageError> {
        self.finish_preparation()?;
        let (segments, next) = (self.segments.clone(), self.number + 1);
        let job = Box::new(move || segments.prepare(next));
        match self.segments.disk.spawn(job) {
            Ok(handle) => {
                self.preparation = Some(handle);
                self.prepared = next;
            }
            Err(error) => {
                tracing::warn!(%error, "no thread to prepare a segment, it is made when needed");
            }
        }
        Ok(())
    }

    fn finish_preparation(&mut self) -> Result<(), StorageError> {
        let outcome = match self.preparation.take() {
            None => return Ok(()),
            Some(handle) => handle.join().unwrap_or(Err(StorageError::Poisoned)),
        };
        self.poisoned |= outcome.is_err();
        outcome
    }
}

impl Drop for BlockLog {
    /// No thread may write in the directory once its lock can be released.
    fn drop(&mut self) {
        if let Err(error) = self.finish_preparation() {
            tracing::warn!(%error, "the next segment was not prepared");
        }
    }
}
