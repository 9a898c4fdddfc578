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
use crate::segment::{self, Segments, write_zeros};

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
    /// [`StorageError::Damaged`] if acknowledged records are damaged or `from` is not a
    /// record, [`StorageError::Missing`] for a missing file, I/O errors, and those of `visit`.
    pub fn open<E: From<StorageError>>(
        dir: &Path,
        from: Position,
        visit: &mut Visit<'_, E>,
    ) -> Result<Self, E> {
        Self::open_on(Arc::new(RealDisk), dir, SEGMENT, from, visit)
    }

    pub(crate) fn open_on<E: From<StorageError>>(
        disk: Arc<dyn Disk>,
        dir: &Path,
        bytes: u64,
        from: Position,
        visit: &mut Visit<'_, E>,
    ) -> Result<Self, E> {
        let (segments, last) = Segments::find(disk, dir, bytes)?;
        let end = walk(&segments, last, from, Position(u64::MAX), visit)?;
        let (number, offset) = (end.0 / bytes, end.0 % bytes);
        if end == from && from.0 != bytes + segment::HEADER {
            return Err(segments.damaged(number, offset).into());
        }
        cut(&segments, last, number, offset)?;
        Ok(Self::at(segments, number, offset, last))
    }

    fn at(segments: Segments, number: u64, offset: u64, prepared: u64) -> Self {
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
        let (segments, last) = Segments::find(Arc::new(RealDisk), dir, SEGMENT)?;
        let end = (last + 1) * SEGMENT;
        LogReader::new(segments, Arc::new(AtomicU64::new(end))).read(Position::START)
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

    /// The file of a segment, made now if nobody prepared it.
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
                tracing::warn!(%error, "no thread to prepare a segment, it is made when needed")
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
    /// Nobody may write in the directory once its lock can be released.
    fn drop(&mut self) {
        if let Err(error) = self.finish_preparation() {
            tracing::warn!(%error, "the next segment was not prepared");
        }
    }
}

/// Visits the records of segments up to `last` from `from` on; returns where the
/// first that is none would stand, at most `end`.
pub(crate) fn walk<E: From<StorageError>>(
    segments: &Segments,
    last: u64,
    from: Position,
    end: Position,
    visit: &mut Visit<'_, E>,
) -> Result<Position, E> {
    let (mut number, mut offset) = (from.0 / segments.bytes, from.0 % segments.bytes);
    if number == 0 || number > last + 1 || offset < segment::HEADER {
        return Err(segments.damaged(number, offset).into());
    }
    while number <= last {
        let bytes = segments.load(number)?;
        let base = number * segments.bytes;
        while bytes.len() as u64 - offset >= record::HEADER as u64 {
            let at = Position(base + offset);
            if at >= end {
                return Ok(at);
            }
            let Some(record) = record::decode(&bytes[offset as usize..], segments.seed, at.0)
            else {
                return Ok(at);
            };
            let Some(payload) = record.payload else { break };
            visit(at, record.kind, payload)?;
            offset += record.size() as u64;
        }
        number += 1;
        offset = segment::HEADER;
    }
    Ok(Position(number * segments.bytes + offset))
}

/// Zeroes everything from the end of the log on, so that stale bytes never come
/// back, unless it proves that the log was synced beyond that point.
fn cut(segments: &Segments, last: u64, number: u64, offset: u64) -> Result<(), StorageError> {
    let end = number * segments.bytes + offset;
    let tail = |segment: u64| {
        if segment == number {
            offset
        } else {
            segment::HEADER
        }
    };
    for segment in number..=last {
        let bytes = segments.load(segment)?;
        let (from, base) = (tail(segment), segment * segments.bytes);
        if record::proves_synced(&bytes[from as usize..], segments.seed, base + from, end) {
            return Err(segments.damaged(number, offset));
        }
    }
    for segment in number..=last {
        let from = tail(segment);
        let used = record::nonzero_end(&segments.load(segment)?[from as usize..]);
        if let Some(used) = used {
            let path = segments.path(segment);
            tracing::warn!(file = %path.display(), offset = from, "torn tail cut off");
            let file = segments.open(segment)?;
            write_zeros(&*file, from, from + used as u64)
                .and_then(|()| file.sync())
                .map_err(StorageError::io(&path))?;
        }
    }
    // Records that a killed process wrote but did not sync were just shown to the caller.
    for segment in number.saturating_sub(1).max(1)..=number.min(last) {
        segments
            .open(segment)?
            .sync()
            .map_err(StorageError::io(&segments.path(segment)))?;
    }
    Ok(())
}
