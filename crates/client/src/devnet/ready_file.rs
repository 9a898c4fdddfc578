//! The file that says that a network is ready, and is there only while that is so: one of
//! an earlier run is removed before anything else happens, the own one at the end.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use ccoin_home::replace_file;

use super::DevnetError;
use super::layout::file_error;

/// The file, if anybody wants one; removed when dropped.
#[derive(Debug)]
pub(super) struct ReadyFile(Option<PathBuf>);

impl ReadyFile {
    /// Removes one that an earlier run has left behind, and looks whether there is room for
    /// the next: nobody wants to hear of that when the network is ready.
    ///
    /// # Errors
    /// [`DevnetError::File`] with what the system says.
    pub(super) fn prepare(file: Option<&Path>) -> Result<Self, DevnetError> {
        if let Some(file) = file {
            let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
            let dir = dir.unwrap_or(Path::new("."));
            fs::read_dir(dir).map_err(file_error(dir))?;
            match fs::remove_file(file) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(file_error(file)(error));
                }
                _ => {}
            }
        }
        Ok(Self(file.map(Path::to_owned)))
    }

    /// Writes the line, whole at once.
    ///
    /// # Errors
    /// [`DevnetError::File`] with what the system says.
    pub(super) fn write(&self, line: &str) -> Result<(), DevnetError> {
        self.0.as_deref().map_or(Ok(()), |file| {
            replace_file(file, format!("{line}\n").as_bytes(), 0o644).map_err(file_error(file))
        })
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        if let Some(file) = &self.0 {
            // It may not have been written yet.
            let _ = fs::remove_file(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_there_only_while_it_is_true() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ready");
        fs::write(&file, "of yesterday").unwrap();
        let ready = ReadyFile::prepare(Some(&file)).unwrap();
        assert!(!file.exists());
        ready.write("{}").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "{}\n");
        drop(ready);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        ReadyFile::prepare(None).unwrap().write("{}").unwrap();
        assert!(ReadyFile::prepare(Some(&dir.path().join("none/ready"))).is_err());
        // A directory is not removed.
        assert!(ReadyFile::prepare(Some(dir.path())).is_err());
        assert!(dir.path().exists());
    }
}
