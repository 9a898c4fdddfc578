//! Public keys of the miners: the genesis block lists addresses, so a key may come from
//! anybody and is checked against its address. Kept beside the chain.

use ccoin_core::{
    Address,
    encoding::{decode, encode},
};
use ccoin_crypto::PublicKey;
use std::{
    collections::BTreeMap,
    fs, io,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Bytes of the largest file: a hundred miners with the longest keys.
const MAX_FILE: u64 = 100 * 600;

/// The keys that this node has seen.
#[derive(Debug)]
pub(crate) struct MinerKeys {
    path: PathBuf,
    miners: Vec<Address>,
    known: Mutex<BTreeMap<Address, PublicKey>>,
    /// Held while the file is written.
    writing: Mutex<()>,
}

impl MinerKeys {
    /// Reads the file if it is there. What is damaged in it is asked for again.
    pub(crate) fn open(path: PathBuf, miners: Vec<Address>, own: &PublicKey) -> Self {
        let stored = match read_bounded(&path, MAX_FILE) {
            Ok(bytes) => decode::<Vec<PublicKey>>("list of keys", &bytes).unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        let book = Self {
            path,
            miners,
            known: Mutex::default(),
            writing: Mutex::default(),
        };
        for key in stored.iter().chain([own]) {
            book.admit(key);
        }
        book
    }

    /// The key with this address.
    pub(crate) fn get(&self, miner: &Address) -> Option<PublicKey> {
        self.known().get(miner).cloned()
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<PublicKey> {
        self.known().values().cloned().collect()
    }

    /// Takes those that belong to miners, and returns the new ones.
    pub(crate) fn learn(&self, keys: &[PublicKey]) -> Vec<PublicKey> {
        let new: Vec<_> = keys.iter().filter(|key| self.admit(key)).cloned().collect();
        if !new.is_empty() {
            let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            let bytes = encode(&self.all());
            if let Err(error) = ccoin_home::replace_file(&self.path, &bytes, 0o644) {
                // They can be asked for again.
                tracing::warn!("cannot write {}: {error}", self.path.display());
            }
        }
        new
    }

    fn admit(&self, key: &PublicKey) -> bool {
        let address = key.address();
        self.miners.contains(&address) && self.known().insert(address, key.clone()).is_none()
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Address, PublicKey>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A whole file of at most `max` bytes.
pub(crate) fn read_bounded(path: &std::path::Path, max: u64) -> io::Result<Vec<u8>> {
    use io::Read as _;
    let mut bytes = Vec::new();
    fs::File::open(path)?
        .take(max + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::other(format!("more than {max} bytes")));
    }
    Ok(bytes)
}
