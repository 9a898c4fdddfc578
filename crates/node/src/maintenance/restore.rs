//! A chain from a file where there is none. It is checked whole before any of it counts, and
//! what the key may have signed since the file was made is taken for lost.

use super::{
    checker::Checker,
    export_head::ExportHead,
    import::{Imported, Known, Taker},
};
use crate::{BadChain, chain_paths::ChainPaths, error::NodeError, replayer::Replayer};
use ccoin_core::{Address, BlockId, consensus::voter_record::Standing, genesis::Genesis};
use ccoin_crypto::{Lanes, PublicKey};
use ccoin_storage::{ChainLock, SlotFileError, StorageError, VoteFile, VoteFileError, VoteRecord};
use std::{path::Path, sync::Arc};

impl ChainPaths {
    /// Makes the chain of `file` here: nothing of it is seen before all of it is checked and
    /// `before` has returned. `progress` is told bytes of the file.
    ///
    /// # Errors
    /// [`BadChain`]; there is no chain then. [`StorageError::Exists`] if there was one before.
    pub fn restore(
        &self,
        file: &Path,
        wanted: Option<BlockId>,
        keys: &[PublicKey],
        lanes: Lanes,
        progress: &mut dyn FnMut(u64),
        before: impl FnOnce(&Genesis) -> Result<(), NodeError>,
    ) -> Result<Imported, BadChain> {
        let head = ExportHead::open(file, wanted)?;
        let _lock = ChainLock::acquire(&self.root).map_err(NodeError::from)?;
        self.refuse_existing()?;
        let restored = self.take_all(file, head, keys, lanes, progress, before);
        if restored.is_err()
            && let Err(error) = self.give_up()
        {
            tracing::warn!("what was restored so far is of no use, remove it: {error}");
        }
        restored
    }

    /// Checks the file and makes its chain.
    fn take_all(
        &self,
        file: &Path,
        head: ExportHead,
        keys: &[PublicKey],
        lanes: Lanes,
        progress: &mut dyn FnMut(u64),
        before: impl FnOnce(&Genesis) -> Result<(), NodeError>,
    ) -> Result<Imported, BadChain> {
        let genesis = Arc::clone(&head.genesis);
        let mut log = self.begin(&genesis)?;
        log.sync().map_err(NodeError::from)?;
        let start = super::start(&genesis);
        let replayer = Replayer::new(self, &start, log.reader(), None);
        let mut known = self.miner_keys(&genesis, keys);
        known.learn(&head.keys);
        let taker = Taker::new(file, log, replayer);
        let checker = Checker::new(&genesis, known.clone());
        let restored = taker.take_all(head, &checker, &Known::default(), lanes, progress)?;
        before(&genesis)?;
        super::save_keys(&self.root, &known);
        self.install()?;
        Ok(restored)
    }

    /// What a chain leaves belongs to that chain, so that none of it may be here.
    fn refuse_existing(&self) -> Result<(), NodeError> {
        for path in [&self.blocks, &self.pool, &self.state, &self.index] {
            let exists = path.try_exists();
            if exists.map_err(|source| NodeError::file(path, source))? {
                let path = path.clone();
                return Err(StorageError::Exists { path }.into());
            }
        }
        Ok(())
    }
}

/// Takes the vote record of a key for lost on the network of a chain that comes from a file: the
/// key may have voted since the file was made (A1). It then abstains until that is safe. False:
/// it is no miner there.
///
/// # Errors
/// [`NodeError::Votes`].
pub fn abstain(votes: &Path, key: Address, genesis: &Genesis) -> Result<bool, NodeError> {
    if !genesis.config.miners.contains(&key) {
        return Ok(false);
    }
    let lost = |mut record: VoteRecord| {
        record.voter.standing = Standing::Abstains(None);
        record
    };
    let never_signed = VoteRecord::never_signed(genesis.id);
    match VoteFile::open(votes) {
        Ok(mut file) => {
            let record = file.record(&genesis.id).unwrap_or(never_signed);
            file.store(lost(record))?;
        }
        Err(VoteFileError::File {
            source: SlotFileError::Missing,
            ..
        }) => {
            VoteFile::create_with(votes, lost(never_signed))?;
        }
        // A start takes it for lost and keeps it aside.
        Err(VoteFileError::File {
            source: SlotFileError::Damaged,
            ..
        }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(true)
}
