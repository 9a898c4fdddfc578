//! One process per chain directory. The lock is the operating system's, so it
//! ends with the process; the file is never deleted and its text only tells a
//! second process whom to blame.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use crate::StorageError;

/// Held while a process owns a chain directory; released when dropped.
#[derive(Debug)]
pub struct ChainLock {
    _file: File,
}

impl ChainLock {
    /// Takes the lock of `chain_dir` (which exists) and writes this process's number into it.
    ///
    /// # Errors
    /// [`StorageError::Busy`] with the number of the process that has it; nothing is written then.
    pub fn acquire(chain_dir: &Path) -> Result<Self, StorageError> {
        let path = chain_dir.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(StorageError::io(&path))?;
        try_lock(&file, &path)?;
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(StorageError::io(&path))?;
        Ok(Self { _file: file })
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
        Ok(Some(Self { _file: file }))
    }
}

fn try_lock(file: &File, path: &Path) -> Result<(), StorageError> {
    let path = path.to_owned();
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let pid = file.take(20).read_to_string(&mut text).ok();
            let pid = pid.and_then(|_| text.trim().parse().ok());
            Err(StorageError::Busy { path, pid })
        }
        Err(TryLockError::Error(source)) => Err(StorageError::Io { path, source }),
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
}
