//! What a node keeps on disk: a log of blocks as the truth, a log of waiting
//! transactions, checkpoints of the accounts, an index that can be rebuilt, and
//! what its key has signed.
//!
//! Everything here is synchronous and has one owner; blocks and transactions
//! are opaque bytes. Nothing here decides which block is good or final.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod archive;
mod block_log;
mod checkpoint;
mod disk;
mod error;
mod index;
mod index_cursor;
mod index_disk;
mod index_env;
mod index_filter;
mod index_key;
mod index_lists;
mod lock;
mod log_reader;
mod pool_log;
mod pool_record;
mod record;
mod scanned_log;
mod segment;
mod slot_file;
#[cfg(test)]
mod tests;
mod vote_file;

pub use archive::{ArchiveReader, ArchiveSum, ArchiveWriter};
pub use block_log::{BlockLog, Position, Visit};
pub use checkpoint::{Accounts, CheckpointHead, load_newest, write as write_checkpoint};
pub use error::{IndexError, StorageError};
pub use index::{Index, IndexedBlock, TxnLocation};
pub use index_lists::NewAccountsPlace;
pub use lock::{ChainLock, LockFile, LockFileError};
pub use log_reader::LogReader;
pub use pool_log::{PoolContents, PoolLog, PoolMark};
pub use pool_record::{DroppedEntry, IdOf, PoolEntry, PoolRecord};
pub use record::MAX_PAYLOAD;
pub use scanned_log::ScannedLog;
pub use slot_file::SlotFileError;
pub use vote_file::{VoteFile, VoteFileError, VoteRecord};

/// What an account is worth to this crate: 16 bytes that the caller encodes.
pub type AccountBytes = [u8; 16];
