//! A file of records to carry a chain elsewhere. It appears under its name whole or not at all;
//! its reader bounds every length before it reads, and says only at the end that nothing is
//! missing.
//!
//! A file is the magic (12 bytes, the last one its version) and records as in the block log, with
//! their offset in the file as position, 0 as secret and 0 as end of the last sync. The last
//! record, of kind 255, holds the number of records before it (8 bytes, big-endian) and their
//! chained SHA-256 (32 bytes): `sum = SHA-256(sum | kind | payload)`, from 32 zero bytes on.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{BufReader, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use ccoin_core::Hash;
use ccoin_crypto::sha256;

use crate::StorageError;
use crate::record::{self, HEADER, MAX_PAYLOAD};

const MAGIC: [u8; 12] = *b"ccoinchain\0\x01";

/// Kind of the last record.
const END: u8 = 255;

/// Bytes that are written before they are synced: a burst would make a node on that disk wait.
const SYNCED: usize = 4 << 20;

/// The records before a place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveSum {
    /// How many there are.
    pub records: u64,
    /// Their chained SHA-256.
    pub hash: Hash,
}

impl ArchiveSum {
    fn new() -> Self {
        Self {
            records: 0,
            hash: Hash::new([0; 32]),
        }
    }

    fn add(&mut self, kind: u8, payload: &[u8]) {
        self.hash = sha256(&[self.hash.as_bytes(), &[kind], payload]);
        self.records += 1;
    }

    fn encode(&self) -> Vec<u8> {
        [&self.records.to_be_bytes()[..], self.hash.as_bytes()].concat()
    }
}

/// Writes a file.
pub struct ArchiveWriter {
    path: PathBuf,
    part: PathBuf,
    file: File,
    at: u64,
    waiting: Vec<u8>,
    sum: ArchiveSum,
    /// Whether it has its name.
    named: bool,
}

/// What is given up takes no room.
impl Drop for ArchiveWriter {
    fn drop(&mut self) {
        if !self.named {
            let _ = fs::remove_file(&self.part);
        }
    }
}

