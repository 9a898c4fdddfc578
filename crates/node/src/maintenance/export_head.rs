//! The beginning of a file of blocks: block 1 and the miners' keys.

use crate::{commit_batch::kind, error::NodeError};
use ccoin_core::{BlockId, encoding::decode, genesis::Genesis};
use ccoin_crypto::PublicKey;
use ccoin_storage::ArchiveReader;
use std::{path::Path, sync::Arc};

/// A file of blocks, read up to its first block behind block 1.
pub(super) struct ExportHead {
    pub(super) genesis: Arc<Genesis>,
    /// Each belongs to the address that it hashes to; nothing else is said of them.
    pub(super) keys: Vec<PublicKey>,
    pub(super) reader: ArchiveReader,
}

impl ExportHead {
    /// Opens the file of the network `wanted`, or of any.
    ///
    /// # Errors
    /// [`NodeError`].
    pub(super) fn open(file: &Path, wanted: Option<BlockId>) -> Result<Self, NodeError> {
        let mut reader = ArchiveReader::open(file).map_err(NodeError::Archive)?;
        let mut next = |expected: u8, what: &str| {
            let record = reader.next_record().map_err(NodeError::Archive)?;
            match record {
                Some((kind, bytes)) if kind == expected => Ok(bytes),
                _ => Err(bad(file, format!("it does not begin with {what}"))),
            }
        };
        let genesis = next(kind::GENESIS, "block 1")?;
        let keys = next(kind::KEYS, "block 1 and the miners' keys")?;
        let genesis = Genesis::decode(&genesis).map_err(|error| bad(file, error.to_string()))?;
        let keys = decode("list of keys", &keys).map_err(|error| bad(file, error.to_string()))?;
        let head = Self {
            genesis: Arc::new(genesis),
            keys,
            reader,
        };
        head.check_network(wanted)?;
        Ok(head)
    }

    /// Refuses the file of another network.
    pub(super) fn check_network(&self, wanted: Option<BlockId>) -> Result<(), NodeError> {
        match wanted.filter(|wanted| *wanted != self.genesis.id) {
            None => Ok(()),
            Some(wanted) => Err(NodeError::OtherNetwork {
                got: self.genesis.id,
                wanted,
            }),
        }
    }
}

/// Block 1 of a file of blocks, which must be of the network `wanted` if one is named.
///
/// # Errors
/// [`NodeError`].
pub fn genesis_of_file(file: &Path, wanted: Option<BlockId>) -> Result<Arc<Genesis>, NodeError> {
    Ok(ExportHead::open(file, wanted)?.genesis)
}

fn bad(file: &Path, reason: String) -> NodeError {
    NodeError::BadArchive {
        path: file.to_owned(),
        reason,
    }
}
