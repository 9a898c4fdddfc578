//! Small files of this crate: JSON that is read with a bound, and files that exist only
//! while their owner runs.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use ccoin_home::{ExitCode, Failure, read_text, replace_file};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest JSON file that is read, in bytes: a network of 60 members needs 20,000.
const MAX_BYTES: usize = 256 << 10;

/// Adds the path to an error of the file system; exit code 3.
pub(crate) fn unusable(path: &Path) -> impl FnOnce(io::Error) -> Failure {
    move |error| {
        let message = format!("cannot use {}: {error}", path.display());
        Failure::new(ExitCode::BadConfig, message)
    }
}

/// Reads a JSON file; `None` if it is absent.
///
/// # Errors
/// [`Failure`] 3 for a file that cannot be read or holds something else.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Failure> {
    let text = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.and_then(|file| read_text(file, MAX_BYTES)),
    };
    let text = text.map_err(unusable(path))?;
    let parsed = serde_json::from_str(&text).map_err(io::Error::from);
    parsed.map(Some).map_err(unusable(path))
}

/// A value as one line of JSON.
pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and numbers can always be written")
}

/// Writes a whole file with the permission bits `mode` in place of an earlier one.
///
/// # Errors
/// [`Failure`] 3 with the reason of the system.
pub(crate) fn write(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    replace_file(path, text.as_bytes(), mode).map_err(unusable(path))
}

/// Removes a file; an absent one is no error.
///
/// # Errors
/// [`Failure`] 3 with the reason of the system.
pub(crate) fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(unusable(path)(error)),
        _ => Ok(()),
    }
}

/// A file that is removed when this is dropped, whether or not it was written.
#[derive(Debug)]
pub(crate) struct OwnedFile(PathBuf);

impl OwnedFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Removes the file of an earlier run, and checks that its directory exists, so that a
    /// wrong path is reported at the start.
    ///
    /// # Errors
    /// [`Failure`] 3 if the directory is absent or the old file stays.
    pub(crate) fn prepare(path: &Path) -> Result<Self, Failure> {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        let dir = dir.unwrap_or(Path::new("."));
        fs::read_dir(dir).map_err(unusable(dir))?;
        remove(path)?;
        Ok(Self::new(path.to_owned()))
    }

    /// Writes a line with the permission bits `mode`; readers see all of it or none.
    ///
    /// # Errors
    /// [`Failure`] 3 with the reason of the system.
    pub(crate) fn write(&self, line: &str, mode: u32) -> Result<(), Failure> {
        write(&self.0, &format!("{line}\n"), mode)
    }
}

impl Drop for OwnedFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owned_file_exists_from_write_to_drop() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ready");
        fs::write(&path, "of an earlier run").unwrap();
        let file = OwnedFile::prepare(&path).unwrap();
        assert!(!path.exists());
        file.write("{}", 0o644).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{}\n");
        drop(file);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        OwnedFile::prepare(&dir.path().join("none/ready")).unwrap_err();
        OwnedFile::prepare(dir.path()).unwrap_err();
        assert!(dir.path().exists(), "a directory is not removed");
    }

    #[test]
    fn json_is_absent_or_parsed_or_an_error_with_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("numbers.json");
        assert_eq!(read_json::<Vec<u8>>(&path).unwrap(), None);
        fs::write(&path, "[1, 2]").unwrap();
        assert_eq!(read_json(&path).unwrap(), Some(vec![1_u8, 2]));
        for damaged in ["{".to_owned(), " ".repeat(MAX_BYTES + 1)] {
            fs::write(&path, damaged).unwrap();
            let failure = read_json::<Vec<u8>>(&path).unwrap_err();
            assert_eq!(failure.code, ExitCode::BadConfig);
            assert!(failure.message.contains("numbers.json"), "{failure}");
        }
    }
}