impl ArchiveWriter {
    /// Begins a file beside `path`, under its name with `.part` behind; what an earlier run left
    /// there is written over.
    ///
    /// # Errors
    /// [`StorageError::Exists`] if there is a file at `path`, [`StorageError::Busy`] if another
    /// process writes it, or an I/O error.
    pub fn create(path: &Path) -> Result<Self, StorageError> {
        let mut name = path.as_os_str().to_owned();
        name.push(".part");
        let part = PathBuf::from(name);
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(false);
        let file = options.open(&part).map_err(StorageError::io(&part))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StorageError::Busy {
                    path: part,
                    pid: None,
                });
            }
            Err(TryLockError::Error(source)) => {
                return Err(StorageError::Io { path: part, source });
            }
        }
        let writer = Self {
            path: path.to_owned(),
            part,
            file,
            at: MAGIC.len() as u64,
            waiting: MAGIC.to_vec(),
            sum: ArchiveSum::new(),
            named: false,
        };
        writer.refuse_existing()?;
        writer
            .file
            .set_len(0)
            .map_err(StorageError::io(&writer.part))?;
        Ok(writer)
    }

    /// Adds a record of a kind below 255 and at most [`MAX_PAYLOAD`] bytes.
    ///
    /// # Errors
    /// [`StorageError::TooLong`], or an I/O error, after which the file is worth nothing.
    pub fn append(&mut self, kind: u8, payload: &[u8]) -> Result<(), StorageError> {
        self.sum.add(kind, payload);
        self.put(kind, payload)
    }

    /// Makes the file durable under its name; what it holds, and its bytes.
    ///
    /// # Errors
    /// [`StorageError::Exists`] if there is a file by now, or an I/O error.
    pub fn finish(mut self) -> Result<(ArchiveSum, u64), StorageError> {
        self.put(END, &self.sum.encode())?;
        self.flush()?;
        self.take_name()?;
        self.named = true;
        let dir = self.path.parent().filter(|dir| !dir.as_os_str().is_empty());
        let dir = dir.unwrap_or(Path::new("."));
        let synced = File::open(dir).and_then(|dir| dir.sync_all());
        synced.map_err(StorageError::io(dir))?;
        Ok((self.sum, self.at))
    }

    /// Renames the part. An empty file claims the name first: what another process has put there
    /// is never written over, and file systems without hard links do the same.
    fn take_name(&self) -> Result<(), StorageError> {
        let path = self.path.clone();
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(StorageError::Exists { path });
            }
            Err(source) => return Err(StorageError::Io { path, source }),
        }
        fs::rename(&self.part, &path).map_err(|source| {
            let _ = fs::remove_file(&path);
            StorageError::Io { path, source }
        })
    }

    fn refuse_existing(&self) -> Result<(), StorageError> {
        let path = self.path.clone();
        match path.try_exists() {
            Ok(false) => Ok(()),
            Ok(true) => Err(StorageError::Exists { path }),
            Err(source) => Err(StorageError::Io { path, source }),
        }
    }

    fn put(&mut self, kind: u8, payload: &[u8]) -> Result<(), StorageError> {
        let (got, max) = (payload.len() as u64, MAX_PAYLOAD as u64);
        if got > max {
            return Err(StorageError::TooLong { got, max });
        }
        record::encode(&mut self.waiting, 0, self.at, 0, kind, &[payload]);
        self.at += HEADER as u64 + got;
        if self.waiting.len() >= SYNCED {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StorageError> {
        let written = self.file.write_all(&self.waiting);
        let synced = written.and_then(|()| self.file.sync_data());
        synced.map_err(StorageError::io(&self.part))?;
        self.waiting.clear();
        Ok(())
    }
}

/// Reads a file from its beginning to its end.
pub struct ArchiveReader {
    path: PathBuf,
    file: BufReader<File>,
    at: u64,
    length: u64,
    sum: ArchiveSum,
}

impl ArchiveReader {
    /// Opens a file.
    ///
    /// # Errors
    /// [`StorageError::Missing`], [`StorageError::Format`], [`StorageError::Damaged`] if it is
    /// something else, or an I/O error.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        let io = |source| StorageError::io(path)(source);
        let file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let mut reader = Self {
            path: path.to_owned(),
            file: BufReader::new(file),
            at: 0,
            length,
            sum: ArchiveSum::new(),
        };
        let magic = reader.take(0, MAGIC.len())?;
        let [name @ .., version] = MAGIC;
        match magic.strip_prefix(&name) {
            Some([got]) if *got == version => Ok(reader),
            Some([got]) => Err(StorageError::Format {
                path: path.to_owned(),
                got: u32::from(*got),
                expected: u32::from(version),
            }),
            _ => Err(reader.damaged(0)),
        }
    }

    /// Bytes of the file.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How many bytes were read.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Kind and payload of the next record; `None` once the end has shown that nothing is
    /// missing.
    ///
    /// # Errors
    /// [`StorageError::Damaged`] where the file is cut off or not what was written, or an I/O
    /// error.
    pub fn next_record(&mut self) -> Result<Option<(u8, Vec<u8>)>, StorageError> {
        let at = self.at;
        let mut bytes = self.take(at, HEADER)?;
        let header = bytes.first_chunk().expect("so many bytes were read");
        let length = record::claimed_length(header, 0).ok_or_else(|| self.damaged(at))?;
        bytes.append(&mut self.take(at, length)?);
        let record = record::decode(&bytes, 0, at).ok_or_else(|| self.damaged(at))?;
        let kind = record.kind;
        let payload = bytes.split_off(HEADER);
        if kind != END {
            self.sum.add(kind, &payload);
            return Ok(Some((kind, payload)));
        }
        let whole = payload == self.sum.encode() && self.at == self.length;
        whole.then_some(None).ok_or_else(|| self.damaged(at))
    }

    /// What has been read.
    #[must_use]
    pub fn sum(&self) -> ArchiveSum {
        self.sum
    }

    /// The next bytes, of the record that begins at `from`.
    fn take(&mut self, from: u64, bytes: usize) -> Result<Vec<u8>, StorageError> {
        if self.length.saturating_sub(self.at) < bytes as u64 {
            return Err(self.damaged(from));
        }
        let mut taken = vec![0; bytes];
        let read = self.file.read_exact(&mut taken);
        read.map_err(StorageError::io(&self.path))?;
        self.at += bytes as u64;
        Ok(taken)
    }

    fn damaged(&self, offset: u64) -> StorageError {
        StorageError::Damaged {
            path: self.path.clone(),
            offset,
        }
    }
}
