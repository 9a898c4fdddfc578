//! The file of miners' public keys beside the chain. What is damaged in it is asked for
//! again.

use ccoin_core::{
    encoding::{decode, encode},
    gossip::MinerKeys,
};
use ccoin_crypto::PublicKey;
use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Bytes of the largest file: a hundred miners with the longest keys.
const MAX_FILE: u64 = 100 * 600;

/// The file.
#[derive(Debug)]
pub(super) struct KeyStore {
    path: PathBuf,
    /// Held while the file is written.
    writing: Mutex<()>,
}

impl KeyStore {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            writing: Mutex::default(),
        }
    }

    /// Reads the keys of the file into `keys`.
    pub(super) fn load(&self, keys: &mut MinerKeys) {
        let bytes = read_bounded(&self.path, MAX_FILE).unwrap_or_default();
        let stored: Vec<PublicKey> = decode("list of keys", &bytes).unwrap_or_default();
        keys.learn(&stored);
    }

    /// Writes all keys.
    pub(super) fn save(&self, keys: &[PublicKey]) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = ccoin_home::replace_file(&self.path, &encode(keys), 0o644) {
            // They can be asked for again.
            tracing::warn!("cannot write {}: {error}", self.path.display());
        }
    }
}

/// A whole file of at most `max` bytes.
pub(super) fn read_bounded(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?
        .take(max + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::other(format!("more than {max} bytes")));
    }
    Ok(bytes)
}
