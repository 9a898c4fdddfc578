//! The miner thread: looks for nonces and signs what the machine has released.
//! It is the only holder of the secret key but the wallet.

use ccoin_core::{
    PowNonce,
    machine::{Input, JobId},
    pow::Midstate,
};
use ccoin_crypto::{Hash, SecretKey};
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
    /// The miner and the loop that its thread must run; `found` hands an input to
    /// the machine and says whether anybody still listens.
    pub(crate) fn new(
        key: Arc<SecretKey>,
        found: impl Fn(Input) -> bool + Send + 'static,
    ) -> (Self, impl FnOnce() + Send + 'static) {
        let (orders, ordered) = mpsc::channel();
        let valid_from = Arc::new(AtomicU64::new(0));
        let miner = Self {
            orders,
            valid_from: Arc::clone(&valid_from),
        };
        let run = move || {
            while let Ok(order) = ordered.recv() {
                let input = match order {
                    Order::Mine {
                        job,
                        mining_hash,
                        difficulty,
                    } => mine(job, &mining_hash, difficulty, &valid_from)
                        .map(|nonce| Input::Mined { job, nonce }),
                    Order::Sign { job, message } => match key.sign(&message) {
                        Ok(signature) => Some(Input::Signed { job, signature }),
                        Err(error) => panic!("this node's key does not sign any more: {error}"),
                    },
                };
                if input.is_some_and(|input| !found(input)) {
                    return;
                }
            }
        };
        (miner, run)
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
