//! The block log, read from the newest checkpoint that fits: every block is executed again and
//! every root compared. It changes nothing on disk.

use crate::{
    chain_paths::ChainPaths,
    checkpoints::{self, Restored},
    error::NodeError,
    replayer::{Positions, Record, Replayer},
};
use ccoin_core::{
    block::SealedBlock,
    encoding::DecodeError,
    machine::{Machine, Start},
};
use ccoin_storage::{BlockLog, PoolMark, Position, ScannedLog, load_newest};

/// A log read from some block to its end.
pub(crate) struct Replay {
    pub(crate) blocks: ScannedLog,
    pub(crate) machine: Machine,
    pub(crate) positions: Positions,
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
    let from = restored
        .as_ref()
        .map_or(Position::START, |restored| restored.position);
    let reader = BlockLog::reader_of(&paths.blocks)?;
    let mut replayer = Replayer::new(paths, start, reader, restored);
    let genesis = start.genesis.id;
    let blocks = BlockLog::read(&paths.blocks, from, &mut |position, kind, bytes| {
        let record = Record::parse(kind, bytes, |block| {
            Ok::<_, DecodeError>(SealedBlock::already_verified(block, &genesis))
        });
        let record = record.map_err(|error| replayer.misfit(position, &error))?;
        replayer.take(position, record).map(drop)
    })?;
    let (machine, positions) = replayer.finish(from)?;
    Ok(Replay {
        blocks,
        machine,
        positions,
        from,
        pool_mark: PoolMark::default(),
    })
}
