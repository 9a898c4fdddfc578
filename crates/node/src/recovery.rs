//! What is on disk, opened: the machine brought up to date from the log, with its
//! roots checked, and the files ready for writing.

use crate::{
    checkpoints::{self, Restored},
    clock,
    commit_batch::kind,
    dropped_txns::DroppedTxn,
    error::NodeError,
    publication::RECENT_LEAST,
    recovered_queue::{RecoveredQueue, id_of, warn_of_loss},
    tx_status::TxTracker,
    view::{FinalBlock, QueueSize, Recent, View},
};
use ccoin_core::{
    BlockId, Height,
    applied::Applied,
    block::{Block, SealedBlock},
    encoding::{DecodeError, decode, encode},
    genesis::Genesis,
    machine::{Hindrance, Machine, NodeState, Start},
    rules::BlockError,
};
use ccoin_storage::{BlockLog, PoolLog, PoolMark, Position, ScannedLog, load_newest};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The parts of a `chain` directory.
#[derive(Clone, Debug)]
pub struct ChainPaths {
    /// The directory itself.
    pub root: PathBuf,
    /// The block log: the truth.
    pub blocks: PathBuf,
    /// The pool log: accepted transactions that wait.
    pub pool: PathBuf,
    /// Checkpoints: derived.
    pub state: PathBuf,
    /// The index: derived.
    pub index: PathBuf,
}

