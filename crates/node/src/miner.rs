//! The miner thread: looks for nonces and signs what the machine has released.

use crate::{
    NodeError,
    chain_thread::{ChainHandle, Event},
    metrics::Metrics,
    threads::Threads,
};
use ccoin_core::{
    PowNonce,
    machine::{Input, JobId},
    pow::Midstate,
};
use ccoin_crypto::{Hash, KeySigner, SignError, Urgency};
use prometheus_client::metrics::histogram::Histogram;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
    mpsc,
};

/// Tries between two looks at the cancellation: about a millisecond.
const TRIES: u64 = 1 << 14;

/// What the machine asks for.
#[derive(Debug)]
pub(crate) enum Order {
    /// Find a nonce.
    Mine {
        job: JobId,
        mining_hash: Hash,
        difficulty: u8,
    },
    /// Sign a block id.
    Sign { job: JobId, message: Hash },
}

/// The other threads' end: orders in, and how far jobs are cancelled.
#[derive(Clone, Debug)]
pub(crate) struct Miner {
    /// Unbounded, because the machine has one job at a time.
    orders: mpsc::Sender<Order>,
    /// Jobs below this number are cancelled.
    valid_from: Arc<AtomicU64>,
}

impl Miner {
    /// Starts the thread; it hands its answers to the machine.
    pub(crate) fn spawn(
        threads: &mut Threads,
        key: &Arc<dyn KeySigner>,
        chain: ChainHandle,
        metrics: &Metrics,
    ) -> Result<Self, NodeError> {
        let (orders, ordered) = mpsc::channel();
        let valid_from = Arc::new(AtomicU64::new(0));
        let miner = Self {
            orders,
            valid_from: Arc::clone(&valid_from),
        };
        let key = Arc::clone(key);
        let seconds = metrics.mine.clone();
        threads.spawn("miner", move || {
            while let Ok(order) = ordered.recv() {
                let input = carry_out(order, &*key, &valid_from, &seconds);
                let event = |input| Event::Input(Box::new(input));
                if input.is_some_and(|input| chain.events.blocking_send(event(input)).is_err()) {
                    break;
                }
            }
            Ok(())
        })?;
        Ok(miner)
    }

    /// Queues an order; without a listener the node is ending.
    pub(crate) fn order(&self, order: Order) {
        let _ = self.orders.send(order);
    }

    /// Cancels a job and all before it.
    pub(crate) fn cancel(&self, job: JobId) {
        self.valid_from.fetch_max(job + 1, Ordering::Relaxed);
    }
}

/// What the machine hears of an order; `None` if it was cancelled.
fn carry_out(
    order: Order,
    key: &dyn KeySigner,
    valid_from: &AtomicU64,
    seconds: &Histogram,
) -> Option<Input> {
    match order {
        Order::Mine {
            job,
            mining_hash,
            difficulty,
        } => {
            let search = || mine(job, &mining_hash, difficulty, valid_from);
            let nonce = Metrics::time(seconds, search)?;
            Some(Input::Mined { job, nonce })
        }
        Order::Sign { job, message } => match key.signature(&message, Urgency::High) {
            Ok(signature) => Some(Input::Signed { job, signature }),
            Err(SignError::Unavailable(_)) => Some(Input::NotSigned { job }),
            Err(SignError::Key(error)) => panic!("this node's key does not sign any more: {error}"),
        },
    }
}

fn mine(
    job: JobId,
    mining_hash: &Hash,
    difficulty: u8,
    valid_from: &AtomicU64,
) -> Option<PowNonce> {
    let midstate = Midstate::new(mining_hash);
    let mut from = PowNonce::ZERO;
    while valid_from.load(Ordering::Relaxed) <= job {
        if let Some(nonce) = midstate.search(difficulty, from, TRIES) {
            return Some(nonce);
        }
        from = from.checked_add(TRIES)?;
    }
    None
}
