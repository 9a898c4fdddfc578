//! Whole files that are either as before or complete, also after a power cut.
//! The bytes are on disk, and so is the name, when a function returns.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Held from the creation of a temporary file to its end.
static WRITING: Mutex<()> = Mutex::new(());

/// Writes a file that must not exist yet, with the permission bits `mode`.
///
/// # Errors
/// `AlreadyExists` if there is one, which stays as it is; else what the system says.
pub fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let _writing = writing();
    let temporary = write_temporary(path, bytes, mode)?;
    // A link, unlike a rename, fails when the name is taken.
    let linked = fs::hard_link(&temporary, path);
    let removed = fs::remove_file(&temporary);
    linked.and(removed)?;
    sync_directory(path)
}

/// Writes a file with the permission bits `mode` in place of the one that may be there:
/// readers see the old one or all of the new one.
///
/// # Errors
/// What the system says; the old file stays then.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let _writing = writing();
    let temporary = write_temporary(path, bytes, mode)?;
    fs::rename(&temporary, path).inspect_err(|_| drop(fs::remove_file(&temporary)))?;
    sync_directory(path)
}

/// Reads text of at most `max` bytes.
///
/// # Errors
/// `InvalidData` for a longer file or one that is not UTF-8; else what the system says.
pub fn read_text(file: impl Read, max: usize) -> io::Result<String> {
    let mut text = String::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_string(&mut text)?;
    if text.len() > max {
        let fault = format!("longer than {max} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, fault));
    }
    Ok(text)
}

/// With this, a temporary file that is there already was left by a dead process of the
/// same number: in a container that may be every earlier one.
fn writing() -> MutexGuard<'static, ()> {
    WRITING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write_temporary(path: &Path, bytes: &[u8], mode: u32) -> io::Result<PathBuf> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", process::id()));
    let temporary = path.with_file_name(name);
    let create = || {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(mode);
        options.open(&temporary)
    };
    let created = match create() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(&temporary)?;
            create()
        }
        created => created,
    };
    let mut file = created?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.inspect_err(|_| drop(fs::remove_file(&temporary)))?;
    Ok(temporary)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_new_file_never_replaces_one_and_leaves_no_rest() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        write_new(&path, b"one", 0o600).unwrap();
        let error = write_new(&path, b"two", 0o600).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        replace(&path, b"three", 0o640).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o640
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_dead_process_of_the_same_number_has_left_is_in_nobodys_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let rest = dir.path().join(format!("key.{}.new", process::id()));
        fs::write(&rest, b"ha").unwrap();
        write_new(&path, b"one", 0o600).unwrap();
        fs::write(&rest, b"longer than what comes").unwrap();
        replace(&path, b"two", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn reading_is_bounded() {
        assert_eq!(read_text(&b"four"[..], 4).unwrap(), "four");
        assert!(read_text(&b"fives"[..], 4).is_err());
        assert!(read_text(&b"\xff"[..], 4).is_err());
    }
}
