//! Receipts of final blocks: headers and certificate from the block log, states from memory or
//! from the index. Checks nothing again and keeps nothing.

use crate::{certified_headers::scan, handle::NodeHandle, reader::ReadError, tx_status::TxStatus};
use ccoin_core::{
    Address, BlockId, Height, TxId,
    ledger::State,
    receipt::{BuildError, CertifiedHeaders, MAX_HEADERS, Receipt},
};
use ccoin_storage::LogReader;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Receipts that read the log at the same time; more wait.
const SCANS: usize = 2;

/// Accounts that the index is asked for at a time.
const PAGE: usize = 1_000;

/// Why there is no receipt.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// No such transaction.
    #[error("there is no transaction {0}")]
    NoTransaction(TxId),
    /// It will never be in a block.
    #[error("transaction {id} was dropped: {reason}")]
    Dropped {
        /// The transaction.
        id: TxId,
        /// Why it was dropped.
        reason: String,
    },
    /// No such block.
    #[error("there is no block {0}")]
    NoBlock(Height),
    /// The transaction waits for a block.
    #[error("transaction {0} is in no block yet")]
    Pending(TxId),
    /// Its block can still be undone.
    #[error("block {number} is not final yet, block {last_final} is")]
    NotFinal {
        /// The block in question.
        number: Height,
        /// The final block.
        last_final: Height,
    },
    /// This node has seen no certificate near enough above the block.
    #[error("this node knows no certificate within {MAX_HEADERS} blocks above block {0}")]
    TooFar(Height),
    /// Another receipt of an old state is being made.
    #[error("an old state is being rebuilt for another request")]
    Busy,
    /// A part is missing here.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The chain cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// How much is done at the same time.
#[derive(Clone)]
pub(crate) struct ReceiptLimits {
    scans: Arc<Semaphore>,
    rebuilds: Arc<Semaphore>,
}

impl Default for ReceiptLimits {
    fn default() -> Self {
        Self {
            scans: Arc::new(Semaphore::new(SCANS)),
            rebuilds: Arc::new(Semaphore::new(1)),
        }
    }
}

impl NodeHandle {
    /// The receipt of a transaction in a final block.
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub async fn transaction_receipt(&self, id: TxId) -> Result<Receipt, ReceiptError> {
        let found = self.reader().transaction(id).await?;
        let (height, index) = match found {
            None => return Err(ReceiptError::NoTransaction(id)),
            Some((_, TxStatus::Pending)) => return Err(ReceiptError::Pending(id)),
            Some((_, TxStatus::Dropped(reason))) => {
                return Err(ReceiptError::Dropped { id, reason });
            }
            Some((_, TxStatus::Included { height, index, .. })) => (height, index),
        };
        self.check_final(height)?;
        let block = self.reader().block(height).await?;
        let block = block.ok_or(ReceiptError::NoBlock(height))?;
        let certified = self.certified(height, block.id).await?;
        let keys = self.gossip.lock().keys.by_index();
        let genesis = self.genesis();
        Ok(Receipt::of_transaction(
            genesis, &block, index, &certified, &keys,
        )?)
    }

    /// The receipt of an account as of a final block; without a number, as of the newest.
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub async fn account_receipt(
        &self,
        address: Address,
        at: Option<Height>,
    ) -> Result<Receipt, ReceiptError> {
        let number = at.unwrap_or_else(|| self.view().last_final());
        self.check_final(number)?;
        let block = self.reader().block(number).await?;
        let block = block.ok_or(ReceiptError::NoBlock(number))?;
        let certified = self.certified(number, block.id).await?;
        let state = match self.state_in_memory(number).await {
            Some(state) => state,
            None => self.old_state(number).await?,
        };
        if state.root() != block.header().hash_state {
            return Err(ReadError::Mismatch(0).into());
        }
        let keys = self.gossip.lock().keys.by_index();
        let genesis = self.genesis();
        Ok(Receipt::of_account(
            genesis, &state, address, &certified, &keys,
        )?)
    }

    /// Block 1 is final from the start, but only votes prove that to others.
    fn check_final(&self, number: Height) -> Result<(), ReceiptError> {
        let view = self.view();
        let last_final = view.last_final();
        if number == Height::ZERO || number > view.height() {
            return Err(ReceiptError::NoBlock(number));
        }
        if number > last_final || last_final == Height::GENESIS {
            return Err(ReceiptError::NotFinal { number, last_final });
        }
        Ok(())
    }

