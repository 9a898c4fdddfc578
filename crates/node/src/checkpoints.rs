//! Checkpoints: all accounts at a block some way behind the head, written now and then on a thread of their
//! own, so that a start replays a bounded tail of the log. A state is a cheap
//! snapshot, so nothing waits.

use crate::view::Recent;
use ccoin_core::{
    BlockId, Height,
    chain::Score,
    consensus::certificate::Certificate,
    encoding::{decode, encode},
    ledger::{Account, State},
};
use ccoin_storage::{Accounts, CheckpointHead, PoolMark, Position, write_checkpoint};
use std::{path::PathBuf, thread};

/// Log bytes between two checkpoints: a start replays about twice as much at most.
const INTERVAL: u64 = 32 << 20;

/// Writes checkpoints.
pub(crate) struct Checkpoints {
    directory: PathBuf,
    /// Record of the last checkpoint's block.
    last: Position,
    newest: Option<Anchor>,
    writing: Option<thread::JoinHandle<()>>,
}

/// What a restart must know of the log before the block: its score, and the certificates.
type Found = (Score, Vec<Certificate>);

/// What the next checkpoint would hold.
struct Anchor {
    block: Recent,
    found: Found,
    /// The head at that time: a log that does not hold it has lost its end.
    head: (Height, BlockId),
    /// How far the pool log had got: one that ends before has lost its end.
    pool: PoolMark,
}

impl Checkpoints {
    pub(crate) fn new(directory: PathBuf, last: Position) -> Self {
        Self {
            directory,
            last,
            newest: None,
            writing: None,
        }
    }

    /// Remembers where a restart should begin; starts writing if the log has grown enough.
    pub(crate) fn consider(&mut self, block: Recent, found: Found, head: &Recent, pool: PoolMark) {
        let grown = head.position.0.saturating_sub(self.last.0);
        let busy = self
            .writing
            .as_ref()
            .is_some_and(|thread| !thread.is_finished());
        let place = (head.header().number, head.id());
        self.newest = Some(Anchor {
            block,
            found,
            head: place,
            pool,
        });
        if grown >= INTERVAL && !busy {
            self.last = head.position;
            self.start();
        }
    }

    /// Writes the newest and waits for it, so that the next start has little to replay.
    pub(crate) fn finish(&mut self, pool: PoolMark) {
        self.newest.iter_mut().for_each(|newest| newest.pool = pool);
        self.writing.take().map(thread::JoinHandle::join);
        self.start();
        self.writing.take().map(thread::JoinHandle::join);
    }

    fn start(&mut self) {
        let Some(Anchor {
            block,
            found: (score, certificates),
            head,
            pool,
        }) = self.newest.take()
        else {
            return;
        };
        let directory = self.directory.clone();
        let write = move || {
            let height = block.header().number;
            let summary = CheckpointHead {
                height,
                id: block.id(),
                position: block.position,
                note: encode(&(score, head, (pool.0, pool.1), certificates)),
            };
            let mut accounts: Vec<_> = block.applied.state.values().collect();
            accounts.sort_unstable_by_key(|(address, _)| *address);
            // It is derived: without it the next start replays more.
            if let Err(error) = write_checkpoint(&directory, &summary, accounts.into_iter()) {
                tracing::warn!("no checkpoint written at block {height}: {error}");
            }
        };
        self.writing = thread::Builder::new()
            .name("checkpoint".into())
            .spawn(write)
            .ok();
    }
}

/// A checkpoint read back; its block is the record at its position.
pub(crate) struct Restored {
    pub(crate) id: BlockId,
    pub(crate) state: State,
    pub(crate) score: Score,
    /// Those that lie before its block in the log: final, high, lock, and the alarm's, if any.
    pub(crate) certificates: Vec<Certificate>,
    pub(crate) position: Position,
    /// The head when it was written.
    pub(crate) head: (Height, BlockId),
    /// How far the pool log had got.
    pub(crate) pool: PoolMark,
}

/// Rebuilds the state of a checkpoint; `None` if it is not sound: derived data may
/// be thrown away. A note without certificates is of a version before votes: the whole log is
/// judged again.
pub(crate) fn restore(head: &CheckpointHead, accounts: &mut Accounts) -> Option<Restored> {
    type Note = (Score, (Height, BlockId), (u64, u64), Vec<Certificate>);
    let (score, then, pool, certificates): Note = decode("checkpoint", &head.note).ok()?;
    let accounts: Option<Vec<_>> = accounts
        .map(|(address, value)| Some((address, Account::from_value(value)?)))
        .collect();
    let state = State::from_accounts(accounts?);
    Some(Restored {
        id: head.id,
        state,
        score,
        certificates,
        position: head.position,
        head: then,
        pool: PoolMark(pool.0, pool.1),
    })
}
