//! The verifier threads: signatures are checked here, on all cores, off the chain's
//! thread. Each thread keeps its own cache of parsed keys.

use crate::{NodeError, checked_signatures::CheckedSignatures, metrics::Metrics};
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
    checked: Arc<CheckedSignatures>,
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
            checked: Arc::default(),
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
        self.verify_while(txns, |_| true).await
    }

    /// Checks the transactions of one message; each of its parts ends at the first that is
    /// not valid, because its sender is hung up on.
    ///
    /// # Errors
    /// The first verdict of that kind.
    pub(crate) async fn verify_all(
        &self,
        txns: Vec<Transaction>,
    ) -> Option<Result<Vec<VerifiedTransaction>, TransactionError>> {
        let verdicts = self.verify_while(txns, Result::is_ok).await?;
        Some(verdicts.into_iter().collect())
    }

    async fn verify_while(
        &self,
        txns: Vec<Transaction>,
        goes_on: fn(&Verdict) -> bool,
    ) -> Option<Vec<Verdict>> {
        let mut answers = Vec::with_capacity(txns.len().div_ceil(CHUNK));
        let mut txns = txns.into_iter();
        loop {
            let chunk: Vec<_> = txns.by_ref().take(CHUNK).collect();
            if chunk.is_empty() {
                break;
            }
            let this = self.clone();
            let check = move |verifier: &mut Verifier| -> Vec<Verdict> {
                let mut verdicts = Vec::with_capacity(chunk.len());
                for txn in chunk {
                    verdicts.push(this.verdict(txn, verifier));
                    if !verdicts.last().is_some_and(goes_on) {
                        break;
                    }
                }
                verdicts
            };
            answers.push(self.run(check).await?);
        }
        let mut verdicts = Vec::new();
        for answer in answers {
            verdicts.extend(answer.await.ok()?);
        }
        Some(verdicts)
    }

    fn verdict(&self, txn: Transaction, verifier: &mut Verifier) -> Verdict {
        let id = txn.id(&self.genesis);
        match self.checked.find(&id, &txn) {
            Some(Ok(())) => {
                return Ok(VerifiedTransaction::already_verified(txn, &self.genesis));
            }
            Some(Err(error)) => return Err(error),
            None => {}
        }
        let verified =
            VerifiedTransaction::verify(txn.clone(), &self.genesis, self.max_data, verifier);
        if let Err(error) = &verified {
            self.checked.remember(&id, &txn, Err(error.clone()));
        }
        verified
    }

    /// Remembers that the signature of a transaction fits which the pool has refused.
    pub(crate) fn remember_refused(&self, txn: &VerifiedTransaction) {
        self.checked.remember(txn.id(), txn, Ok(()));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use ccoin_core::{AccountNonce, Address, Amount, Timestamp, transaction::Payment};
    use ccoin_crypto::{SecretKey, Signature, SignatureError};

    fn pool(genesis: BlockId) -> VerifierPool {
        VerifierPool {
            genesis,
            max_data: 10,
            jobs: mpsc::channel().0,
            checked: Arc::default(),
            places: Arc::new(Semaphore::new(1)),
        }
    }

    pub(crate) fn payment() -> Transaction {
        let payment = Payment {
            number: AccountNonce::new(1).unwrap(),
            to: Address::ZERO,
            amount: Amount::ZERO,
            data: String::new(),
            time: Timestamp::ZERO,
        };
        let key = SecretKey::generate(2048).unwrap();
        Transaction::sign(payment, &key, &BlockId::ZERO).unwrap()
    }

    /// Verdicts that no check would come to show that no signature is checked again.
    #[test]
    fn a_refused_transaction_is_not_verified_again() {
        let (pool, mut verifier) = (pool(BlockId::ZERO), Verifier::new(1));
        let good = payment();
        let bad = Transaction {
            signature: Signature::new(&[1; 256]).unwrap(),
            ..good.clone()
        };
        let first = pool.verdict(bad.clone(), &mut verifier);
        assert!(matches!(first, Err(TransactionError::Signature { .. })));
        let id = bad.id(&BlockId::ZERO);
        assert_eq!(pool.checked.find(&id, &bad), Some(Err(first.unwrap_err())));
        // the pool has refused this one, which no check would let through
        let forged = VerifiedTransaction::already_verified(bad.clone(), &BlockId::ZERO);
        pool.remember_refused(&forged);
        assert!(pool.verdict(bad, &mut verifier).is_ok());
        assert!(pool.verdict(good.clone(), &mut verifier).is_ok());
        let source = SignatureError::Mismatch;
        let refused = TransactionError::Signature { id, source };
        pool.checked.remember(&id, &good, Err(refused.clone()));
        let verdict = pool.verdict(good, &mut verifier);
        assert_eq!(verdict.unwrap_err(), refused);
    }
}
