//! One process per key, per chain, per registry. The system drops a lock with its process,
//! so a crash leaves none behind; the file stays and names the last holder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process;

use crate::StorageError;

/// Longest content that is read from a lock file, in bytes.
const MAX_BYTES: u64 = 64;

/// Why a lock is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockFileError {
    /// Another process has it.
    #[error("{} is locked by process {pid}", .path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
        /// The holder as it wrote itself down, or "unknown".
        pid: String,
    },
    /// The lock file cannot be used.
    #[error("cannot lock {}: {source}", .path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub struct LockFile {
    _locked: File,
}

impl LockFile {
    /// Takes the lock at `path` and writes the own process id into it.
    ///
    /// # Errors
    /// [`LockFileError::Held`] names the process that has it; nothing is written then.
    pub fn take(path: &Path) -> Result<Self, LockFileError> {
        let io_error = |source| LockFileError::Io {
            path: path.to_owned(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(io_error)?;
        try_lock(&file, path)?;
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", process::id()))
            .map_err(io_error)?;
        Ok(Self { _locked: file })
    }
}

/// Held while a process owns a chain directory; released when dropped.
#[derive(Debug)]
pub struct ChainLock {
    _lock: LockFile,
}

impl ChainLock {
    /// Takes the lock of `chain_dir`, which exists.
    ///
    /// # Errors
    /// [`StorageError::Busy`] with the number of the process that has it.
    pub fn acquire(chain_dir: &Path) -> Result<Self, StorageError> {
        let lock = LockFile::take(&chain_dir.join("lock"))?;
        Ok(Self { _lock: lock })
    }

    /// Takes the lock of `chain_dir` without writing; `None` if no process ever had it.
    ///
    /// # Errors
    /// [`StorageError::Busy`] with the number of the process that has it.
    pub fn hold(chain_dir: &Path) -> Result<Option<Self>, StorageError> {
        let path = chain_dir.join("lock");
        let file = match File::open(&path).map_err(StorageError::io(&path)) {
            Err(StorageError::Missing { .. }) => return Ok(None),
            file => file?,
        };
        try_lock(&file, &path)?;
        Ok(Some(Self {
            _lock: LockFile { _locked: file },
        }))
    }
}

impl From<LockFileError> for StorageError {
    fn from(error: LockFileError) -> Self {
        match error {
            LockFileError::Held { path, pid } => {
                let pid = pid.parse().ok();
                Self::Busy { path, pid }
            }
            LockFileError::Io { path, source } => Self::Io { path, source },
        }
    }
}

fn try_lock(file: &File, path: &Path) -> Result<(), LockFileError> {
    let path = path.to_owned();
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let read = file.take(MAX_BYTES).read_to_string(&mut text);
            let pid = read.ok().and_then(|_| text.trim().parse::<u32>().ok());
            let pid = pid.map_or("unknown".to_owned(), |pid| pid.to_string());
            Err(LockFileError::Held { path, pid })
        }
        Err(TryLockError::Error(source)) => Err(LockFileError::Io { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_owner_is_refused_and_told_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let first = ChainLock::acquire(dir.path()).unwrap();
        let before = std::fs::read(dir.path().join("lock")).unwrap();
        let error = ChainLock::acquire(dir.path()).unwrap_err();
        assert!(
            matches!(error, StorageError::Busy { pid: Some(pid), .. } if pid == std::process::id()),
            "{error}"
        );
        let held = ChainLock::hold(dir.path());
        assert!(matches!(held, Err(StorageError::Busy { .. })));
        assert_eq!(std::fs::read(dir.path().join("lock")).unwrap(), before);
        drop(first);
        assert!(ChainLock::hold(dir.path()).unwrap().is_some());
        assert_eq!(std::fs::read(dir.path().join("lock")).unwrap(), before);
        ChainLock::acquire(dir.path()).unwrap();
    }

    #[test]
    fn a_lock_without_a_process_in_it_is_held_by_an_unknown_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = LockFile::take(&path).unwrap();
        std::fs::write(&path, "9".repeat(100)).unwrap();
        let error = LockFile::take(&path).unwrap_err();
        assert!(matches!(error, LockFileError::Held { pid, .. } if pid == "unknown"));
        drop(first);
        LockFile::take(&path).unwrap();
        let error = LockFile::take(dir.path()).unwrap_err();
        assert!(matches!(error, LockFileError::Io { .. }), "{error}");
    }
}
