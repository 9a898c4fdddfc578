//! Directories of networks that nobody keeps. They are removed at the end; those of
//! processes that were killed by the next one that comes along, because there are keys in
//! them. Which these are stands in their lock, and nobody holds it.

use std::env;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process;

use ccoin_home::read_text;

use super::DevnetError;
use super::layout::{Layout, MAX_LOCK, private};

/// How their names begin.
const PREFIX: &str = "ccoin-devnet-";

/// What stands in the lock of such a directory, behind the process.
pub(super) const WORD: &str = "temporary";

/// Names that are tried.
const ATTEMPTS: u32 = 1_000;

/// A directory that did not exist, so that nobody else has prepared it.
///
/// # Errors
/// [`DevnetError::File`] with what the system says.
pub(super) fn make() -> Result<PathBuf, DevnetError> {
    let parent = env::temp_dir();
    let mut attempt = 0;
    loop {
        let path = parent.join(format!("{PREFIX}{}-{attempt}", process::id()));
        match private().create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < ATTEMPTS => {
                attempt += 1;
            }
            Err(source) => return Err(DevnetError::File { path, source }),
        }
    }
}

/// Removes all whose processes are gone from where they are made now.
pub(super) fn sweep() {
    let entries = fs::read_dir(env::temp_dir()).into_iter().flatten();
    for entry in entries.filter_map(Result::ok) {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            remove_abandoned(&entry.path());
        }
    }
}

/// Removes a directory if it is one of these, ours, and nobody uses it; false if it has
/// to be tried again.
pub(super) fn remove_abandoned(dir: &Path) -> bool {
    let layout = Layout::new(dir.to_owned());
    match is_abandoned(&layout) {
        Some(_lock) => remove(&layout).is_ok(),
        None => true,
    }
}

/// The lock, taken, of such a directory.
fn is_abandoned(layout: &Layout) -> Option<File> {
    let own = fs::metadata("/proc/self").ok()?.uid();
    let dir = fs::symlink_metadata(layout.root()).ok()?;
    let file = fs::symlink_metadata(layout.lock()).ok()?;
    if !dir.is_dir() || dir.uid() != own || !file.is_file() {
        return None;
    }
    let lock = File::open(layout.lock()).ok()?;
    lock.try_lock().ok()?;
    let text = read_text(&lock, MAX_LOCK).ok()?;
    (text.split_whitespace().nth(1) == Some(WORD)).then_some(lock)
}

/// The lock goes last: as long as anything is left, the directory is known by it.
fn remove(layout: &Layout) -> io::Result<()> {
    for entry in fs::read_dir(layout.root())? {
        let entry = entry?;
        if entry.path() == layout.lock() {
            continue;
        }
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
    }
    fs::remove_dir_all(layout.root())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devnet::layout::Home;

    #[test]
    fn what_nobody_holds_is_removed_and_what_somebody_keeps_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("net");
        let home = Home::open(Some(&dir)).unwrap();
        let written = || fs::write(dir.join("lock"), format!("7 {WORD}\n")).unwrap();
        written();
        fs::create_dir_all(home.layout.account("alice")).unwrap();
        fs::write(home.layout.genesis(), "").unwrap();
        assert!(remove_abandoned(&dir));
        assert!(home.layout.genesis().exists(), "somebody holds it");
        // Whoever names it keeps it.
        drop(home);
        fs::write(dir.join("devnet.json"), "{}").unwrap();
        drop(Home::open(Some(&dir)).unwrap());
        assert!(remove_abandoned(&dir));
        assert!(dir.join("genesis.json").exists(), "somebody keeps it");

        written();
        let link = parent.path().join("link");
        std::os::unix::fs::symlink(&dir, &link).unwrap();
        assert!(remove_abandoned(&link) && dir.exists());
        assert!(remove_abandoned(&dir));
        assert!(!dir.exists());
        assert!(remove_abandoned(&dir), "there is nothing to do");
    }
}
