//! A block log that was read to its end. Reading changes nothing, so that a start can
//! still be refused; only [`ScannedLog::resume`] cuts off a torn tail.

use std::path::Path;
use std::sync::Arc;

use crate::StorageError;
use crate::block_log::{BlockLog, Position, Visit};
use crate::disk::Disk;
use crate::record::{self, HEADER};
use crate::segment::{self, Segments, write_zeros};

/// A log whose records were all good up to its end.
pub struct ScannedLog {
    segments: Segments,
    last: u64,
    end: Position,
}

impl ScannedLog {
    pub(crate) fn read_on<E: From<StorageError>>(
        disk: Arc<dyn Disk>,
        dir: &Path,
        bytes: u64,
        from: Position,
        visit: &mut Visit<'_, E>,
    ) -> Result<Self, E> {
        let (segments, last) = Segments::find(disk, dir, bytes)?;
        let end = walk(&segments, last, from, Position(u64::MAX), visit)?;
        let log = Self {
            segments,
            last,
            end,
        };
        if end == from && from.0 != bytes + segment::HEADER {
            return Err(log.damaged().into());
        }
        log.check_tail()?;
        Ok(log)
    }

    /// Where the next record will stand.
    #[must_use]
    pub fn end(&self) -> Position {
        self.end
    }

    /// Zeroes everything from the end of the log on, so that stale bytes never come back,
    /// makes the records before it durable, and opens the log for writing.
    ///
    /// # Errors
    /// An I/O error.
    pub fn resume(self) -> Result<BlockLog, StorageError> {
        let number = self.end.0 / self.segments.bytes;
        for segment in number..=self.last {
            let from = self.tail(segment);
            let used = record::nonzero_end(&self.segments.load(segment)?[from as usize..]);
            if let Some(used) = used {
                let path = self.segments.path(segment);
                tracing::warn!(file = %path.display(), offset = from, "torn tail cut off");
                let file = self.segments.open(segment)?;
                write_zeros(&*file, from, from + used as u64)
                    .and_then(|()| file.sync())
                    .map_err(StorageError::io(&path))?;
            }
        }
        // Records that a killed process wrote but did not sync were just shown to the caller.
        for segment in number.saturating_sub(1).max(1)..=number.min(self.last) {
            self.segments
                .open(segment)?
                .sync()
                .map_err(StorageError::io(&self.segments.path(segment)))?;
        }
        let offset = self.end.0 % self.segments.bytes;
        Ok(BlockLog::at(self.segments, number, offset, self.last))
    }

    /// Fails if what lies behind the end proves that the log was synced beyond it.
    fn check_tail(&self) -> Result<(), StorageError> {
        let bytes = self.segments.bytes;
        for segment in self.end.0 / bytes..=self.last {
            let from = self.tail(segment);
            let tail = &self.segments.load(segment)?[from as usize..];
            let at = segment * bytes + from;
            if record::proves_synced(tail, self.segments.seed, at, self.end.0) {
                return Err(self.damaged());
            }
        }
        Ok(())
    }

    /// Where the part of a segment that is behind the end of the log begins.
    fn tail(&self, segment: u64) -> u64 {
        match self.end.0 / self.segments.bytes {
            number if number == segment => self.end.0 % self.segments.bytes,
            _ => segment::HEADER,
        }
    }

    fn damaged(&self) -> StorageError {
        let bytes = self.segments.bytes;
        self.segments
            .damaged(self.end.0 / bytes, self.end.0 % bytes)
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
        while bytes.len() as u64 - offset >= HEADER as u64 {
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
