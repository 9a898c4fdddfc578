//! What stands between the index engine and its files. The engine logs a
//! failed write and goes on, and takes a failed read for absence; this
//! remembers the first of either, after which nothing is written and nothing
//! answered. It also verifies every block of a table itself, and that a log
//! or manifest was read to its end.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use rusty_leveldb::env::{Env, FileLock, Logger, RandomAccess};
use rusty_leveldb::{Result, Status, StatusCode};

use crate::IndexError;

/// Bytes at the end of a table: two handles, padding, magic (LevelDB table format).
const FOOTER: usize = 48;
const FOOTER_MAGIC: [u8; 8] = 0xdb47_7524_8b80_fb57_u64.to_le_bytes();
/// Compression 1 and checksum 4 behind each block of a table.
const TRAILER: usize = 5;
/// Bytes of a record header in a log of the engine.
const LOG_HEADER: usize = 7;

/// The first failure, kept for good.
#[derive(Clone, Default)]
pub(crate) struct Poison(Arc<OnceLock<IndexError>>);

impl Poison {
    /// Fails with the first failure, if there was one.
    pub(crate) fn check(&self) -> std::result::Result<(), IndexError> {
        self.0.get().cloned().map_or(Ok(()), Err)
    }

    /// Remembers a failure and returns the first one.
    pub(crate) fn fail(&self, error: IndexError) -> IndexError {
        self.0.get_or_init(|| error).clone()
    }

    fn guard(&self) -> Result<()> {
        self.check()
            .map_err(|error| Status::new(StatusCode::IOError, &error.to_string()))
    }

    fn note<T>(&self, path: &Path, result: Result<T>) -> Result<T> {
        if let Err(status) = &result {
            let why = format!("{}: {status}", path.display());
            self.fail(match status.code {
                // The engine asks only for files that it has written.
                StatusCode::NotFound => IndexError::Damaged(why),
                _ => IndexError::Io(why),
            });
        }
        result
    }

    fn note_io<T>(&self, path: &Path, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            self.fail(IndexError::Io(format!("{}: {error}", path.display())));
        }
        result
    }

    fn damaged(&self, path: &Path) -> Status {
        let error = self.fail(IndexError::Damaged(path.display().to_string()));
        Status::new(StatusCode::Corruption, &error.to_string())
    }
}

/// Wraps the files of one index.
pub(crate) struct IndexEnv {
    inner: Box<dyn Env>,
    poison: Poison,
    /// A log did not end cleanly: legitimate for the newest that holds anything.
    torn_log: Rc<Cell<bool>>,
}

impl IndexEnv {
    pub(crate) fn new(inner: Box<dyn Env>, poison: Poison) -> Self {
        Self {
            inner,
            poison,
            torn_log: Rc::default(),
        }
    }
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

fn is_manifest(path: &Path) -> bool {
    path.file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.starts_with("MANIFEST"))
}

/// A log or manifest being replayed.
struct Replay {
    inner: Box<dyn Read>,
    path: PathBuf,
    poison: Poison,
    torn_log: Rc<Cell<bool>>,
    /// The last read asked for a header and found the end of the file.
    ended: bool,
}

impl Read for Replay {
    /// Fills `bytes` up to the end of the file: the engine takes one short read for torn data.
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..)
            && !rest.is_empty()
        {
            match self.poison.note_io(&self.path, self.inner.read(rest))? {
                0 => break,
                read => filled += read,
            }
        }
        self.ended = filled == 0 && bytes.len() <= LOG_HEADER;
        Ok(filled)
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        if !self.ended && is_manifest(&self.path) {
            self.poison.damaged(&self.path);
        }
        if !self.ended && has_extension(&self.path, "log") {
            self.torn_log.set(true);
        }
    }
}

/// A file being written.
struct Writer {
    inner: Box<dyn Write>,
    path: PathBuf,
    poison: Poison,
}

impl Writer {
    fn guard(&self) -> io::Result<()> {
        self.poison.check().map_err(io::Error::other)
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.guard()?;
        // The engine does not look at the count, so a short write must be none.
        let written = self.inner.write_all(bytes);
        self.poison.note_io(&self.path, written)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.guard()?;
        let flushed = self.inner.flush();
        self.poison.note_io(&self.path, flushed)
    }
}

impl Drop for Writer {
    /// A table must be durable before the manifest names it, a log before the next one begins.
    fn drop(&mut self) {
        if self.poison.check().is_ok() && self.flush().is_err() {
            tracing::error!(file = %self.path.display(), "the index could not be written");
        }
    }
}

/// A table being read.
struct Table {
    inner: Box<dyn RandomAccess>,
    path: PathBuf,
    length: usize,
    poison: Poison,
}

impl Table {
    fn fill(&self, offset: usize, bytes: &mut [u8]) -> Result<bool> {
        let read = self
            .poison
            .note(&self.path, self.inner.read_at(offset, bytes))?;
        Ok(read == bytes.len())
    }

