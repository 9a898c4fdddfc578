//! Which blocks of a log are final, from its records alone: no block is executed. It also works
//! on the log of a running node.

use crate::{chain_paths::ChainPaths, checkpoints, commit_batch::kind, error::NodeError};
use ccoin_core::{
    BlockId, Height,
    block::Block,
    consensus::{ballot::Ballot, certificate::Certificate, vote::Phase},
    encoding::decode,
    genesis::Genesis,
};
use ccoin_storage::{BlockLog, Position, StorageError, load_newest};
use std::collections::{BTreeMap, BTreeSet};

/// A block of a log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) number: Height,
    parent: BlockId,
    pub(super) position: Position,
}

/// A head, and where the block of its checkpoint lies.
pub(super) type CheckpointHead = ((Height, BlockId), Position);

/// The head that the newest checkpoint knows. Where a node runs it is asked for before the
/// log is read.
pub(super) fn checkpoint_head(paths: &ChainPaths) -> Result<Option<CheckpointHead>, NodeError> {
    let found = load_newest(&paths.state, checkpoints::restore)?;
    Ok(found.map(|(summary, restored)| (restored.head, summary.position)))
}

/// What a log holds.
#[derive(Default)]
pub(super) struct Survey {
    /// Blocks behind block 1, of all branches.
    pub(super) blocks: BTreeMap<BlockId, Found>,
    /// Certificates of phase 2 by their block.
    pub(super) certificates: BTreeMap<BlockId, (Ballot, Position)>,
}

impl Survey {
    /// Reads the log of `paths`.
    ///
    /// # Errors
    /// [`NodeError`] if it is damaged.
    pub(super) fn read(paths: &ChainPaths, genesis: &Genesis) -> Result<Self, NodeError> {
        let mut survey = Self::default();
        let (mut from, mut damage) = (Position::START, None);
        loop {
            let read = BlockLog::read(&paths.blocks, from, &mut |position, kind, bytes| {
                from = position;
                survey.take(position, kind, bytes, &genesis.id);
                Ok::<_, StorageError>(())
            });
            match read {
                Ok(_) => return Ok(survey),
                // Where a node writes meanwhile, more is there the next time.
                Err(StorageError::Damaged { path, offset })
                    if damage != Some((path.clone(), offset)) =>
                {
                    damage = Some((path, offset));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn take(&mut self, position: Position, kind: u8, bytes: &[u8], genesis: &BlockId) {
        match kind {
            kind::TIMELY_BLOCK | kind::LATE_BLOCK => {
                if let Some(signed) = Block::peek(bytes) {
                    let found = Found {
                        number: signed.header.number,
                        parent: signed.header.hash_parent,
                        position,
                    };
                    self.blocks.entry(signed.id(genesis)).or_insert(found);
                }
            }
            kind::CERTIFICATE => {
                let read = decode::<Certificate>("certificate", bytes).ok();
                if let Some(read) = read.filter(|read| read.phase == Phase::Two) {
                    let newest = self.certificates.entry(read.id);
                    let newest = newest.or_insert((read.ballot, position));
                    *newest = (*newest).max((read.ballot, position));
                }
            }
            _ => {}
        }
    }

    /// The highest number of a block.
    pub(super) fn height(&self) -> Height {
        let numbers = self.blocks.values().map(|found| found.number);
        numbers.max().unwrap_or(Height::GENESIS)
    }

    /// Whether the log ends before a head that a checkpoint knows: it has lost its end.
    ///
    /// # Errors
    /// [`NodeError::Record`] if so.
    pub(super) fn check_end(
        &self,
        paths: &ChainPaths,
        head: Option<CheckpointHead>,
    ) -> Result<(), NodeError> {
        let end = self.height();
        match head {
            Some(((height, id), position))
                if height > Height::GENESIS && height >= end && !self.blocks.contains_key(&id) =>
            {
                let reason = format!("block {height} is missing, the log ends at {end}");
                Err(NodeError::record(&paths.blocks, position, reason))
            }
            _ => Ok(()),
        }
    }

    /// Whether a certified block is not one of these.
    pub(super) fn conflicts(&self, path: &[(BlockId, Found)], genesis: &BlockId) -> bool {
        let path: BTreeSet<BlockId> = path.iter().map(|(id, _)| *id).collect();
        let mut here = self.certificates.keys();
        here.any(|id| id != genesis && self.blocks.contains_key(id) && !path.contains(id))
    }

    /// The final blocks behind block 1, in order; `None` if one of them is missing.
    pub(super) fn final_blocks(&self, genesis: &BlockId) -> Option<Vec<(BlockId, Found)>> {
        let here = self.certificates.iter();
        let here = here.filter(|(id, _)| self.blocks.contains_key(id));
        let newest = here.max_by_key(|(_, (ballot, _))| *ballot);
        let (mut path, mut at) = (Vec::new(), newest.map_or(*genesis, |(id, _)| *id));
        while at != *genesis {
            let found = *self.blocks.get(&at)?;
            path.push((at, found));
            at = found.parent;
        }
        path.reverse();
        Some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccoin_sim::Network;
    use std::{
        fs::OpenOptions,
        os::unix::fs::FileExt as _,
        sync::atomic::{AtomicBool, Ordering},
        thread,
    };

    #[test]
    fn a_log_that_grows_meanwhile_is_no_damage_and_a_damaged_one_is() {
        let dir = tempfile::tempdir().unwrap();
        let paths = ChainPaths::new(dir.path().join("chain"));
        std::fs::create_dir(&paths.root).unwrap();
        let genesis = Network::ready(1).found();
        let mut log = paths.begin(&genesis).unwrap();
        log.sync().unwrap();
        paths.install().unwrap();
        drop(log);
        let mut log = BlockLog::open(&paths.blocks, Position::START, &mut |_, _, _| {
            Ok::<_, StorageError>(())
        })
        .unwrap();
        let over = AtomicBool::new(false);
        let position = thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut last = Position::START;
                while !over.load(Ordering::Relaxed) {
                    last = log.append(kind::LATE_BLOCK, &[&[7; 900]]).unwrap();
                    log.sync().unwrap();
                }
                last
            });
            let read = (0..100).try_for_each(|_| Survey::read(&paths, &genesis).map(drop));
            over.store(true, Ordering::Relaxed);
            read.unwrap();
            writer.join().unwrap()
        });
        let file = paths.blocks.join("00000001.log");
        let file = OpenOptions::new().write(true).open(file).unwrap();
        let middle = Position::START.0 + (position.0.min(2 << 24) - Position::START.0) / 2;
        file.write_all_at(&[1; 8], middle % (1 << 24)).unwrap();
        let damaged = Survey::read(&paths, &genesis).map(drop);
        assert!(
            matches!(
                damaged,
                Err(NodeError::Storage(StorageError::Damaged { .. }))
            ),
            "{damaged:?}"
        );
    }
}
