//! The keys of the bench accounts: one PEM each, without passphrase, readable by their
//! owner only. They are for a throw-away chain: never put coins of worth there.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use ccoin_core::Address;
use ccoin_crypto::SecretKey;
use ccoin_home::{ExitCode, Failure, read_text, write_new};

use crate::cores::on_all_cores;
use crate::files::unusable;

/// Longest key file that is read, in bytes.
const MAX_PEM: usize = 16 << 10;

/// Size of the keys.
const BITS: usize = 2048;

/// Makes `count` keys in the new directory `dir` and returns their addresses.
///
/// # Errors
/// [`Failure`] if the directory exists or cannot be written.
pub(super) fn create(dir: &Path, count: usize) -> Result<Vec<Address>, Failure> {
    let made = DirBuilder::new().mode(0o700).create(dir);
    made.map_err(unusable(dir))?;
    let paths = (0..count).map(|n| dir.join(format!("{n:05}.pem")));
    let paths: Vec<_> = paths.collect();
    on_all_cores(
        "making keys",
        &paths,
        |_| 1,
        |path| {
            let key = SecretKey::generate(BITS)
                .map_err(|error| Failure::new(ExitCode::Unexpected, error.to_string()))?;
            write_new(path, key.to_pem(None).as_bytes(), 0o600).map_err(unusable(path))?;
            Ok(key.public_key().address())
        },
    )
}

/// Reads every `*.pem` of a directory, in the order of their names.
///
/// # Errors
/// [`Failure`] 3 names a file that is no key; a directory without keys is an error.
pub(super) fn load(dir: &Path) -> Result<Vec<SecretKey>, Failure> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(unusable(dir))? {
        let path = entry.map_err(unusable(dir))?.path();
        if path.extension().is_some_and(|extension| extension == "pem") {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        let message = format!("there is no *.pem in {}", dir.display());
        return Err(Failure::new(ExitCode::BadConfig, message)
            .hint("make some: ccoin bench --init DIR, then --keys DIR/bench"));
    }
    paths.sort();
    paths.iter().map(|path| load_one(path)).collect()
}

fn load_one(path: &Path) -> Result<SecretKey, Failure> {
    let pem = File::open(path).and_then(|file| read_text(file, MAX_PEM));
    SecretKey::from_pem(&pem.map_err(unusable(path))?, None).map_err(|error| {
        let message = format!("{} is not a bench key: {error}", path.display());
        Failure::new(ExitCode::BadConfig, message)
    })
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
        assert_eq!(create(&dir, 1).unwrap_err().code, ExitCode::BadConfig);
        fs::write(dir.join("x.pem"), "not a key").unwrap();
        assert!(load(&dir).unwrap_err().to_string().contains("x.pem"));
    }

    #[test]
    fn a_directory_without_keys_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let empty = load(dir.path()).unwrap_err();
        assert!(empty.message.contains("no *.pem"), "{empty}");
        let absent = load(&dir.path().join("absent")).unwrap_err();
        assert_eq!(absent.code, ExitCode::BadConfig);
    }
}