    /// Whether the blocks that a footer names lie inside the file.
    fn footer_is_sound(&self, footer: &[u8]) -> bool {
        let Some(mut handles) = footer.strip_suffix(&FOOTER_MAGIC) else {
            return false;
        };
        (0..2).all(|_| {
            let handle = varint(&mut handles).zip(varint(&mut handles));
            let end = handle.and_then(|(offset, size)| offset.checked_add(size));
            end.is_some_and(|end| end <= (self.length - FOOTER).saturating_sub(TRAILER) as u64)
        })
    }

    fn is_sound(&self, offset: usize, bytes: &[u8]) -> Result<bool> {
        if offset == self.length - FOOTER && bytes.len() == FOOTER {
            return Ok(self.footer_is_sound(bytes));
        }
        if let Some((block, trailer)) = bytes.split_last_chunk::<TRAILER>()
            && block_is_sound(block, *trailer)
        {
            return Ok(true);
        }
        // The filter block is read without its trailer.
        let mut trailer = [0; TRAILER];
        let whole = self.fill(offset.saturating_add(bytes.len()), &mut trailer)?;
        Ok(whole && block_is_sound(bytes, trailer))
    }
}

impl RandomAccess for Table {
    fn read_at(&self, offset: usize, bytes: &mut [u8]) -> Result<usize> {
        if offset
            .checked_add(bytes.len())
            .is_none_or(|end| end > self.length)
            || !self.fill(offset, bytes)?
            || !self.is_sound(offset, bytes)?
        {
            return Err(self.poison.damaged(&self.path));
        }
        Ok(bytes.len())
    }
}

fn block_is_sound(block: &[u8], [kind, checksum @ ..]: [u8; TRAILER]) -> bool {
    let sum = crc32c::crc32c_append(crc32c::crc32c(block), &[kind]);
    // Masked as LevelDB does, so that a checksum of checksums stays strong.
    u32::from_le_bytes(checksum) == sum.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Takes a LEB128 number off the front.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let length = bytes.iter().position(|byte| byte & 0x80 == 0)? + 1;
    let (number, rest) = bytes.split_at_checked(length).filter(|_| length <= 9)?;
    *bytes = rest;
    Some(
        number
            .iter()
            .rev()
            .fold(0, |sum, byte| (sum << 7) | u64::from(byte & 0x7f)),
    )
}

impl Env for IndexEnv {
    fn open_sequential_file(&self, path: &Path) -> Result<Box<dyn Read>> {
        // The next log is created before the last bytes of this one are flushed, so an
        // empty one may follow; batches behind a hole may not.
        if has_extension(path, "log") && self.torn_log.get() && self.size_of(path)? > 0 {
            return Err(self.poison.damaged(path));
        }
        let inner = self.inner.open_sequential_file(path)?;
        let (poison, torn_log) = (self.poison.clone(), Rc::clone(&self.torn_log));
        Ok(Box::new(Replay {
            inner,
            path: path.into(),
            poison,
            torn_log,
            ended: false,
        }))
    }

    fn open_random_access_file(&self, path: &Path) -> Result<Box<dyn RandomAccess>> {
        let length = self.size_of(path)?;
        let inner = self
            .poison
            .note(path, self.inner.open_random_access_file(path))?;
        Ok(Box::new(Table {
            inner,
            path: path.into(),
            length,
            poison: self.poison.clone(),
        }))
    }

    fn open_writable_file(&self, path: &Path) -> Result<Box<dyn Write>> {
        self.poison.guard()?;
        let inner = self
            .poison
            .note(path, self.inner.open_writable_file(path))?;
        Ok(Box::new(Writer {
            inner,
            path: path.into(),
            poison: self.poison.clone(),
        }))
    }

    fn open_appendable_file(&self, path: &Path) -> Result<Box<dyn Write>> {
        self.inner.open_appendable_file(path)
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        self.inner.exists(path)
    }

    fn children(&self, path: &Path) -> Result<Vec<PathBuf>> {
        self.poison.note(path, self.inner.children(path))
    }

    fn size_of(&self, path: &Path) -> Result<usize> {
        let length = self.poison.note(path, self.inner.size_of(path))?;
        if has_extension(path, "ldb") && length < FOOTER {
            return Err(self.poison.damaged(path));
        }
        Ok(length)
    }

    fn delete(&self, path: &Path) -> Result<()> {
        self.poison.guard()?;
        self.inner.delete(path)
    }

    fn mkdir(&self, path: &Path) -> Result<()> {
        self.inner.mkdir(path)
    }

    fn rmdir(&self, path: &Path) -> Result<()> {
        self.poison.guard()?;
        self.inner.rmdir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.poison.guard()?;
        self.poison.note(to, self.inner.rename(from, to))
    }

    fn lock(&self, path: &Path) -> Result<FileLock> {
        self.inner.lock(path)
    }

    fn unlock(&self, lock: FileLock) -> Result<()> {
        self.inner.unlock(lock)
    }

    fn new_logger(&self, path: &Path) -> Result<Logger> {
        self.inner.new_logger(path)
    }

    fn micros(&self) -> u64 {
        self.inner.micros()
    }

    fn sleep_for(&self, micros: u32) {
        self.inner.sleep_for(micros);
    }
}
