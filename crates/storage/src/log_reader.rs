//! Reads acknowledged records of the block log from any thread, without the
//! owner. Never returns a record whose checksum fails, never reads beyond the
//! last sync, never writes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::StorageError;
use crate::block_log::{Position, Visit};
use crate::disk::DiskFile;
use crate::record;
use crate::scanned_log::walk;
use crate::segment::{self, Segments};

/// Open files kept; a node's file limit is often 1,024.
const MAX_OPEN: usize = 32;

type OpenSegment = (u64, Arc<dyn DiskFile>);

/// A reading end of the log.
#[derive(Clone)]
pub struct LogReader {
    segments: Segments,
    synced: Arc<AtomicU64>,
    /// Most recently used first.
    files: Arc<Mutex<VecDeque<OpenSegment>>>,
}

impl LogReader {
    pub(crate) fn new(segments: Segments, synced: Arc<AtomicU64>) -> Self {
        Self {
            segments,
            synced,
            files: Arc::default(),
        }
    }

    /// End of the acknowledged log.
    #[must_use]
    pub fn end(&self) -> Position {
        Position(self.synced.load(Ordering::Acquire))
    }

    /// Kind and payload of the record at `position`, checksum verified.
    ///
    /// # Errors
    /// [`StorageError::Beyond`] behind the last sync, [`StorageError::Damaged`] if no
    /// record stands there, or an I/O error.
    pub fn read(&self, position: Position) -> Result<(u8, Vec<u8>), StorageError> {
        let (file, number, offset, length) = self.locate(position)?;
        let mut bytes = vec![0; record::HEADER + length];
        file.read_at(offset, &mut bytes)
            .map_err(StorageError::io(&self.segments.path(number)))?;
        match record::decode(&bytes, self.segments.seed, position.0) {
            Some(record) if record.payload.is_some() => {
                let kind = record.kind;
                bytes.drain(..record::HEADER);
                Ok((kind, bytes))
            }
            _ => Err(self.segments.damaged(number, offset)),
        }
    }

    /// `length` bytes from `offset` of the payload at `position`, **without** a checksum:
    /// for callers that check what they get against its own id.
    ///
    /// # Errors
    /// As [`read`](Self::read); a range outside the payload is [`StorageError::Damaged`].
    pub fn read_range(
        &self,
        position: Position,
        offset: u32,
        length: u32,
    ) -> Result<Vec<u8>, StorageError> {
        let (file, number, begin, payload) = self.locate(position)?;
        let (from, length) = (u64::from(offset), u64::from(length));
        if from + length > payload as u64 {
            return Err(self.segments.damaged(number, begin));
        }
        let mut bytes = vec![0; length as usize];
        file.read_at(begin + record::HEADER as u64 + from, &mut bytes)
            .map_err(StorageError::io(&self.segments.path(number)))?;
        Ok(bytes)
    }

    /// At most the first `length` bytes of the payload at `position`, **without** a checksum:
    /// for callers that check what they get against its own id.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_start(&self, position: Position, length: u32) -> Result<Vec<u8>, StorageError> {
        let (.., payload) = self.locate(position)?;
        let payload = u32::try_from(payload).unwrap_or(u32::MAX);
        self.read_range(position, 0, length.min(payload))
    }

    /// Gives every acknowledged record at or behind `from` to `visit`, in order.
    ///
    /// # Errors
    /// [`StorageError::Damaged`] at the first bad record, and the errors of `visit`.
    pub fn scan<E: From<StorageError>>(
        &self,
        from: Position,
        visit: &mut Visit<'_, E>,
    ) -> Result<(), E> {
        let end = self.end();
        if from >= end {
            return Ok(());
        }
        // A log that ends just before a segment has no such file yet.
        let last = (end.0 - segment::HEADER - 1) / self.segments.bytes;
        let stop = walk(&self.segments, last, from, end, visit)?;
        if stop < end {
            let bytes = self.segments.bytes;
            return Err(self.segments.damaged(stop.0 / bytes, stop.0 % bytes).into());
        }
        Ok(())
    }

    /// File, segment, offset and bounded payload length of the record at `position`.
    fn locate(
        &self,
        position: Position,
    ) -> Result<(Arc<dyn DiskFile>, u64, u64, usize), StorageError> {
        let bytes = self.segments.bytes;
        let (number, offset) = (position.0 / bytes, position.0 % bytes);
        let header_end = position.0.saturating_add(record::HEADER as u64);
        let end = self.end();
        if number == 0 || offset < segment::HEADER || header_end > end.0 {
            return Err(StorageError::Beyond { position, end });
        }
        let path = self.segments.path(number);
        let file = self.file(number)?;
        let mut header = [0; record::HEADER];
        let room = (bytes - offset).checked_sub(record::HEADER as u64);
        if room.is_some() {
            file.read_at(offset, &mut header)
                .map_err(StorageError::io(&path))?;
        }
        match (record::claimed_length(&header, self.segments.seed), room) {
            (Some(length), Some(room)) if length as u64 <= room => {
                Ok((file, number, offset, length))
            }
            _ => Err(self.segments.damaged(number, offset)),
        }
    }

    fn file(&self, number: u64) -> Result<Arc<dyn DiskFile>, StorageError> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let known = files.iter().position(|(open, _)| *open == number);
        let entry = match known.and_then(|index| files.remove(index)) {
            Some(entry) => entry,
            None => (number, self.segments.open(number)?),
        };
        let file = Arc::clone(&entry.1);
        files.push_front(entry);
        files.truncate(MAX_OPEN);
        Ok(file)
    }
}