impl ChainPaths {
    /// The parts of the chain in `root`.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self {
            blocks: root.join("blocks"),
            pool: root.join("pool"),
            state: root.join("state"),
            index: root.join("index"),
            root,
        }
    }

    /// Whether there is a chain.
    ///
    /// # Errors
    /// [`NodeError::File`] if the directory cannot be looked at.
    pub fn exist(&self) -> Result<bool, NodeError> {
        self.blocks
            .try_exists()
            .map_err(|source| NodeError::file(&self.blocks, source))
    }

    /// Writes the chain of a new network: block 1 alone. It appears whole or not at all.
    ///
    /// # Errors
    /// [`NodeError`] if there is one already or it cannot be written.
    pub fn create(&self, genesis: &Genesis) -> Result<(), NodeError> {
        let unfinished = self.root.join("blocks.new");
        let io = |source| NodeError::file(&unfinished, source);
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
        let mut blocks = BlockLog::create(&unfinished)?;
        blocks.append(kind::GENESIS, &[&genesis.encode()])?;
        blocks.sync()?;
        fs::rename(&unfinished, &self.blocks).map_err(io)?;
        fs::File::open(&self.root)
            .and_then(|root| root.sync_all())
            .map_err(io)
    }

    /// Throws the chain away, the truth first, so that no half of it is ever taken for one.
    ///
    /// # Errors
    /// [`NodeError::File`] names what is left.
    pub fn remove(&self) -> Result<(), NodeError> {
        for part in [&self.blocks, &self.pool, &self.state, &self.index] {
            match fs::remove_dir_all(part) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(NodeError::file(part, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads block 1; changes nothing.
    ///
    /// # Errors
    /// [`NodeError`] if what is there is not a chain.
    pub fn genesis(&self) -> Result<Genesis, NodeError> {
        let (record, bytes) = BlockLog::first_record(&self.blocks)?;
        if record != kind::GENESIS {
            let reason = "the first record is not a genesis block".to_owned();
            return Err(damaged(&self.blocks, Position::START, reason));
        }
        Ok(Genesis::decode(&bytes)?)
    }
}

/// Everything a start has found.
pub(crate) struct Recovered {
    pub(crate) blocks: BlockLog,
    pub(crate) pool: PoolLog,
    pub(crate) machine: Machine,
    /// Transactions that are in no block.
    queue: RecoveredQueue,
    /// Records of the blocks that the machine knows.
    pub(crate) positions: BTreeMap<(Height, BlockId), Position>,
    /// Record of the block where the replay began.
    pub(crate) replayed_from: Position,
}

impl Recovered {
    /// Opens the chain of `start.genesis`. Derived data that is not sound is passed
    /// over; a damaged log is an error.
    ///
    /// # Errors
    /// [`NodeError`] names the file and what helps.
    pub(crate) fn open(paths: &ChainPaths, start: &Start) -> Result<Self, NodeError> {
        let replayed = read_blocks(paths, start)?;
        let Replay {
            blocks,
            mut machine,
            positions,
            from,
            pool_mark,
        } = replayed;
        let genesis = &start.genesis;
        let (mut pool, contents) =
            PoolLog::open(&paths.pool, &id_of(genesis)).map_err(NodeError::Pool)?;
        // Only now is the start certain; a refused one has changed nothing.
        let blocks = blocks.resume()?;
        let height = machine.chain().head().block.header().number;
        warn_of_loss(paths, &contents, height, pool_mark);
        let queue = RecoveredQueue::restore(&mut machine, genesis, &contents);
        for DroppedTxn { txn, reason, at } in &queue.superseded {
            let written = pool.append_dropped(*at, reason, &encode(txn));
            written.map_err(NodeError::Pool)?;
        }
        pool.sync().map_err(NodeError::Pool)?;
        Ok(Self {
            blocks,
            pool,
            machine,
            queue,
            positions,
            replayed_from: from,
        })
    }

    /// What readers see first. The index answers for older blocks.
    pub(crate) fn first_view(&self) -> View {
        let canonical = self.machine.chain().canonical();
        let older = canonical.len().saturating_sub(RECENT_LEAST);
        let recent = canonical.iter().skip(older).filter_map(|applied| {
            let key = (applied.block.header().number, applied.block.id);
            Some(Recent {
                applied: Arc::clone(applied),
                position: *self.positions.get(&key)?,
            })
        });
        let pool = self.machine.pool();
        View {
            recent: Arc::new(recent.collect()),
            state: NodeState::Genesis,
            queue: QueueSize {
                txns: pool.len(),
                bytes: pool.bytes(),
                oldest: pool.oldest_ready(),
            },
            hindrances: Arc::new([Hindrance::State(NodeState::Genesis)]),
            last_final: Arc::new(FinalBlock {
                certificate: (**self.machine.last_final()).clone(),
                since: clock::mono(),
            }),
            evidence: self.machine.evidence().into(),
            alarm: self.machine.is_alarmed(),
        }
    }

    /// The statuses of the transactions in memory.
    pub(crate) fn tx_tracker(&self, view: &View) -> TxTracker {
        let tracker = TxTracker::default();
        let blocks = view.recent.iter();
        blocks.for_each(|recent| tracker.restore_block(&recent.applied));
        let now = clock::mono();
        let RecoveredQueue {
            waiting,
            dropped,
            superseded,
        } = &self.queue;
        for (arrived, txn) in waiting {
            tracker.restore(now, *arrived, txn);
        }
        for dropped in dropped.iter().chain(superseded) {
            tracker.restore_dropped(dropped.clone());
        }
        tracker
    }
}

/// A log read from some block to its end.
pub(crate) struct Replay {
    pub(crate) blocks: ScannedLog,
    pub(crate) machine: Machine,
    positions: BTreeMap<(Height, BlockId), Position>,
    from: Position,
    /// How far the pool log had got when the checkpoint was written.
    pool_mark: PoolMark,
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
        return Err(damaged(&paths.blocks, position, reason));
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
        let misfit = |reason: String| damaged(&paths.blocks, position, reason);
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
    let machine = machine.ok_or_else(|| damaged(&paths.blocks, from, "no block".into()))?;
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

pub(crate) fn damaged(path: &Path, position: Position, reason: String) -> NodeError {
    NodeError::Record {
        path: path.to_owned(),
        position: position.0,
        reason,
    }
}
