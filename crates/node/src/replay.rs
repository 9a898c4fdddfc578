//! The block log, read from the newest checkpoint that fits: every block is executed again and
//! every root compared. It changes nothing on disk.

use crate::{
    chain_paths::ChainPaths,
    checkpoints::{self, Restored},
    commit_batch::kind,
    error::NodeError,
};
use ccoin_core::{
    BlockId, Height,
    applied::Applied,
    block::{Block, SealedBlock},
    encoding::{DecodeError, decode},
    machine::{Machine, Start},
    rules::BlockError,
};
use ccoin_storage::{BlockLog, PoolMark, Position, ScannedLog, load_newest};
use std::{collections::BTreeMap, sync::Arc};

/// A log read from some block to its end.
pub(crate) struct Replay {
    pub(crate) blocks: ScannedLog,
    pub(crate) machine: Machine,
    pub(crate) positions: BTreeMap<(Height, BlockId), Position>,
    pub(crate) from: Position,
    /// How far the pool log had got when the checkpoint was written.
    pub(crate) pool_mark: PoolMark,
}

/// Reads the block log from the newest checkpoint that fits; changes nothing.
///
/// # Errors
/// [`NodeError`] if the log is damaged, or ends before a block that a checkpoint knows.
pub(crate) fn read_blocks(paths: &ChainPaths, start: &Start) -> Result<Replay, NodeError> {
    let (mut written, mut pool_mark) = (None, PoolMark::default());
    let checkpoint = load_newest(&paths.state, checkpoints::restore)?;
    let found = checkpoint.and_then(|(summary, restored)| {
        written = Some((restored.head, summary.position));
        pool_mark = restored.pool;
        replay_log(paths, start, Some(restored))
            .inspect_err(|error| {
                tracing::warn!(
                    "a checkpoint does not fit the block log and is passed over: {error}"
                );
            })
            .ok()
    });
    let replayed = match found {
        Some(replayed) => replayed,
        None => replay_log(paths, start, None)?,
    };
    // A checkpoint is written after the head of its time: a log that ends before it
    // has lost its end.
    let end = replayed.machine.chain().head().block.header().number;
    if let Some(((height, id), position)) = written
        && !replayed.positions.contains_key(&(height, id))
        && height >= end
    {
        let reason = format!("block {height} is missing, the log ends at {end}");
        return Err(NodeError::record(&paths.blocks, position, reason));
    }
    Ok(Replay {
        pool_mark,
        ..replayed
    })
}

fn replay_log(
    paths: &ChainPaths,
    start: &Start,
    restored: Option<Restored>,
) -> Result<Replay, NodeError> {
    let genesis = &start.genesis;
    let from = restored
        .as_ref()
        .map_or(Position::START, |restored| restored.position);
    let mut restored = restored;
    let mut machine = match restored {
        Some(_) => None,
        None => Some(Machine::new(start.clone())),
    };
    let reader = BlockLog::reader_of(&paths.blocks)?;
    let mut positions = BTreeMap::new();
    let blocks = BlockLog::read(&paths.blocks, from, &mut |position, record, bytes| {
        let misfit = |reason: String| NodeError::record(&paths.blocks, position, reason);
        if record == kind::GENESIS {
            // A young chain's checkpoint is block 1 itself.
            restored = None;
            machine.get_or_insert_with(|| Machine::new(start.clone()));
            positions.insert((Height::GENESIS, genesis.id), position);
        }
        if let (kind::CERTIFICATE | kind::EVIDENCE, Some(machine)) = (record, &mut machine) {
            return replay_votes(machine, record, bytes).map_err(|error| misfit(error.to_string()));
        }
        if !matches!(record, kind::TIMELY_BLOCK | kind::LATE_BLOCK) {
            return Ok(());
        }
        let block = Block::decode(bytes).map_err(|error| misfit(error.to_string()))?;
        let block = SealedBlock::already_verified(block, &genesis.id);
        let key = (block.header().number, block.id);
        match (&mut machine, restored.take()) {
            (None, Some(checkpoint)) => {
                machine = Some(from_checkpoint(start, block, checkpoint).map_err(misfit)?)
            }
            (Some(machine), _) => {
                for (key, position) in bare_path(machine, &block, &positions) {
                    let (_, bytes) = reader.read(position)?;
                    let bare = Block::decode(&bytes).map_err(|error| misfit(error.to_string()))?;
                    let bare = SealedBlock::already_verified(bare, &genesis.id);
                    let replayed = machine.replay(bare, true);
                    replayed.map_err(|error| misfit(format!("block {}: {error}", key.0)))?;
                }
                replay(machine, block, record == kind::TIMELY_BLOCK).map_err(
                    |error| match error {
                        BlockError::Reward { got, expected } if got > expected => {
                            NodeError::OldReward {
                                path: paths.blocks.clone(),
                                number: key.0,
                                got,
                                expected,
                            }
                        }
                        other => misfit(other.to_string()),
                    },
                )?;
            }
            (None, None) => return Err(misfit("a block before the first".into())),
        }
        positions.insert(key, position);
        Ok::<_, NodeError>(())
    })?;
    let machine =
        machine.ok_or_else(|| NodeError::record(&paths.blocks, from, "no block".into()))?;
    positions = positions.split_off(&(machine.chain().lowest(), BlockId::ZERO));
    Ok(Replay {
        blocks,
        machine,
        positions,
        from,
        pool_mark: PoolMark::default(),
    })
}

/// What must be executed again before a block: key and record of each.
fn bare_path(
    machine: &Machine,
    block: &SealedBlock,
    positions: &BTreeMap<(Height, BlockId), Position>,
) -> Vec<((Height, BlockId), Position)> {
    let path = machine.chain().bare_path(&block.header().hash_parent);
    let find = |key| positions.get(&key).map(|position| (key, *position));
    path.into_iter().filter_map(find).collect()
}

/// A machine whose first block is a checkpoint's, if block and accounts agree.
fn from_checkpoint(
    start: &Start,
    block: SealedBlock,
    restored: Restored,
) -> Result<Machine, String> {
    let Restored {
        id,
        state,
        score,
        certificates,
        ..
    } = restored;
    if block.id != id || block.header().hash_state != state.root() {
        return Err("the block is not the one of the checkpoint".into());
    }
    let applied = Arc::new(Applied {
        block,
        state,
        changes: Vec::new(),
    });
    let mut machine = Machine::new(Start {
        checkpoint: Some((applied, score)),
        ..start.clone()
    });
    let known = machine.certificates().len();
    let mut certificates = certificates.into_iter();
    for certificate in certificates.by_ref().take(known) {
        machine.replay_certificate(certificate);
    }
    certificates.for_each(|alarm| machine.replay_alarm(alarm));
    Ok(machine)
}

/// Executes a block from the log again; one whose parent lies below the window is settled, and
/// so is one of another branch than final.
fn replay(machine: &mut Machine, block: SealedBlock, timely: bool) -> Result<(), BlockError> {
    match machine.replay(block, timely) {
        Err(BlockError::Parent(_) | BlockError::Settled { .. }) => Ok(()),
        replayed => replayed,
    }
}

/// A certificate or evidence from the log.
fn replay_votes(machine: &mut Machine, record: u8, bytes: &[u8]) -> Result<(), DecodeError> {
    if record == kind::CERTIFICATE {
        machine.replay_certificate(decode("certificate", bytes)?);
    } else {
        machine.replay_evidence(decode("evidence", bytes)?);
    }
    Ok(())
}
