//! Records of a block log, one after the other, into a machine: every block is executed again
//! and every root compared. It writes nothing, and checks no signature.

use crate::{chain_paths::ChainPaths, checkpoints::Restored, commit_batch::kind, error::NodeError};
use ccoin_core::{
    BlockId, Height,
    applied::Applied,
    block::{Block, SealedBlock},
    consensus::{certificate::Certificate, evidence::Evidence},
    encoding::{DecodeError, decode},
    machine::{Machine, Start},
    rules::BlockError,
};
use ccoin_storage::{LogReader, Position};
use std::{collections::BTreeMap, fmt::Display, path::Path, sync::Arc};

/// Where the blocks of a machine lie in its log.
pub(crate) type Positions = BTreeMap<(Height, BlockId), Position>;

/// A record of the block log, parsed.
pub(crate) enum Record {
    /// Block 1.
    Genesis,
    /// A later block, accepted before its time was over or not.
    Block { block: SealedBlock, timely: bool },
    /// A certificate.
    Certificate(Certificate),
    /// Proof of a validator's fault.
    Evidence(Evidence),
    /// Of a later version.
    Unknown,
}

impl Record {
    /// Parses a payload of some kind; `seal` says how far a block is to be trusted.
    ///
    /// # Errors
    /// [`DecodeError`], and those of `seal`.
    pub(crate) fn parse<E: From<DecodeError>>(
        kind: u8,
        bytes: &[u8],
        seal: impl FnOnce(Block) -> Result<SealedBlock, E>,
    ) -> Result<Self, E> {
        Ok(match kind {
            kind::GENESIS => Self::Genesis,
            kind::TIMELY_BLOCK | kind::LATE_BLOCK => Self::Block {
                block: seal(Block::decode(bytes)?)?,
                timely: kind == kind::TIMELY_BLOCK,
            },
            kind::CERTIFICATE => Self::Certificate(decode("certificate", bytes)?),
            kind::EVIDENCE => Self::Evidence(decode("evidence", bytes)?),
            _ => Self::Unknown,
        })
    }
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The machine knows it.
    Kept,
    /// A block beside final or below the window, which is not executed.
    Settled,
    /// A block whose parent is not there.
    NoParent,
}

/// Brings a machine up to date, record by record.
pub(crate) struct Replayer<'a> {
    log: &'a Path,
    start: &'a Start,
    /// For blocks that must be executed again.
    reader: LogReader,
    restored: Option<Restored>,
    machine: Option<Machine>,
    positions: Positions,
}

impl<'a> Replayer<'a> {
    /// Begins at the block of a checkpoint, else at block 1.
    pub(crate) fn new(
        paths: &'a ChainPaths,
        start: &'a Start,
        reader: LogReader,
        restored: Option<Restored>,
    ) -> Self {
        let machine = restored.is_none().then(|| Machine::new(start.clone()));
        Self {
            log: &paths.blocks,
            start,
            reader,
            restored,
            machine,
            positions: Positions::new(),
        }
    }

    /// Goes on behind the log that `machine` has read; `positions` are those of its blocks.
    pub(crate) fn continued(
        paths: &'a ChainPaths,
        start: &'a Start,
        reader: LogReader,
        (machine, positions): (Machine, Positions),
    ) -> Self {
        Self {
            log: &paths.blocks,
            start,
            reader,
            restored: None,
            machine: Some(machine),
            positions,
        }
    }

    /// The error of a record that does not fit.
    pub(crate) fn misfit(&self, position: Position, reason: &impl Display) -> NodeError {
        NodeError::record(self.log, position, reason.to_string())
    }

    /// Takes the record at `position`.
    ///
    /// # Errors
    /// [`NodeError`] if it does not fit what came before.
    pub(crate) fn take(&mut self, position: Position, record: Record) -> Result<Taken, NodeError> {
        let (block, timely) = match (record, &mut self.machine) {
            (Record::Genesis, machine) => {
                // A young chain's checkpoint is block 1 itself.
                self.restored = None;
                machine.get_or_insert_with(|| Machine::new(self.start.clone()));
                let genesis = (Height::GENESIS, self.start.genesis.id);
                self.positions.insert(genesis, position);
                return Ok(Taken::Kept);
            }
            (Record::Certificate(certificate), Some(machine)) => {
                machine.replay_certificate(certificate);
                return Ok(Taken::Kept);
            }
            (Record::Evidence(evidence), Some(machine)) => {
                machine.replay_evidence(evidence);
                return Ok(Taken::Kept);
            }
            (Record::Block { block, timely }, _) => (block, timely),
            _ => return Ok(Taken::Kept),
        };
        let key = (block.header().number, block.id);
        let taken = match (self.machine.is_some(), self.restored.take()) {
            (false, Some(checkpoint)) => {
                let machine = from_checkpoint(self.start, block, checkpoint);
                self.machine = Some(machine.map_err(|reason| self.misfit(position, &reason))?);
                Taken::Kept
            }
            (true, _) => self.take_block(position, block, timely)?,
            (false, None) => return Err(self.misfit(position, &"a block before the first")),
        };
        self.positions.insert(key, position);
        Ok(taken)
    }

    fn take_block(
        &mut self,
        position: Position,
        block: SealedBlock,
        timely: bool,
    ) -> Result<Taken, NodeError> {
        let Self {
            log,
            start,
            reader,
            machine,
            positions,
            ..
        } = self;
        let machine = machine.as_mut().expect("the caller has looked");
        let misfit = |reason: String| NodeError::record(log, position, reason);
        for (key, position) in bare_path(machine, &block, positions) {
            let (_, bytes) = reader.read(position)?;
            let bare = Block::decode(&bytes).map_err(|error| misfit(error.to_string()))?;
            let bare = SealedBlock::already_verified(bare, &start.genesis.id);
            let replayed = machine.replay(bare, true);
            replayed.map_err(|error| misfit(format!("block {}: {error}", key.0)))?;
        }
        let number = block.header().number;
        match machine.replay(block, timely) {
            Ok(()) => Ok(Taken::Kept),
            // It lies below the window, or on another branch than final.
            Err(BlockError::Parent(_)) => Ok(Taken::NoParent),
            Err(BlockError::Settled { .. }) => Ok(Taken::Settled),
            Err(BlockError::Reward { got, expected }) if got > expected => {
                Err(NodeError::OldReward {
                    path: log.to_path_buf(),
                    number,
                    got,
                    expected,
                })
            }
            Err(other) => Err(misfit(other.to_string())),
        }
    }

    /// Directory of the log.
    pub(crate) fn log(&self) -> &Path {
        self.log
    }

    /// The machine so far; `None` before its first block.
    pub(crate) fn machine(&self) -> Option<&Machine> {
        self.machine.as_ref()
    }

    /// The machine, and where the blocks that it knows lie. `from`: where the log was begun.
    pub(crate) fn finish(self, from: Position) -> Result<(Machine, Positions), NodeError> {
        let mut positions = self.positions;
        let machine = self.machine;
        let machine =
            machine.ok_or_else(|| NodeError::record(self.log, from, "no block".into()))?;
        let positions = positions.split_off(&(machine.chain().lowest(), BlockId::ZERO));
        Ok((machine, positions))
    }
}

/// What must be executed again before a block: key and record of each.
fn bare_path(
    machine: &Machine,
    block: &SealedBlock,
    positions: &Positions,
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
