//! A file with the process id: it exists while a server runs or is ready. Two servers may
//! be given the same name, so each removes only what it has written itself.

use std::fs;
use std::io;
use std::path::{Path, PathBuf, absolute};
use std::process;

use crate::atomic_file::replace;
use crate::{ExitCode, Failure};

/// Such a file; removed when dropped, if it still names this process.
#[derive(Debug)]
pub struct PidFile(Option<PathBuf>);

impl PidFile {
    /// The file with this name, `None`: no file. Nothing is changed yet, and a later change
    /// of directory does not move it.
    ///
    /// # Errors
    /// [`Failure`] for an empty name.
    pub fn new(path: Option<&Path>) -> Result<Self, Failure> {
        let path = path.map(|path| {
            let failed = |error| {
                let message = format!("{}: {error}", path.display());
                Failure::new(ExitCode::Usage, message)
            };
            absolute(path).map_err(failed)
        });
        Ok(Self(path.transpose()?))
    }

    /// Removes what an earlier run has left, and makes sure that [`PidFile::write`] will work.
    ///
    /// # Errors
    /// [`Failure`] 3 if the old file stays or a new one cannot be written.
    pub fn prepare(&self) -> Result<(), Failure> {
        let Some(path) = &self.0 else { return Ok(()) };
        let prepared = match is_ours(path) {
            Ok(true) => replace(path, b"", 0o644).and_then(|()| fs::remove_file(path)),
            Ok(false) => fs::OpenOptions::new().write(true).open(path).map(drop),
            Err(error) => Err(error),
        };
        prepared.map_err(|error| unwritable(path, &error))
    }

    /// Writes the process id; readers see all of it or nothing.
    ///
    /// # Errors
    /// [`Failure`] if it cannot be written.
    pub fn write(&self) -> Result<(), Failure> {
        let Some(path) = &self.0 else { return Ok(()) };
        let text = own_id();
        let written = match is_ours(path) {
            Ok(true) => replace(path, text.as_bytes(), 0o644),
            // A pipe or a terminal stays what it is.
            Ok(false) => fs::write(path, text),
            Err(error) => Err(error),
        };
        written.map_err(|error| unwritable(path, &error))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let path = self.0.as_deref().filter(|path| is_whole_file(path));
        if let Some(path) = path
            && fs::read(path).is_ok_and(|bytes| bytes == own_id().as_bytes())
        {
            // Another process may have removed it before.
            let _ = fs::remove_file(path);
        }
    }
}

fn own_id() -> String {
    format!("{}\n", process::id())
}

/// Whether a file may stand there that is replaced as a whole; else it is a pipe or a device.
/// Another party may have laid a link to a file of somebody else: nothing is written there.
fn is_ours(path: &Path) -> io::Result<bool> {
    if is_whole_file(path) {
        return Ok(true);
    }
    let Ok(link) = fs::symlink_metadata(path) else {
        return Ok(true);
    };
    let target = fs::metadata(path);
    match target {
        Ok(target) if !target.is_file() && !target.is_dir() => Ok(false),
        _ if link.is_symlink() => Err(io::Error::other(
            "it is a link: name the file itself, or remove the link",
        )),
        _ => Ok(false),
    }
}

/// Not a link, a pipe or a device: those are not ours to replace.
fn is_whole_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|file| file.is_file())
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let message = format!("cannot write {}: {error}", path.display());
    Failure::new(ExitCode::BadConfig, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_it_has_written_itself_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        fs::write(&path, "1\n").unwrap();
        drop(PidFile::new(Some(&path)).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");

        let file = PidFile::new(Some(&path)).unwrap();
        file.prepare().unwrap();
        assert!(!path.exists());
        file.prepare().unwrap();
        file.write().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), own_id());
        drop(file);
        assert!(!path.exists());

        let file = PidFile::new(Some(&path)).unwrap();
        file.write().unwrap();
        fs::write(&path, "1\n").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
    }

    #[test]
    fn a_link_or_device_stays_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("null");
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        let file = PidFile::new(Some(&path)).unwrap();
        file.prepare().unwrap();
        file.write().unwrap();
        drop(file);
        assert_eq!(fs::read_link(path).unwrap(), Path::new("/dev/null"));
        // a file, nothing, and a directory
        let file = dir.path().join("somebody's");
        fs::write(&file, "worth much").unwrap();
        let missing = dir.path().join("missing");
        for (name, target) in [("a", &*file), ("b", &*missing), ("c", dir.path())] {
            let link = dir.path().join(name);
            std::os::unix::fs::symlink(target, &link).unwrap();
            let pid_file = PidFile::new(Some(&link)).unwrap();
            for refused in [pid_file.prepare(), pid_file.write()] {
                let refused = refused.unwrap_err();
                assert_eq!(refused.code, ExitCode::BadConfig);
                assert!(refused.message.contains("it is a link"), "{refused}");
            }
            drop(pid_file);
            assert_eq!(fs::read_link(link).unwrap(), target);
        }
        assert_eq!(fs::read_to_string(file).unwrap(), "worth much");
        assert!(!missing.exists());

        let nowhere = dir.path().join("none/pid");
        let file = PidFile::new(Some(&nowhere)).unwrap();
        assert_eq!(file.prepare().unwrap_err().code, ExitCode::BadConfig);
        assert_eq!(file.write().unwrap_err().code, ExitCode::BadConfig);
    }
}
