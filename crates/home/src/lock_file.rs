//! One process per key, per registry, per directory. The system drops a lock with its
//! process, so a crash leaves none behind; the file stays and names the last holder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process;

use crate::atomic_file::read_text;
use crate::{ExitCode, Failure};

/// Longest content that is read from a lock file, in bytes.
const MAX_BYTES: usize = 64;

/// Why a lock is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockFileError {
    /// Another process has it.
    #[error("{} is locked by process {pid}", .path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
        /// The holder, as it wrote itself down.
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

impl From<LockFileError> for Failure {
    fn from(error: LockFileError) -> Self {
        let message = error.to_string();
        match error {
            LockFileError::Held { pid, .. } => {
                Self::new(ExitCode::Busy, message).hint(format!("stop the other one: kill {pid}"))
            }
            LockFileError::Io { .. } => Self::new(ExitCode::Unexpected, message),
        }
    }
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
    /// [`LockFileError::Held`] names the process that has it.
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
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let text = read_text(&file, MAX_BYTES).unwrap_or_default();
                let pid = text.trim().parse::<u32>();
                return Err(LockFileError::Held {
                    path: path.to_owned(),
                    pid: pid.map_or_else(|_| "(unknown)".to_owned(), |pid| pid.to_string()),
                });
            }
            Err(TryLockError::Error(source)) => return Err(io_error(source)),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", process::id()))
            .map_err(io_error)?;
        Ok(Self { _locked: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_and_told_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        std::fs::write(&path, "999999999 and more").unwrap();
        let first = LockFile::take(&path).unwrap();
        let failure = Failure::from(LockFile::take(&path).unwrap_err());
        assert_eq!(failure.code, ExitCode::Busy);
        let me = process::id();
        assert!(failure.message.ends_with(&format!("by process {me}")));
        assert!(failure.hints[0].contains(&format!("kill {me}")));
        drop(first);
        LockFile::take(&path).unwrap();
        assert!(matches!(
            LockFile::take(dir.path()),
            Err(LockFileError::Io { .. })
        ));
    }
}
