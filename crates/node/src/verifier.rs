//! The verifier threads: signatures are checked here, on all cores, off the chain's
//! thread. Each thread keeps its own cache of parsed keys.

use ccoin_core::{
    BlockId,
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

/// Chunks that may wait for a thread; beyond that callers wait.
const WAITING_CHUNKS: usize = 256;

/// Parsed keys that a thread remembers.
const CACHED_KEYS: usize = 4_096;

type Verdict = Result<VerifiedTransaction, TransactionError>;

struct Chunk {
    txns: Vec<Transaction>,
    verdicts: oneshot::Sender<Vec<Verdict>>,
    /// Given back when the chunk is done, so that callers never wait for each other.
    place: OwnedSemaphorePermit,
}

/// The pool of verifier threads.
#[derive(Clone, Debug)]
pub(crate) struct VerifierPool {
    chunks: mpsc::Sender<Chunk>,
    /// Bounds the channel without ever blocking an async caller.
    places: Arc<Semaphore>,
}

impl VerifierPool {
    /// Starts one thread per core; they end when the pool is dropped.
    pub(crate) fn start(genesis: BlockId, max_data: usize) -> std::io::Result<Self> {
        let (chunks, chunk) = mpsc::channel::<Chunk>();
        let chunk = Arc::new(Mutex::new(chunk));
        let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        for number in 0..threads {
            let chunk = Arc::clone(&chunk);
            thread::Builder::new()
                .name(format!("verifier-{number}"))
                .spawn(move || {
                    let mut verifier = Verifier::new(CACHED_KEYS);
                    loop {
                        let next = chunk.lock().unwrap_or_else(PoisonError::into_inner).recv();
                        let Ok(Chunk {
                            txns,
                            verdicts,
                            place,
                        }) = next
                        else {
                            return;
                        };
                        let verify = |txn| {
                            VerifiedTransaction::verify(txn, &genesis, max_data, &mut verifier)
                        };
                        // A caller that has gone away does not want the answer.
                        let _ = verdicts.send(txns.into_iter().map(verify).collect());
                        drop(place);
                    }
                })?;
        }
        Ok(Self {
            chunks,
            places: Arc::new(Semaphore::new(WAITING_CHUNKS)),
        })
    }

    /// Checks transactions; the verdicts come in the same order. `None` when the
    /// threads have ended.
    pub(crate) async fn verify(&self, txns: Vec<Transaction>) -> Option<Vec<Verdict>> {
        let mut answers = Vec::with_capacity(txns.len().div_ceil(CHUNK));
        let mut txns = txns.into_iter();
        loop {
            let txns: Vec<_> = txns.by_ref().take(CHUNK).collect();
            if txns.is_empty() {
                break;
            }
            let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
            let (verdicts, answer) = oneshot::channel();
            self.chunks
                .send(Chunk {
                    txns,
                    verdicts,
                    place,
                })
                .ok()?;
            answers.push(answer);
        }
        let mut verdicts = Vec::new();
        for answer in answers {
            verdicts.extend(answer.await.ok()?);
        }
        Some(verdicts)
    }
}
