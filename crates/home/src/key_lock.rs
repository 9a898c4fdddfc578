//! One process per key and host: two would sign against each other.
//! The system drops the lock with the process, so a crash leaves none behind.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process;

use crate::atomic_file::read_text;
use crate::{ExitCode, Failure};

/// Longest content that is read from a lock file, in bytes.
const MAX_BYTES: usize = 64;

/// Why the key cannot be used by this process.
#[derive(Debug, thiserror::Error)]
pub enum KeyLockError {
    /// Another process uses it.
    #[error("{} is locked: process {pid} uses this key", .path.display())]
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
        /// What the system says.
        source: io::Error,
    },
}

impl From<KeyLockError> for Failure {
    fn from(error: KeyLockError) -> Self {
        let message = error.to_string();
        match error {
            KeyLockError::Held { pid, .. } => Self::new(ExitCode::Busy, message)
                .hint("two processes with one key would sign against each other")
                .hint(format!("stop the other one: kill {pid}")),
            KeyLockError::Io { .. } => Self::new(ExitCode::Disk, message),
        }
    }
}

/// The right to use a key, until it is dropped.
#[derive(Debug)]
pub struct KeyLock {
    _locked: File,
}

impl KeyLock {
    /// Takes the lock at `path` and writes the own process id into it.
    ///
    /// # Errors
    /// [`KeyLockError::Held`] names the process that has it.
    pub fn take(path: &Path) -> Result<Self, KeyLockError> {
        let io_error = |source| KeyLockError::Io {
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
                let pid = match text.trim().parse::<u32>() {
                    Ok(pid) => pid.to_string(),
                    Err(_) => "(unknown)".to_owned(),
                };
                return Err(KeyLockError::Held {
                    path: path.to_owned(),
                    pid,
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
    fn a_second_user_is_refused_and_told_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        std::fs::write(&path, "999999999 and more").unwrap();
        let first = KeyLock::take(&path).unwrap();
        let failure = Failure::from(KeyLock::take(&path).unwrap_err());
        assert_eq!(failure.code, ExitCode::Busy);
        let me = process::id();
        assert!(
            failure.message.contains(&format!("process {me} uses")),
            "{failure}"
        );
        assert!(failure.hints[1].contains(&format!("kill {me}")));
        drop(first);
        KeyLock::take(&path).unwrap();
        assert!(matches!(
            KeyLock::take(dir.path()),
            Err(KeyLockError::Io { .. })
        ));
    }
}
