//! What is on disk, opened: the machine brought up to date from the log, with its
//! roots checked, and the files ready for writing.

use crate::{
    checkpoints::{self, Restored},
    error::NodeError,
    writer::kind,
};
use ccoin_core::{
    BlockId, Height, Timestamp,
    block::{Block, SealedBlock},
    genesis::Genesis,
    machine::{Machine, Start},
    rules::Applied,
    transaction::{Transaction, VerifiedTransaction},
};
use ccoin_home::data_dir::ChainPaths;
use ccoin_storage::{BlockLog, ChainLock, PoolLog, Position, load_newest_checkpoint};
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// Everything a start has found.
pub(crate) struct Store {
    pub(crate) lock: ChainLock,
    pub(crate) blocks: BlockLog,
    pub(crate) pool: PoolLog,
    pub(crate) machine: Machine,
    /// Waiting transactions, in the order of their arrival.
    pub(crate) waiting: Vec<(Timestamp, VerifiedTransaction)>,
    /// Records of the blocks that the machine has in its window.
    pub(crate) positions: BTreeMap<(Height, BlockId), Position>,
    /// Record of the block where the replay began.
    pub(crate) replayed_from: Position,
}

/// Writes the chain of a new network: block 1 alone.
///
/// # Errors
/// [`NodeError`] if the directory is in use or cannot be written.
pub fn create_chain(paths: &ChainPaths, genesis: &Genesis) -> Result<(), NodeError> {
    std::fs::create_dir_all(&paths.root).map_err(|source| NodeError::file(&paths.root, source))?;
    let _lock = ChainLock::acquire(&paths.root)?;
    let mut blocks = BlockLog::create(&paths.blocks)?;
    blocks.append(kind::GENESIS, &[&genesis.encode()])?;
    blocks.sync()?;
    Ok(())
}

/// Reads block 1 of a chain; `None` if there is no chain.
///
/// # Errors
/// [`NodeError`] if what is there is not a chain.
pub fn read_genesis(paths: &ChainPaths) -> Result<Option<Genesis>, NodeError> {
    if !BlockLog::exists(&paths.blocks) {
        return Ok(None);
    }
    let (record, bytes) = BlockLog::reader(&paths.blocks)?.read(Position::FIRST)?;
    if record != kind::GENESIS {
        return Err(NodeError::Record { path: paths.blocks.clone(), position: 0, reason: "the first record is not a genesis block".into() });
    }
    Ok(Some(Genesis::decode(&bytes)?))
}

impl Store {
    /// Opens the chain of `start.genesis`. Derived data that is not sound is passed
    /// over; a damaged log is an error.
    ///
    /// # Errors
    /// [`NodeError`] names the file and what helps.
    pub(crate) fn open(paths: &ChainPaths, lock: ChainLock, start: Start) -> Result<Self, NodeError> {
        let genesis = Arc::clone(&start.genesis);
        let checkpoint = load_newest_checkpoint(&paths.state, checkpoints::restore)?;
        let restored = match checkpoint {
            Some(restored) => checked_root(&paths.blocks, restored, &genesis)?,
            None => None,
        };
        let (mut machine, from) = match restored {
            Some((root, Restored { standing, position, .. })) => {
                (Machine::new(Start { checkpoint: Some((root, standing)), ..start }), position)
            }
            None => (Machine::new(start), Position::FIRST),
        };
        let mut positions = BTreeMap::new();
        let blocks = BlockLog::open(&paths.blocks, from, &mut |position, record, bytes| {
            let key = match record {
                kind::GENESIS => (Height::GENESIS, genesis.id),
                kind::TIMELY_BLOCK | kind::LATE_BLOCK => {
                    replay(&mut machine, bytes, record == kind::TIMELY_BLOCK)
                        .map_err(|reason| damaged(&paths.blocks, position, reason))?
                }
                _ => return Ok(()),
            };
            positions.insert(key, position);
            Ok::<_, NodeError>(())
        })?;
        let (pool, entries) = PoolLog::open(&paths.pool)?;
        let mut waiting = Vec::new();
        let max_data = genesis.config.transaction.max_data_bytes as usize;
        for entry in entries {
            let txn = Transaction::decode(&entry.bytes, max_data)
                .map_err(|error| damaged(&paths.pool, Position::FIRST, error.to_string()))?;
            let txn = VerifiedTransaction::already_verified(txn, &genesis.id);
            machine.requeue(entry.arrived, txn.clone());
            if machine.pool().contains(&txn.sender(), txn.number, txn.id()) {
                waiting.push((entry.arrived, txn));
            }
        }
        Ok(Self { lock, blocks, pool, machine, waiting, positions, replayed_from: from })
    }
}

/// The block of a checkpoint with its state, if the log confirms both.
fn checked_root(
    blocks: &Path,
    restored: Restored,
    genesis: &Genesis,
) -> Result<Option<(Arc<Applied>, Restored)>, NodeError> {
    let record = BlockLog::reader(blocks)?.read(restored.position);
    let block = record.ok().and_then(|(_, bytes)| Block::decode(&bytes).ok());
    let block = block.map(|block| SealedBlock::already_verified(block, &genesis.id));
    let fits = |block: &SealedBlock| {
        block.id == restored.id && block.header().hash_state == restored.state.root()
    };
    let Some(block) = block.filter(fits) else {
        tracing::warn!("a checkpoint does not fit the block log and is passed over");
        return Ok(None);
    };
    let applied = Applied { block, state: restored.state.clone(), changes: Vec::new() };
    Ok(Some((Arc::new(applied), restored)))
}

/// Executes a block from the log again; blocks that end below the window are settled.
fn replay(machine: &mut Machine, bytes: &[u8], timely: bool) -> Result<(Height, BlockId), String> {
    use ccoin_core::rules::BlockError;
    let block = Block::decode(bytes).map_err(|error| error.to_string())?;
    let block = SealedBlock::already_verified(block, &machine.genesis().id);
    let key = (block.header().number, block.id);
    if machine.chain().get(&block.id).is_some() {
        return Ok(key);
    }
    match machine.replay(block, timely) {
        Ok(()) | Err(BlockError::Parent(_)) => Ok(key),
        Err(error) => Err(error.to_string()),
    }
}

fn damaged(path: &Path, position: Position, reason: String) -> NodeError {
    NodeError::Record { path: path.to_owned(), position: position.get(), reason }
}