    /// The headers from a final block up to the first that a certificate names.
    async fn certified(
        &self,
        number: Height,
        id: BlockId,
    ) -> Result<CertifiedHeaders, ReceiptError> {
        let from = self.reader().position(number, &id).await?;
        let from = from.ok_or(ReceiptError::NoBlock(number))?;
        let newest = self.view().last_final.certificate.clone();
        let genesis = Arc::clone(self.genesis());
        let permit = Arc::clone(&self.receipt_limits.scans);
        let permit = permit.acquire_owned().await;
        let read = move |log: &LogReader| {
            // It is given back when the scan has ended, not when the caller goes away.
            let _permit = permit;
            scan(log, &genesis, from, id, newest)
        };
        let found = self.reader().log_read(read).await?;
        found.ok_or(ReceiptError::TooFar(number))
    }

    async fn state_in_memory(&self, number: Height) -> Option<State> {
        if let Some(recent) = self.view().at(number) {
            return Some(recent.applied.state.clone());
        }
        self.ask(move |machine| {
            let canonical = machine.chain().canonical();
            let first = canonical.front()?.block.header().number;
            let index = usize::try_from(number.get().checked_sub(first.get())?).ok()?;
            canonical.get(index).map(|applied| applied.state.clone())
        })
        .await
        .flatten()
    }

    /// A state below the window, from the histories of all accounts, one at a time.
    async fn old_state(&self, number: Height) -> Result<State, ReceiptError> {
        let permit = self.receipt_limits.rebuilds.try_acquire();
        let _permit = permit.map_err(|_| ReceiptError::Busy)?;
        let (mut accounts, mut after) = (Vec::new(), None);
        loop {
            let (rows, next) = self.reader().accounts(number, after, PAGE, PAGE).await?;
            accounts.extend(rows);
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let build = tokio::task::spawn_blocking(|| State::from_accounts(accounts)).await;
        build.map_err(|_| ReadError::Behind(crate::IndexBehind).into())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{ChainPaths, Node, NodeSetup};
    use ccoin_core::Amount;
    use ccoin_crypto::{SecretKey, Verifier};
    use ccoin_sim::{Network, height, key, miner};
    use ccoin_storage::{ChainLock, VoteFile};
    use std::{path::Path, time::Duration};
    use tokio::time::timeout;

    /// Longest wait for something that takes milliseconds.
    const DEADLINE: Duration = Duration::from_secs(60);

    /// A node that makes blocks alone.
    pub(crate) fn start(place: &Path) -> Node {
        let chain = ChainPaths::new(place.join("chain"));
        std::fs::create_dir(&chain.root).unwrap();
        let network = Network {
            slot: 200,
            guard: 40,
            ..Network::ready(1)
        };
        let genesis = (*network.found()).clone();
        chain.create(&genesis).unwrap();
        let key = SecretKey::from_pem(&key(0).to_pem(None), None).unwrap();
        let setup = NodeSetup {
            lock: ChainLock::acquire(&chain.root).unwrap(),
            chain,
            genesis,
            key: Arc::new(key),
            signer_fault: None,
            votes: Some(VoteFile::create(&place.join("votes")).unwrap()),
            block_data: None,
            seeds: [[1; 32], [2; 32]],
            trusted_block: None,
            by_hand: false,
            reindex: false,
            peers: None,
            lanes: ccoin_crypto::Lanes::detect(),
        };
        Node::start(setup).unwrap()
    }

    #[tokio::test]
    async fn a_state_below_the_window_is_built_again_one_at_a_time() {
        let place = tempfile::tempdir().unwrap();
        let node = start(place.path());
        let handle = node.handle().clone();
        let mut view = handle.watch();
        let ready = view.wait_for(|view| view.hindrances.is_empty());
        drop(timeout(DEADLINE, ready).await.unwrap().unwrap());
        for number in 1..=4 {
            let amount = Amount::new(number).unwrap();
            handle.pay(miner(1), amount, None).await.unwrap();
            let last = view.wait_for(|view| view.last_final().get() > number);
            drop(timeout(DEADLINE, last).await.unwrap().unwrap());
        }
        for number in (1..=5).map(height) {
            let block = handle.reader().block(number).await.unwrap().unwrap();
            let state = handle.old_state(number).await.unwrap();
            assert_eq!(state.root(), block.header().hash_state);
            let receipt = handle
                .account_receipt(miner(1), Some(number))
                .await
                .unwrap();
            let verified = receipt.verify(&handle.genesis().id, None, &mut Verifier::new(1));
            assert_eq!(
                verified.unwrap().account.unwrap().1,
                state.account(&miner(1))
            );
        }
        let other = handle.receipt_limits.rebuilds.acquire().await.unwrap();
        let refused = handle.old_state(height(2)).await;
        assert!(matches!(refused, Err(ReceiptError::Busy)));
        drop(other);
        handle.old_state(height(2)).await.unwrap();
        drop((handle, view));
        // Stopping blocks, which a thread of a runtime must not.
        let stopped = std::thread::spawn(|| node.stop()).join();
        stopped.unwrap().unwrap();
    }
}
