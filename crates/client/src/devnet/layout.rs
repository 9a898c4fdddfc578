//! Where the files of a local network are, and who uses its directory: one process at
//! a time. A temporary directory is removed at the end, a named one never.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;

use ccoin_home::read_text;

use super::DevnetError;
use super::temporary::{self, WORD};
use super::unfinished::is_marked;

/// Longest content that is read from the lock file, in bytes.
pub(super) const MAX_LOCK: usize = 64;

/// An error of the file system at `path`.
pub(super) fn file_error(path: &Path) -> impl FnOnce(io::Error) -> DevnetError {
    let path = path.to_owned();
    move |source| DevnetError::File { path, source }
}

/// The paths below the directory of a network.
#[derive(Clone, Debug)]
pub(super) struct Layout(PathBuf);

impl Layout {
    /// Of this directory.
    pub(super) fn new(root: PathBuf) -> Self {
        Self(root)
    }

    /// The directory itself, absolute.
    pub(super) fn root(&self) -> &Path {
        &self.0
    }

    /// Is there nothing but the lock of a process of ours?
    ///
    /// # Errors
    /// [`DevnetError::File`] with what the system says.
    fn is_empty(&self) -> Result<bool, DevnetError> {
        for entry in fs::read_dir(&self.0).map_err(file_error(&self.0))? {
            let path = entry.map_err(file_error(&self.0))?.path();
            if path != self.lock() || !is_lock(&path) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Held by the process that uses the directory, and written by it.
    pub(super) fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// What network it is.
    pub(super) fn manifest(&self) -> PathBuf {
        self.0.join("devnet.json")
    }

    /// The mark of a network that is being made.
    pub(super) fn unfinished(&self) -> PathBuf {
        self.0.join("devnet.unfinished")
    }

    /// Is a network here, or on its way, or may there be one?
    ///
    /// # Errors
    /// [`DevnetError::Stranger`] if there is something else.
    pub(super) fn check(&self) -> Result<(), DevnetError> {
        let known = self.manifest().exists() || is_marked(self);
        if known || self.is_empty()? {
            return Ok(());
        }
        Err(DevnetError::Stranger(self.0.clone()))
    }

    /// The genesis configuration.
    pub(super) fn genesis(&self) -> PathBuf {
        self.0.join("genesis.json")
    }

    /// The socket for orders.
    pub(super) fn control(&self) -> PathBuf {
        self.0.join("control")
    }

    /// Everything of one process: `discovery` or the name of a node.
    pub(super) fn member(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Everything of one account of a user.
    pub(super) fn account(&self, name: &str) -> PathBuf {
        self.0.join("accounts").join(name)
    }
}

/// The right to use the directory of a network, until it is dropped.
#[derive(Debug)]
pub(super) struct Home {
    pub(super) layout: Layout,
    temporary: bool,
    _lock: File,
}

impl Home {
    /// Opens `dir`, made if it is absent; `None`: a new temporary one.
    ///
    /// # Errors
    /// [`DevnetError::InUse`] if another process has it, [`DevnetError::Stranger`] if it
    /// holds something else: nothing is changed then.
    pub(super) fn open(dir: Option<&Path>) -> Result<Self, DevnetError> {
        let root = match dir {
            Some(dir) => {
                private()
                    .recursive(true)
                    .create(dir)
                    .map_err(file_error(dir))?;
                dir.to_owned()
            }
            None => temporary::make()?,
        };
        let root = fs::canonicalize(&root).map_err(file_error(&root))?;
        let layout = Layout(root);
        layout.check()?;
        let lock = take_lock(&layout, dir.is_none())?;
        Ok(Self {
            layout,
            temporary: dir.is_none(),
            _lock: lock,
        })
    }

    /// Is it removed at the end?
    pub(super) fn is_temporary(&self) -> bool {
        self.temporary
    }

    /// Gives the directory back, and removes a temporary one.
    ///
    /// # Errors
    /// [`DevnetError::File`] if something in it cannot be removed.
    pub(super) fn close(self) -> Result<(), DevnetError> {
        let root = self.layout.root();
        if self.temporary {
            fs::remove_dir_all(root).map_err(file_error(root))?;
        }
        Ok(())
    }
}

/// Directories for the owner alone: there are keys in them.
pub(super) fn private() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

/// Somebody else may call a file so, too: ours holds a number or, for a moment, nothing.
fn is_lock(path: &Path) -> bool {
    if !fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file()) {
        return false;
    }
    let text = File::open(path).and_then(|file| read_text(file, MAX_LOCK));
    text.is_ok_and(|text| text.is_empty() || process_in(&text).is_some())
}

/// Who has written a lock.
fn process_in(text: &str) -> Option<u32> {
    let (pid, rest) = text
        .trim_end()
        .split_once(' ')
        .unwrap_or((text.trim_end(), ""));
    pid.parse().ok().filter(|_| matches!(rest, "" | WORD))
}

fn take_lock(layout: &Layout, is_temporary: bool) -> Result<File, DevnetError> {
    let path = layout.lock();
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(file_error(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let text = read_text(&file, MAX_LOCK).unwrap_or_default();
            let pid = process_in(&text).map(|pid| pid.to_string());
            return Err(DevnetError::InUse {
                dir: layout.0.clone(),
                pid: pid.unwrap_or("unknown".to_owned()),
            });
        }
        Err(TryLockError::Error(source)) => return Err(DevnetError::File { path, source }),
    }
    let text = match is_temporary {
        true => format!("{} {WORD}\n", process::id()),
        false => format!("{}\n", process::id()),
    };
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(text.as_bytes()))
        .map_err(file_error(&path))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_lock_of_somebody_else_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let lock = dir.path().join("lock");
        for text in ["of the front door", "4 bars\n"] {
            fs::write(&lock, text).unwrap();
            let error = Home::open(Some(dir.path())).unwrap_err();
            assert!(matches!(error, DevnetError::Stranger(_)), "{error}");
            assert_eq!(fs::read_to_string(&lock).unwrap(), text);
        }
        fs::remove_file(&lock).unwrap();
        std::os::unix::fs::symlink("elsewhere", &lock).unwrap();
        Home::open(Some(dir.path())).unwrap_err();
        assert!(!dir.path().join("elsewhere").exists());
        // One of a process that ended before it made anything.
        fs::remove_file(&lock).unwrap();
        fs::write(&lock, "7\n").unwrap();
        let home = Home::open(Some(dir.path())).unwrap();
        assert!(home.layout.is_empty().unwrap());
    }

    #[test]
    fn one_process_at_a_time_and_only_the_temporary_one_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let named = dir.path().join("deep/net");
        let home = Home::open(Some(&named)).unwrap();
        assert!(!home.is_temporary());
        let mode = fs::metadata(&named).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let DevnetError::InUse { pid, .. } = Home::open(Some(&named)).unwrap_err() else {
            panic!("two have it");
        };
        assert_eq!(pid, process::id().to_string());
        home.close().unwrap();
        Home::open(Some(&named)).unwrap().close().unwrap();
        assert!(named.exists());

        let (first, second) = (Home::open(None).unwrap(), Home::open(None).unwrap());
        let paths = [&first, &second].map(|home| home.layout.root().to_owned());
        assert_ne!(paths[0], paths[1]);
        let mode = fs::metadata(&paths[0]).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        first.close().unwrap();
        second.close().unwrap();
        assert!(paths.iter().all(|path| !path.exists()));
    }
}
