//! The verifier threads: signatures are checked here, on all cores, off the chain's
//! thread. Each thread keeps its own cache of parsed keys.

use crate::{NodeError, metrics::Metrics};
use ccoin_core::{
    BlockId,
    genesis::Genesis,
    transaction::{Transaction, TransactionError, VerifiedTransaction},
};
use ccoin_crypto::Verifier;
use std::{
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Transactions that one thread checks before another may help: about a millisecond.
const CHUNK: usize = 64;

/// Jobs that may wait for a thread; beyond that callers wait.
const WAITING_JOBS: usize = 256;

/// Parsed keys that a thread remembers.
const CACHED_KEYS: usize = 4_096;

type Verdict = Result<VerifiedTransaction, TransactionError>;

/// Work for a thread, and its place in the queue: given back when it is done, so that
/// callers never wait for each other.
type Job = (Box<dyn FnOnce(&mut Verifier) + Send>, OwnedSemaphorePermit);

/// The pool of verifier threads.
#[derive(Clone, Debug)]
pub(crate) struct VerifierPool {
    genesis: BlockId,
    max_data: usize,
    jobs: mpsc::Sender<Job>,
    /// Bounds the channel without ever blocking an async caller.
    places: Arc<Semaphore>,
}

impl VerifierPool {
    /// Starts one thread per core; they end when the pool is dropped.
    pub(crate) fn spawn(genesis: &Genesis, metrics: &Metrics) -> Result<Self, NodeError> {
        let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::with_threads(genesis, "verifier", threads, metrics)
    }

    /// Starts so many threads.
    pub(crate) fn with_threads(
        genesis: &Genesis,
        name: &str,
        threads: usize,
        metrics: &Metrics,
    ) -> Result<Self, NodeError> {
        let (jobs, job) = mpsc::channel::<Job>();
        let job = Arc::new(Mutex::new(job));
        for number in 0..threads {
            let job = Arc::clone(&job);
            let seconds = metrics.verify.clone();
            thread::Builder::new()
                .name(format!("{name}-{number}"))
                .spawn(move || {
                    let mut verifier = Verifier::new(CACHED_KEYS);
                    loop {
                        let next = job.lock().unwrap_or_else(PoisonError::into_inner).recv();
                        let Ok((work, place)) = next else { return };
                        Metrics::time(&seconds, || work(&mut verifier));
                        drop(place);
                    }
                })
                .map_err(NodeError::Thread)?;
        }
        Ok(Self {
            genesis: genesis.id,
            max_data: genesis.config.transaction.max_data_bytes as usize,
            jobs,
            places: Arc::new(Semaphore::new(WAITING_JOBS)),
        })
    }

    /// Queues work for a thread, waiting for room. The answer is lost when the threads
    /// have ended.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Verifier) -> T + Send + 'static,
    ) -> Option<oneshot::Receiver<T>> {
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        let (answer, answered) = oneshot::channel();
        let work = move |verifier: &mut Verifier| {
            // A caller that has gone away does not want the answer.
            let _ = answer.send(work(verifier));
        };
        self.jobs.send((Box::new(work), place)).ok()?;
        Some(answered)
    }

    /// Checks transactions; the verdicts come in the same order. `None` when the
    /// threads have ended.
    pub(crate) async fn verify(&self, txns: Vec<Transaction>) -> Option<Vec<Verdict>> {
        let mut answers = Vec::with_capacity(txns.len().div_ceil(CHUNK));
        let mut txns = txns.into_iter();
        loop {
            let chunk: Vec<_> = txns.by_ref().take(CHUNK).collect();
            if chunk.is_empty() {
                break;
            }
            let (genesis, max_data) = (self.genesis, self.max_data);
            let check = move |verifier: &mut Verifier| -> Vec<Verdict> {
                let verify = |txn| VerifiedTransaction::verify(txn, &genesis, max_data, verifier);
                chunk.into_iter().map(verify).collect()
            };
            answers.push(self.run(check).await?);
        }
        let mut verdicts = Vec::new();
        for answer in answers {
            verdicts.extend(answer.await.ok()?);
        }
        Some(verdicts)
    }
}
