//! The keys of the bench accounts: one PEM each, without passphrase, for the owner
//! alone. They are for a throw-away chain: never put coins of worth there.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ccoin_core::Address;
use ccoin_crypto::SecretKey;

use super::BenchError;
use crate::cores::on_all_cores;

/// Longest key file that is read, in bytes.
const MAX_PEM: u64 = 16 << 10;

/// Size of the keys.
const BITS: usize = 2048;

/// An error of the file system at `path`.
pub(super) fn file_error(path: &Path) -> impl FnOnce(io::Error) -> BenchError {
    let path = path.to_owned();
    move |source| BenchError::File { path, source }
}

/// Writes a file that must not exist yet, with the permission bits `mode`.
///
/// # Errors
/// [`BenchError::File`], also if it exists.
pub(super) fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), BenchError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())
                .and_then(|()| file.sync_all())
        })
        .map_err(file_error(path))
}

/// Makes `count` keys in the new directory `dir` and gives back their addresses.
///
/// # Errors
/// [`BenchError`] if the directory exists or cannot be written.
pub(super) fn create(dir: &Path, count: usize) -> Result<Vec<Address>, BenchError> {
    DirBuilder::new()
        .mode(0o700)
        .create(dir)
        .map_err(file_error(dir))?;
    let paths: Vec<_> = (0..count)
        .map(|n| dir.join(format!("{n:05}.pem")))
        .collect();
    on_all_cores(
        "making keys",
        &paths,
        |_| 1,
        |path| {
            let key = SecretKey::generate(BITS).map_err(BenchError::Library)?;
            write_new(path, &key.to_pem(None), 0o600)?;
            Ok(key.public_key().address())
        },
    )
}

/// Reads every `*.pem` of a directory, in the order of their names.
///
/// # Errors
/// [`BenchError`] names the file that is no key; a directory without keys is one too.
pub(super) fn load(dir: &Path) -> Result<Vec<SecretKey>, BenchError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(file_error(dir))? {
        let path = entry.map_err(file_error(dir))?.path();
        if path.extension().is_some_and(|extension| extension == "pem") {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(BenchError::NoKeys(dir.to_owned()));
    }
    paths.sort();
    paths.into_iter().map(load_one).collect()
}

fn load_one(path: PathBuf) -> Result<SecretKey, BenchError> {
    let mut pem = String::new();
    File::open(&path)
        .and_then(|file| file.take(MAX_PEM).read_to_string(&mut pem))
        .map_err(file_error(&path))?;
    SecretKey::from_pem(&pem, None).map_err(|source| BenchError::Key { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn keys_are_private_and_come_back_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("bench");
        let addresses = create(&dir, 3).unwrap();
        fs::write(dir.join("notes.txt"), "not a key").unwrap();
        let loaded: Vec<_> = load(&dir)
            .unwrap()
            .iter()
            .map(|key| key.public_key().address())
            .collect();
        assert_eq!(loaded, addresses);
        let mode = fs::metadata(dir.join("00000.pem"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(matches!(create(&dir, 1), Err(BenchError::File { .. })));
        fs::write(dir.join("x.pem"), "not a key").unwrap();
        assert!(load(&dir).unwrap_err().to_string().contains("x.pem"));
    }

    #[test]
    fn a_directory_without_keys_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(load(dir.path()), Err(BenchError::NoKeys(_))));
        assert!(matches!(
            load(&dir.path().join("absent")),
            Err(BenchError::File { .. })
        ));
    }
}
