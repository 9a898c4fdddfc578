//! The directory of a network: one process uses it at a time. A temporary one is removed
//! at the end; after a kill -9, by the next network that starts. It never removes or
//! changes a directory that a user named.

use std::env;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

use ccoin_home::{ExitCode, Failure, KeyLock, KeyLockError};
use tempfile::TempDir;

use super::layout::Layout;
use crate::files::{remove, unusable};

/// Start of the names of temporary directories.
const PREFIX: &str = "ccoin-devnet-";

/// The right to use the directory of a network, until it is dropped.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) layout: Layout,
    temporary: bool,
    _lock: KeyLock,
}

impl Directory {
    /// Opens `dir`, made if it is absent; `None`: a new temporary one.
    ///
    /// # Errors
    /// [`Failure`] 8 if another process uses it, 3 if it holds something else: nothing is
    /// changed then.
    pub(super) fn open(dir: Option<&Path>) -> Result<Self, Failure> {
        let (root, temporary) = match dir {
            Some(dir) => {
                private().create(dir).map_err(unusable(dir))?;
                (dir.to_owned(), None)
            }
            None => {
                let made = tempfile::Builder::new()
                    .prefix(PREFIX)
                    .permissions(Permissions::from_mode(0o700))
                    .tempdir()
                    .map_err(unusable(&env::temp_dir()))?;
                (made.path().to_owned(), Some(made))
            }
        };
        let layout = Layout::new(fs::canonicalize(&root).map_err(unusable(&root))?);
        check(&layout)?;
        let lock = KeyLock::take(&layout.lock()).map_err(|error| in_use(&layout, error))?;
        let marker = layout.temporary();
        match &temporary {
            Some(_) => drop(File::create(&marker).map_err(unusable(&marker))?),
            // A network that was killed is kept once a user names its directory.
            None => remove(&marker)?,
        }
        Ok(Self {
            layout,
            // From here on the marker decides, also after a kill.
            temporary: temporary.map(TempDir::keep).is_some(),
            _lock: lock,
        })
    }

    pub(super) fn is_temporary(&self) -> bool {
        self.temporary
    }

    /// Removes a temporary directory.
    ///
    /// # Errors
    /// [`Failure`] 3 if a part of it stays; the next start of a network tries again.
    pub(super) fn close(self) -> Result<(), Failure> {
        let root = self.layout.root();
        match self.temporary {
            true => remove_keys_first(root).map_err(unusable(root)),
            false => Ok(()),
        }
    }
}

/// A directory for its owner alone: it holds keys.
pub(super) fn private() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
}

/// Refuses a directory that holds neither a network nor the beginning of one.
fn check(layout: &Layout) -> Result<(), Failure> {
    if layout.manifest().exists() || layout.init_marker().exists() {
        return Ok(());
    }
    let root = layout.root();
    for entry in fs::read_dir(root).map_err(unusable(root))? {
        let path = entry.map_err(unusable(root))?.path();
        if path != layout.lock() && path != layout.temporary() {
            let message = format!("{} is not empty and holds no devnet", root.display());
            return Err(Failure::new(ExitCode::BadConfig, message)
                .hint("nothing was changed; name another directory with --data-dir"));
        }
    }
    Ok(())
}

fn in_use(layout: &Layout, error: KeyLockError) -> Failure {
    let pid = match error {
        KeyLockError::Held { pid, .. } => pid,
        KeyLockError::Io { path, source } => return unusable(&path)(source),
    };
    let dir = layout.root().display();
    let message = format!("another devnet (process {pid}) runs in {dir}");
    Failure::new(ExitCode::Busy, message).hint("end it, or name another directory with --data-dir")
}

/// Removes the temporary directories of all networks that were killed.
pub(super) fn remove_all_abandoned() {
    let entries = fs::read_dir(env::temp_dir()).into_iter().flatten();
    for entry in entries.filter_map(Result::ok) {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            // The next network tries again.
            let _ = remove_abandoned(&entry.path());
        }
    }
}

/// Removes `dir` if it is a temporary directory of this user that no process uses.
///
/// # Errors
/// The reason of the system if a part of it stays.
pub(super) fn remove_abandoned(dir: &Path) -> io::Result<()> {
    let layout = Layout::new(dir.to_owned());
    let is_own = |dir: &Path| {
        let own = fs::metadata("/proc/self").ok()?.uid();
        let found = fs::symlink_metadata(dir).ok()?;
        Some(found.is_dir() && found.uid() == own)
    };
    if is_own(dir) != Some(true) || !layout.temporary().exists() {
        return Ok(());
    }
    let Ok(_lock) = KeyLock::take(&layout.lock()) else {
        return Ok(());
    };
    remove_keys_first(dir)
}

/// As long as a key is left, the marker is there for the next try.
fn remove_keys_first(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    fs::remove_dir_all(dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process;

    fn mode(dir: &Path) -> u32 {
        fs::metadata(dir).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn one_process_at_a_time_uses_it_and_only_a_temporary_one_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let named = dir.path().join("deep/net");
        let directory = Directory::open(Some(&named)).unwrap();
        assert!(!directory.is_temporary());
        assert_eq!(mode(&named), 0o700);
        let failure = Directory::open(Some(&named)).unwrap_err();
        assert_eq!(failure.code, ExitCode::Busy);
        let me = format!("process {}", process::id());
        assert!(failure.message.contains(&me), "{failure}");
        directory.close().unwrap();
        Directory::open(Some(&named)).unwrap().close().unwrap();
        assert!(named.exists());

        let open = [
            Directory::open(None).unwrap(),
            Directory::open(None).unwrap(),
        ];
        let paths = [&open[0], &open[1]].map(|open| open.layout.root().to_owned());
        assert_ne!(paths[0], paths[1]);
        assert_eq!(mode(&paths[0]), 0o700);
        for open in open {
            open.close().unwrap();
        }
        assert!(paths.iter().all(|path| !path.exists()));
    }

    #[test]
    fn files_of_others_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("thesis.tex"), "").unwrap();
        let failure = Directory::open(Some(dir.path())).unwrap_err();
        assert_eq!(failure.code, ExitCode::BadConfig);
        assert!(failure.message.contains("holds no devnet"), "{failure}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_abandoned_directory_is_removed_and_a_used_or_named_one_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("net");
        let directory = Directory::open(Some(&dir)).unwrap();
        let layout = directory.layout.clone();
        let mark = || fs::write(layout.temporary(), "").unwrap();
        mark();
        fs::create_dir_all(layout.account("alice")).unwrap();
        fs::write(layout.manifest(), "{}").unwrap();
        remove_abandoned(&dir).unwrap();
        assert!(layout.manifest().exists(), "it is in use");

        drop(directory);
        drop(Directory::open(Some(&dir)).unwrap());
        remove_abandoned(&dir).unwrap();
        assert!(layout.manifest().exists(), "a user named it");

        mark();
        let link = parent.path().join("link");
        std::os::unix::fs::symlink(&dir, &link).unwrap();
        remove_abandoned(&link).unwrap();
        assert!(dir.exists());
        remove_abandoned(&dir).unwrap();
        assert!(!dir.exists());
        remove_abandoned(&dir).unwrap();
    }
}
