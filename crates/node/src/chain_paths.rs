//! Where the parts of a chain lie; made, looked at and thrown away.

use crate::{commit_batch::kind, error::NodeError};
use ccoin_core::genesis::Genesis;
use ccoin_storage::{BlockLog, Position};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The parts of a `chain` directory.
#[derive(Clone, Debug)]
pub struct ChainPaths {
    /// The directory itself.
    pub root: PathBuf,
    /// The block log: the truth.
    pub blocks: PathBuf,
    /// The pool log: accepted transactions that wait.
    pub pool: PathBuf,
    /// Checkpoints: derived.
    pub state: PathBuf,
    /// The index: derived.
    pub index: PathBuf,
}

impl ChainPaths {
    /// The parts of the chain in `root`.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self {
            blocks: root.join("blocks"),
            pool: root.join("pool"),
            state: root.join("state"),
            index: root.join("index"),
            root,
        }
    }

    /// Whether there is a chain.
    ///
    /// # Errors
    /// [`NodeError::File`] if the directory cannot be looked at.
    pub fn exist(&self) -> Result<bool, NodeError> {
        self.blocks
            .try_exists()
            .map_err(|source| NodeError::file(&self.blocks, source))
    }

    /// Writes the chain of a new network: block 1 alone. It appears whole or not at all.
    ///
    /// # Errors
    /// [`NodeError`] if there is one already or it cannot be written.
    pub fn create(&self, genesis: &Genesis) -> Result<(), NodeError> {
        self.begin(genesis)?.sync()?;
        self.install()
    }

    /// A log with block 1 that is no chain yet.
    pub(crate) fn begin(&self, genesis: &Genesis) -> Result<BlockLog, NodeError> {
        let unfinished = self.unfinished();
        remove(&unfinished)?;
        let mut blocks = BlockLog::create(&unfinished)?;
        blocks.append(kind::GENESIS, &[&genesis.encode()])?;
        Ok(blocks)
    }

    /// Removes a log that was begun and is not wanted any more.
    pub(crate) fn give_up(&self) -> Result<(), NodeError> {
        remove(&self.unfinished())
    }

    /// Makes the log that was begun, and that nobody writes any more, the chain.
    pub(crate) fn install(&self) -> Result<(), NodeError> {
        let unfinished = self.unfinished();
        let renamed = fs::rename(&unfinished, &self.blocks);
        renamed.map_err(|source| NodeError::file(&unfinished, source))?;
        self.sync_root()
    }

    /// Where a log is made that takes the place of the chain.
    pub(crate) fn unfinished(&self) -> PathBuf {
        self.root.join("blocks.new")
    }

    pub(crate) fn sync_root(&self) -> Result<(), NodeError> {
        let synced = fs::File::open(&self.root).and_then(|root| root.sync_all());
        synced.map_err(|source| NodeError::file(&self.root, source))
    }

    /// Throws the chain away, the truth first, so that no half of it is ever taken for one.
    ///
    /// # Errors
    /// [`NodeError::File`] names what is left.
    pub fn remove(&self) -> Result<(), NodeError> {
        for part in [&self.blocks, &self.pool, &self.state, &self.index] {
            remove(part)?;
        }
        Ok(())
    }

    /// Reads block 1; changes nothing.
    ///
    /// # Errors
    /// [`NodeError`] if what is there is not a chain.
    pub fn genesis(&self) -> Result<Genesis, NodeError> {
        let (record, bytes) = BlockLog::first_record(&self.blocks)?;
        if record != kind::GENESIS {
            let reason = "the first record is not a genesis block".to_owned();
            return Err(NodeError::record(&self.blocks, Position::START, reason));
        }
        Ok(Genesis::decode(&bytes)?)
    }
}

/// Removes a directory, if there is one.
pub(crate) fn remove(directory: &Path) -> Result<(), NodeError> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(NodeError::file(directory, error))
        }
        _ => Ok(()),
    }
}
