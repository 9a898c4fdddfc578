//! The final blocks of a chain, written to one file with what makes them final and the miners'
//! keys: enough for a stranger to check all of it. The chain is only read.

use super::survey::{Survey, checkpoint_head};
use crate::{chain_paths::ChainPaths, commit_batch::kind, error::NodeError};
use ccoin_core::{BlockId, Height, encoding::encode};
use ccoin_crypto::{Hash, PublicKey};
use ccoin_storage::{ArchiveWriter, BlockLog, ChainLock, Position};
use std::path::Path;

/// What a file of blocks holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The network.
    pub genesis: BlockId,
    /// Number of the last block, a final one.
    pub last_final: Height,
    /// Its id.
    pub id: BlockId,
    /// Number of the newest block here, which is not in the file if it is higher.
    pub height: Height,
    /// Bytes of the file.
    pub bytes: u64,
    /// Chained SHA-256 of its records: equal for files with equal content.
    pub checksum: Hash,
}

impl ChainPaths {
    /// Writes the final blocks to `file`. No other process may use the chain meanwhile.
    /// `progress` is told bytes of the log.
    ///
    /// # Errors
    /// [`NodeError`]; there is no file then.
    pub fn export(
        &self,
        file: &Path,
        keys: &[PublicKey],
        progress: &mut dyn FnMut(u64),
    ) -> Result<Exported, NodeError> {
        let _lock = ChainLock::hold(&self.root)?;
        self.backup(file, keys, progress)
    }

    /// The same, also while a node runs: the log only grows.
    ///
    /// # Errors
    /// [`NodeError`]; there is no file then.
    pub fn backup(
        &self,
        file: &Path,
        keys: &[PublicKey],
        progress: &mut dyn FnMut(u64),
    ) -> Result<Exported, NodeError> {
        let genesis = self.genesis()?;
        let mut writer = ArchiveWriter::create(file).map_err(NodeError::Archive)?;
        let mut append = |kind, bytes: &[u8]| {
            let written = writer.append(kind, bytes);
            written.map_err(NodeError::Archive)
        };
        let head = checkpoint_head(self)?;
        let survey = Survey::read(self, &genesis)?;
        survey.check_end(self, head)?;
        let reader = BlockLog::reader_of(&self.blocks)?;
        append(kind::GENESIS, &genesis.encode())?;
        append(kind::KEYS, &encode(&self.miner_keys(&genesis, keys).all()))?;
        let path = survey.final_blocks(&genesis.id).ok_or_else(|| {
            let reason = "a block below a final one is missing".to_owned();
            NodeError::record(&self.blocks, Position::START, reason)
        })?;
        if survey.conflicts(&path, &genesis.id) {
            let path = self.blocks.clone();
            return Err(NodeError::Alarmed { path });
        }
        for (id, found) in &path {
            // Whether it came in time is what this node alone saw.
            append(kind::LATE_BLOCK, &reader.read(found.position)?.1)?;
            if let Some((_, position)) = survey.certificates.get(id) {
                append(kind::CERTIFICATE, &reader.read(*position)?.1)?;
            }
            progress(found.position.0.saturating_sub(Position::START.0));
        }
        let last = path.last();
        let (sum, bytes) = writer.finish().map_err(NodeError::Archive)?;
        Ok(Exported {
            genesis: genesis.id,
            last_final: last.map_or(Height::GENESIS, |(_, found)| found.number),
            id: last.map_or(genesis.id, |(id, _)| *id),
            height: survey.height(),
            bytes,
            checksum: sum.hash,
        })
    }
}
