//! The files of the block log: `00000001.log` and on, of one size, written
//! full of zeros before use so that a commit changes no metadata. A file under
//! its final name is complete; its header is never written again.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::StorageError;
use crate::disk::{Disk, DiskFile};

/// Bytes of a file header: magic 8, format 4, number 8, seed 8, checksum 4.
pub(crate) const HEADER: u64 = 32;
const MAGIC: [u8; 8] = *b"ccoinlog";
const FORMAT: u32 = 1;

/// Identity of a log file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileHeader {
    /// Segment number, or generation of a pool file.
    pub(crate) number: u64,
    /// Secret of the log, part of every checksum.
    pub(crate) seed: u64,
}

impl FileHeader {
    /// 64 unpredictable bits; `RandomState` draws its keys from the operating system.
    pub(crate) fn fresh_seed() -> u64 {
        RandomState::new().hash_one(0)
    }

    pub(crate) fn encode(&self) -> [u8; HEADER as usize] {
        let mut bytes = [0; HEADER as usize];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT.to_be_bytes());
        bytes[12..20].copy_from_slice(&self.number.to_be_bytes());
        bytes[20..28].copy_from_slice(&self.seed.to_be_bytes());
        let sum = crc32c::crc32c(&bytes[..28]);
        bytes[28..].copy_from_slice(&sum.to_be_bytes());
        bytes
    }

    /// `None` if the bytes are no header; the error only for a good header of another format.
    pub(crate) fn decode(
        path: &Path,
        bytes: &[u8; HEADER as usize],
    ) -> Result<Option<Self>, StorageError> {
        let (body, sum) = bytes.split_at(28);
        if body[..8] != MAGIC || crc32c::crc32c(body).to_be_bytes() != *sum {
            return Ok(None);
        }
        let number = |at: usize| {
            body[at..at + 8]
                .iter()
                .fold(0, |number, byte| (number << 8) | u64::from(*byte))
        };
        let got = (number(4) & u64::from(u32::MAX)) as u32;
        if got != FORMAT {
            return Err(StorageError::Format {
                path: path.into(),
                got,
                expected: FORMAT,
            });
        }
        Ok(Some(Self {
            number: number(12),
            seed: number(20),
        }))
    }
}

/// The segments of one log: where they are, how long, under which secret.
#[derive(Clone)]
pub(crate) struct Segments {
    pub(crate) disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// Bytes of each file.
    pub(crate) bytes: u64,
    pub(crate) seed: u64,
}

impl Segments {
    /// Makes the first segment of a new log.
    pub(crate) fn create(
        disk: Arc<dyn Disk>,
        dir: &Path,
        bytes: u64,
    ) -> Result<Self, StorageError> {
        disk.make_dir(dir).map_err(StorageError::io(dir))?;
        let segments = Self {
            disk,
            dir: dir.into(),
            bytes,
            seed: FileHeader::fresh_seed(),
        };
        if segments.last()? > 0 {
            return Err(StorageError::Exists {
                path: segments.path(1),
            });
        }
        segments.prepare(1)?;
        if let Some(parent) = dir.parent() {
            segments
                .disk
                .sync_dir(parent)
                .map_err(StorageError::io(parent))?;
        }
        Ok(segments)
    }

    /// Finds an existing log and the number of its last segment.
    pub(crate) fn find(
        disk: Arc<dyn Disk>,
        dir: &Path,
        bytes: u64,
    ) -> Result<(Self, u64), StorageError> {
        let mut segments = Self {
            disk,
            dir: dir.into(),
            bytes,
            seed: 0,
        };
        let first = segments.open_any(1)?;
        segments.seed = first.1.seed;
        let last = segments.last()?;
        for number in 1..=last {
            segments.open(number)?;
        }
        Ok((segments, last))
    }

    pub(crate) fn path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number:08}.log"))
    }

    /// Highest segment number present; 0 if there is none.
    fn last(&self) -> Result<u64, StorageError> {
        let names = self
            .disk
            .names(&self.dir)
            .map_err(StorageError::io(&self.dir))?;
        let numbers = names
            .iter()
            .filter_map(|name| name.strip_suffix(".log")?.parse().ok());
        Ok(numbers.max().unwrap_or(0))
    }

    /// Writes a segment of zeros and makes it durable under its name.
    pub(crate) fn prepare(&self, number: u64) -> Result<(), StorageError> {
        let path = self.path(number);
        let temporary = path.with_extension("new");
        let write = || {
            let file = self.disk.create(&temporary)?;
            write_zeros(&*file, 0, self.bytes)?;
            file.write_at(
                0,
                &FileHeader {
                    number,
                    seed: self.seed,
                }
                .encode(),
            )?;
            file.sync()?;
            self.disk.rename(&temporary, &path)?;
            self.disk.sync_dir(&self.dir)
        };
        write().map_err(StorageError::io(&path))
    }

    /// Opens a segment after checking that it is one of this log.
    pub(crate) fn open(&self, number: u64) -> Result<Arc<dyn DiskFile>, StorageError> {
        let (file, header) = self.open_any(number)?;
        if header.seed != self.seed {
            return Err(StorageError::Damaged {
                path: self.path(number),
                offset: 0,
            });
        }
        Ok(file)
    }

    fn open_any(&self, number: u64) -> Result<(Arc<dyn DiskFile>, FileHeader), StorageError> {
        let path = self.path(number);
        let read = || {
            let file = self.disk.open(&path)?;
            let mut bytes = [0; HEADER as usize];
            let whole = file.len()? == self.bytes;
            if whole {
                file.read_at(0, &mut bytes)?;
            }
            Ok((file, whole.then_some(bytes)))
        };
        let (file, bytes) = read().map_err(StorageError::io(&path))?;
        let header = match bytes {
            Some(bytes) => FileHeader::decode(&path, &bytes)?,
            None => None,
        };
        match header {
            Some(header) if header.number == number => Ok((file, header)),
            _ => Err(StorageError::Damaged { path, offset: 0 }),
        }
    }

    /// All bytes of a segment.
    pub(crate) fn load(&self, number: u64) -> Result<Vec<u8>, StorageError> {
        let mut bytes = vec![0; self.bytes as usize];
        self.open(number)?
            .read_at(0, &mut bytes)
            .map_err(StorageError::io(&self.path(number)))?;
        Ok(bytes)
    }

    /// Refusal that names the file of `position`.
    pub(crate) fn damaged(&self, number: u64, offset: u64) -> StorageError {
        StorageError::Damaged {
            path: self.path(number),
            offset,
        }
    }
}

/// Writes zeros over `from..to`.
pub(crate) fn write_zeros(file: &dyn DiskFile, from: u64, to: u64) -> std::io::Result<()> {
    let zeros = vec![0; 1 << 20];
    let mut at = from;
    while at < to {
        let length = (to - at).min(zeros.len() as u64);
        file.write_at(at, &zeros[..length as usize])?;
        at += length;
    }
    Ok(())
}
