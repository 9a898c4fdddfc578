//! A signed transaction that waits: kept in a file, so that the same command after an
//! interruption continues with it and does not sign a second one.

use std::path::{Path, PathBuf};

use ccoin_core::{BlockId, receipt::DocumentRoot, transaction::Transaction};
use ccoin_crypto::Hash;
use ccoin_home::Failure;
use serde::{Deserialize, Serialize};

use crate::files::{json, read_json, remove, write};

/// Digits of the root in the name of the file.
const DIGITS: usize = 16;

/// The file.
#[derive(Debug)]
pub(super) struct PendingFile {
    path: PathBuf,
    genesis: BlockId,
}

#[derive(Serialize, Deserialize)]
struct Pending {
    genesis: BlockId,
    transaction: Transaction,
}

impl PendingFile {
    /// The file of this root beside the first receipt.
    pub(super) fn new(receipts: &[PathBuf], root: &DocumentRoot, genesis: BlockId) -> Self {
        let (DocumentRoot::One(hash) | DocumentRoot::Tree(hash)) = root;
        let digits: String = Hash::to_string(hash).chars().take(DIGITS).collect();
        let beside = receipts.first().and_then(|first| first.parent());
        let name = format!(".ccoin-notarize-{digits}");
        Self {
            path: beside.unwrap_or(Path::new("")).join(name),
            genesis,
        }
    }

    /// The transaction that waits, if it is for this network and this root.
    ///
    /// # Errors
    /// [`Failure`] 3 if the file cannot be read.
    pub(super) fn read(&self, root: &DocumentRoot) -> Result<Option<Transaction>, Failure> {
        let found: Option<Pending> = read_json(&self.path)?;
        let fits = |pending: &Pending| {
            pending.genesis == self.genesis && pending.transaction.data == root.to_string()
        };
        Ok(found.filter(fits).map(|pending| pending.transaction))
    }

    /// Keeps a transaction.
    ///
    /// # Errors
    /// [`Failure`] 3 with the reason of the system.
    pub(super) fn keep(&self, transaction: &Transaction) -> Result<(), Failure> {
        let pending = Pending {
            genesis: self.genesis,
            transaction: transaction.clone(),
        };
        write(&self.path, &json(&pending), 0o600)
    }

    /// Forgets it.
    ///
    /// # Errors
    /// [`Failure`] 3 with the reason of the system.
    pub(super) fn forget(&self) -> Result<(), Failure> {
        remove(&self.path)
    }
}
