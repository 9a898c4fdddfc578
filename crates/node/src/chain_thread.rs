//! The chain thread: the only owner of the machine. It feeds inputs in, carries out at once
//! what reveals nothing, and hands the rest to the storage thread in the machine's order. It
//! waits for room in the storage queue, never for a disk.

use crate::{
    NodeError, clock,
    commit_batch::{CommitBatch, RestartPoint, Results},
    metrics::Metrics,
    peers::outbound::Outbound,
    threads::{Ending, Threads, own_runtime},
    view::QueueSize,
};
use ccoin_core::{
    machine::{Input, Machine, NodeState, PeerId, Publish, Step, Ticket},
    transaction::VerifiedTransaction,
};
use ccoin_crypto::LaneFault;
use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};
use tokio::sync::{mpsc as tokio_mpsc, oneshot};

/// Batches of transactions that may wait for the machine; then callers wait.
const WAITING_BATCHES: usize = 64;

/// Answers of the miner and questions that may wait.
const WAITING_EVENTS: usize = 64;

/// Inputs that are decided before their records go to the disk together.
const GROUP: usize = 64;

/// Events that may overtake a batch of transactions.
const EVENTS_A_BATCH: usize = 8;

/// Longest sleep, in ms: the wall clock may be set, and the machine should notice.
const LONGEST_SLEEP_MS: u64 = 1_000;

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
    /// From a peer, the miner, or the order to stop.
    Input(Box<Input>),
    /// A question about the machine as it is, durable or not.
    Ask(Box<dyn FnOnce(&Machine) + Send>),
    /// Signatures can be trusted no longer: the thread ends, and with it the node.
    Fault(Box<LaneFault>),
}

/// The other threads' ends of the queues into the chain thread.
#[derive(Clone)]
pub(crate) struct ChainHandle {
    pub(crate) events: tokio_mpsc::Sender<Event>,
    pub(crate) batches: tokio_mpsc::Sender<Batch>,
}

/// The chain thread's ends.
pub(crate) struct ChainInbox {
    events: tokio_mpsc::Receiver<Event>,
    batches: tokio_mpsc::Receiver<Batch>,
}

/// Both ends.
pub(crate) fn queues() -> (ChainHandle, ChainInbox) {
    let (events, event) = tokio_mpsc::channel(WAITING_EVENTS);
    let (batches, batch) = tokio_mpsc::channel(WAITING_BATCHES);
    let inbox = ChainInbox {
        events: event,
        batches: batch,
    };
    (ChainHandle { events, batches }, inbox)
}

impl ChainHandle {
    /// Hands an input to the machine; false when the node is ending.
    pub(crate) async fn input(&self, input: Input) -> bool {
        self.events
            .send(Event::Input(Box::new(input)))
            .await
            .is_ok()
    }
}

/// The loop of the chain thread.
pub(crate) struct ChainThread {
    pub(crate) machine: Machine,
    pub(crate) inbox: ChainInbox,
    pub(crate) commits: mpsc::SyncSender<CommitBatch>,
    pub(crate) outbound: Arc<Outbound>,
    pub(crate) metrics: Arc<Metrics>,
}

enum Woken {
    Event(Event),
    Batch(Batch),
    Time,
}

impl ChainThread {
    pub(crate) fn spawn(self, threads: &mut Threads) -> Result<(), NodeError> {
        let runtime = own_runtime()?;
        threads.spawn("chain", move || self.run(&runtime))
    }

    /// Runs until the machine has stopped or the storage thread is gone.
    ///
    /// # Errors
    /// [`NodeError::Lanes`]; what is decided and not yet handed on is dropped.
    fn run(mut self, runtime: &tokio::runtime::Runtime) -> Ending {
        let mut woken = Woken::Time;
        let mut next_ticket = 0;
        let mut hindrances = None;
        loop {
            let mut batch = CommitBatch::default();
            self.decide(woken, &mut next_ticket, &mut batch)?;
            for turn in 1..GROUP {
                let Some(next) = self.waiting(turn) else {
                    break;
                };
                self.decide(next, &mut next_ticket, &mut batch)?;
            }
            let pool = self.machine.pool();
            batch.queue = QueueSize {
                txns: pool.len(),
                bytes: pool.bytes(),
                oldest: pool.oldest_ready(),
            };
            let now = self.machine.hindrances(clock::now());
            if hindrances.as_ref() != Some(&now) {
                batch.hindrances = Some(now.clone());
                hindrances = Some(now);
            }
            if batch.moves_head() {
                batch.anchor = self.restart_point();
            }
            if !batch.is_empty() && self.commits.send(batch).is_err() {
                return Ok(());
            }
            if self.machine.state() == NodeState::Stopping {
                return Ok(());
            }
            let wait = self.machine.wake_in(clock::now());
            let sleep =
                Duration::from_millis(wait.unwrap_or(LONGEST_SLEEP_MS).min(LONGEST_SLEEP_MS));
            woken = runtime.block_on(self.next(sleep));
        }
    }

    fn restart_point(&self) -> Option<RestartPoint> {
        let (block, score) = self.machine.chain().anchor()?;
        let certificates = self.machine.certificates().into_iter();
        let certificates = certificates.chain(self.machine.alarm());
        Some(RestartPoint {
            block: Arc::clone(block),
            score: score.clone(),
            certificates: certificates.map(|verified| (**verified).clone()).collect(),
        })
    }

    /// What has come in meanwhile: events first, but a peer that sends many keeps no
    /// transactions waiting.
    fn waiting(&mut self, turn: usize) -> Option<Woken> {
        let ChainInbox { events, batches } = &mut self.inbox;
        if turn.is_multiple_of(EVENTS_A_BATCH)
            && let Ok(batch) = batches.try_recv()
        {
            return Some(Woken::Batch(batch));
        }
        let event = events.try_recv().map(Woken::Event);
        event.or_else(|_| batches.try_recv().map(Woken::Batch)).ok()
    }

    async fn next(&mut self, sleep: Duration) -> Woken {
        tokio::select! {
            biased;
            Some(event) = self.inbox.events.recv() => Woken::Event(event),
            Some(batch) = self.inbox.batches.recv() => Woken::Batch(batch),
            () = tokio::time::sleep(sleep) => Woken::Time,
        }
    }

    fn decide(
        &mut self,
        woken: Woken,
        next_ticket: &mut Ticket,
        batch: &mut CommitBatch,
    ) -> Ending {
        let input = match woken {
            Woken::Time => Input::Tick,
            Woken::Event(Event::Input(input)) => *input,
            Woken::Event(Event::Ask(question)) => {
                question(&self.machine);
                return Ok(());
            }
            Woken::Event(Event::Fault(fault)) => return Err((*fault).into()),
            Woken::Batch(Batch {
                txns,
                from,
                results,
            }) => {
                let ticket = *next_ticket;
                *next_ticket += 1;
                batch.answers.push((ticket, results));
                Input::Submit { ticket, txns, from }
            }
        };
        let began = Instant::now();
        let Step {
            ask,
            write,
            publish,
        } = self.machine.step(clock::now(), input);
        let moves_head = |publish: &Publish| matches!(publish, Publish::Head { .. });
        if publish.iter().any(moves_head) {
            self.metrics.apply.observe(began.elapsed().as_secs_f64());
        }
        ask.into_iter().for_each(|ask| self.outbound.ask(ask));
        batch.write.extend(write);
        batch.publish.extend(publish);
        Ok(())
    }
}
