//! The chain thread: the only owner of the machine. It feeds inputs in, and hands
//! what must happen to the storage thread in the machine's order. It never waits
//! for a disk, but for room in the storage queue.

use crate::{clock, peers::outbound::Outbound, view::QueueSize, commit_thread::CommitBatch};
use ccoin_core::{
    Timestamp,
    machine::{Effect, Input, Machine, NodeState, PeerId, Ticket},
    pool::{Accepted, PoolError},
    transaction::VerifiedTransaction,
};
use std::{
    sync::{Arc, mpsc},
    time::Duration,
};
use tokio::sync::{mpsc as tokio_mpsc, oneshot};

/// Batches of transactions that may wait for the machine; then callers wait.
pub(crate) const WAITING_BATCHES: usize = 64;

/// Answers of the miner and questions that may wait.
pub(crate) const WAITING_EVENTS: usize = 64;

/// Inputs that are decided before their effects go to the disk together.
const GROUP: usize = 64;

/// Events that may overtake a batch of transactions.
const EVENTS_A_BATCH: usize = 8;

/// Longest sleep: time may be set, and the machine should notice.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// Answer to a batch.
pub(crate) type Results = Vec<Result<Accepted, PoolError>>;

/// Transactions for the pool.
pub(crate) struct Batch {
    /// Their signatures are checked.
    pub(crate) txns: Vec<VerifiedTransaction>,
    /// The peer that sent them; `None`: a user.
    pub(crate) from: Option<PeerId>,
    /// Answered when they are on disk.
    pub(crate) results: oneshot::Sender<Results>,
}

/// What goes before transactions.
pub(crate) enum Event {
    /// From the miner, or the order to stop.
    Input(Box<Input>),
    /// A question about the machine as it is, durable or not.
    Ask(Box<dyn FnOnce(&Machine) + Send>),
}

/// The loop of the chain thread; ends when the machine has stopped.
pub(crate) struct ChainThread {
    pub(crate) machine: Machine,
    pub(crate) events: tokio_mpsc::Receiver<Event>,
    pub(crate) batches: tokio_mpsc::Receiver<Batch>,
    pub(crate) commits: mpsc::SyncSender<CommitBatch>,
    pub(crate) outbound: Arc<Outbound>,
    pub(crate) next_ticket: Ticket,
}

enum Woken {
    Event(Event),
    Batch(Batch),
    Time,
}

impl ChainThread {
    /// Runs until the machine has stopped or the storage thread is gone.
    pub(crate) fn run(mut self, runtime: &tokio::runtime::Runtime) {
        let mut woken = Woken::Time;
        loop {
            let mut commit = CommitBatch::default();
            self.decide(woken, &mut commit);
            for turn in 1..GROUP {
                let Some(next) = self.waiting(turn) else {
                    break;
                };
                self.decide(next, &mut commit);
            }
            let pool = self.machine.pool();
            commit.queue = QueueSize {
                txns: pool.len(),
                bytes: pool.bytes(),
                oldest: pool.oldest_ready(),
            };
            if commit.moves_head() {
                let anchor = self.machine.chain().anchor();
                commit.anchor = anchor.map(|(block, score)| (Arc::clone(block), score.clone()));
            }
            if !commit.is_idle() && self.commits.send(commit).is_err() {
                return;
            }
            if self.machine.state() == NodeState::Stopping {
                return;
            }
            let now = clock::now();
            let sleep = self
                .machine
                .wake_at(now)
                .map_or(LONGEST_SLEEP, |at| until(now, at));
            woken = runtime.block_on(self.next(sleep));
        }
    }

    /// What has come in meanwhile: events first, but whoever sends many keeps no
    /// transactions waiting.
    fn waiting(&mut self, turn: usize) -> Option<Woken> {
        if turn.is_multiple_of(EVENTS_A_BATCH)
            && let Ok(batch) = self.batches.try_recv()
        {
            return Some(Woken::Batch(batch));
        }
        let event = self.events.try_recv().map(Woken::Event);
        event
            .or_else(|_| self.batches.try_recv().map(Woken::Batch))
            .ok()
    }

    async fn next(&mut self, sleep: Duration) -> Woken {
        tokio::select! {
            biased;
            Some(event) = self.events.recv() => Woken::Event(event),
            Some(batch) = self.batches.recv() => Woken::Batch(batch),
            () = tokio::time::sleep(sleep) => Woken::Time,
        }
    }

    fn decide(&mut self, woken: Woken, commit: &mut CommitBatch) {
        let input = match woken {
            Woken::Time => Input::Tick,
            Woken::Event(Event::Input(input)) => *input,
            Woken::Event(Event::Ask(question)) => return question(&self.machine),
            Woken::Batch(Batch {
                txns,
                from,
                results,
            }) => {
                let ticket = self.next_ticket;
                self.next_ticket += 1;
                commit.answers.push((ticket, results));
                Input::Submit { ticket, txns, from }
            }
        };
        let effects = self.machine.step(clock::now(), input).into_iter();
        let waiting = effects.filter(|effect| !self.outbound.say_now(effect));
        commit.effects.extend(waiting);
    }
}

impl CommitBatch {
    fn moves_head(&self) -> bool {
        self.effects
            .iter()
            .any(|effect| matches!(effect, Effect::Head { .. }))
    }
}

fn until(now: Timestamp, at: Timestamp) -> Duration {
    Duration::from_millis(at.get().saturating_sub(now.get())).min(LONGEST_SLEEP)
}
