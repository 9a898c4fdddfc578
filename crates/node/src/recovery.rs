//! What is on disk, opened: the machine brought up to date from the log, with its
//! roots checked, and the files ready for writing.

use crate::{
    clock,
    commit_batch::kind,
    dropped_txns::DroppedTxn,
    error::NodeError,
    publication::RECENT_LEAST,
    recovered_queue::{RecoveredQueue, id_of, warn_of_loss},
    replay::{Replay, read_blocks},
    replayer::damaged,
    tx_status::TxTracker,
    view::{FinalBlock, QueueSize, Recent, View},
};
use ccoin_core::{
    BlockId, Height,
    encoding::encode,
    genesis::Genesis,
    machine::{Hindrance, Machine, NodeState, Start},
};
use ccoin_storage::{BlockLog, PoolLog, Position};
use std::{collections::BTreeMap, fs, io, path::PathBuf, sync::Arc};

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
        self.begin(genesis)?.sync()?;
        self.install()
    }

    /// A log with block 1 that is no chain yet.
    pub(crate) fn begin(&self, genesis: &Genesis) -> Result<BlockLog, NodeError> {
        let unfinished = self.unfinished();
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(NodeError::file(&unfinished, error));
            }
            _ => {}
        }
        let mut blocks = BlockLog::create(&unfinished)?;
        blocks.append(kind::GENESIS, &[&genesis.encode()])?;
        Ok(blocks)
    }

    /// Makes the log that was begun, and that nobody writes any more, the chain.
    pub(crate) fn install(&self) -> Result<(), NodeError> {
        let unfinished = self.unfinished();
        let io = |source| NodeError::file(&unfinished, source);
        fs::rename(&unfinished, &self.blocks).map_err(io)?;
        fs::File::open(&self.root)
            .and_then(|root| root.sync_all())
            .map_err(io)
    }

    fn unfinished(&self) -> PathBuf {
        self.root.join("blocks.new")
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
