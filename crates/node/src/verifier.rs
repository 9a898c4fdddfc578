//! The verifier threads: signatures are checked here, on all cores, off the chain's
//! thread. Each thread keeps its own cache of parsed keys.

use crate::{
    NodeError, checked_signatures::CheckedSignatures, lane_watch::WatchedLanes, metrics::Metrics,
};
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

/// Transactions that are judged together: the lanes' eight, so that a sender who is hung up on
/// at the first that is not valid costs at most seven more.
const GROUP: usize = 8;

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
    pub(crate) fn spawn(
        genesis: &Genesis,
        lanes: &WatchedLanes,
        metrics: &Metrics,
    ) -> Result<Self, NodeError> {
        let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::with_threads(genesis, "verifier", threads, lanes, metrics)
    }

    /// Starts so many threads.
    pub(crate) fn with_threads(
        genesis: &Genesis,
        name: &str,
        threads: usize,
        lanes: &WatchedLanes,
        metrics: &Metrics,
    ) -> Result<Self, NodeError> {
        let (jobs, job) = mpsc::channel::<Job>();
        let job = Arc::new(Mutex::new(job));
        for number in 0..threads {
            let job = Arc::clone(&job);
            let (seconds, lanes) = (metrics.verify.clone(), lanes.clone());
            thread::Builder::new()
                .name(format!("{name}-{number}"))
                .spawn(move || {
                    let mut verifier = Verifier::with_lanes(CACHED_KEYS, lanes.lanes);
                    loop {
                        let next = job.lock().unwrap_or_else(PoisonError::into_inner).recv();
                        let Ok((work, place)) = next else { return };
                        Metrics::time(&seconds, || work(&mut verifier));
                        drop(place);
                        if let Some(fault) = verifier.lane_fault() {
                            lanes.report(fault);
                        }
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
                let mut chunk = chunk.into_iter();
                while !chunk.as_slice().is_empty() && verdicts.iter().all(goes_on) {
                    let group: Vec<_> = chunk.by_ref().take(GROUP).collect();
                    verdicts.extend(this.verdicts(group, verifier));
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

    /// Verdicts in the order of the transactions; those that were refused before are not
    /// verified again.
    fn verdicts(&self, txns: Vec<Transaction>, verifier: &mut Verifier) -> Vec<Verdict> {
        let found = |txn: &Transaction| self.checked.find(&txn.id(&self.genesis), txn);
        let found: Vec<_> = txns.iter().map(found).collect();
        let new = txns.iter().zip(&found).filter(|(_, found)| found.is_none());
        let new = new.map(|(txn, _)| txn.clone());
        let new = VerifiedTransaction::verify_many(new, &self.genesis, self.max_data, verifier);
        let mut new = new.into_iter();
        let verdict = |(txn, found): (Transaction, Option<Result<(), TransactionError>>)| {
            let verdict = match found {
                Some(Ok(())) => Ok(VerifiedTransaction::already_verified(txn, &self.genesis)),
                Some(Err(error)) => Err(error),
                None => {
                    let verdict = new.next()?;
                    if let Err(error) = &verdict {
                        let id = txn.id(&self.genesis);
                        self.checked.remember(&id, &txn, Err(error.clone()));
                    }
                    verdict
                }
            };
            Some(verdict)
        };
        txns.into_iter().zip(found).filter_map(verdict).collect()
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
    use ccoin_crypto::{Lanes, SecretKey, Signature, SignatureError};

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
        let mut verdict = |txn| pool.verdicts(vec![txn], &mut verifier).pop().unwrap();
        let first = verdict(bad.clone());
        assert!(matches!(first, Err(TransactionError::Signature { .. })));
        let id = bad.id(&BlockId::ZERO);
        assert_eq!(pool.checked.find(&id, &bad), Some(Err(first.unwrap_err())));
        // the pool has refused this one, which no check would let through
        let forged = VerifiedTransaction::already_verified(bad.clone(), &BlockId::ZERO);
        pool.remember_refused(&forged);
        assert!(verdict(bad).is_ok());
        assert!(verdict(good.clone()).is_ok());
        let source = SignatureError::Mismatch;
        let refused = TransactionError::Signature { id, source };
        pool.checked.remember(&id, &good, Err(refused.clone()));
        let verdict = verdict(good);
        assert_eq!(verdict.unwrap_err(), refused);
    }

    #[test]
    fn verdicts_keep_the_order_beside_refused_ones_with_and_without_lanes() {
        let good: Vec<_> = (0..3).map(|_| payment()).collect();
        let bad = Transaction {
            signature: Signature::new(&[1; 256]).unwrap(),
            ..good[0].clone()
        };
        let long = Transaction {
            data: "longer than ten bytes".into(),
            ..good[1].clone()
        };
        let txns: Vec<_> = [
            &long, &good[0], &bad, &good[1], &good[2], &bad, &good[0], &long, &good[1],
        ]
        .map(Clone::clone)
        .into();
        for lanes in [Lanes::off(), Lanes::detect()] {
            let (pool, mut verifier) = (pool(BlockId::ZERO), Verifier::with_lanes(1, lanes));
            for round in 0..2 {
                let verdicts = pool.verdicts(txns.clone(), &mut verifier);
                assert_eq!(verdicts.len(), txns.len(), "round {round}");
                for (verdict, txn) in verdicts.iter().zip(&txns) {
                    match verdict {
                        Ok(verified) => assert!(**verified == *txn && good.contains(txn)),
                        Err(TransactionError::Data { .. }) => assert_eq!(*txn, long),
                        Err(TransactionError::Signature { .. }) => assert_eq!(*txn, bad),
                    }
                }
            }
        }
    }
}
