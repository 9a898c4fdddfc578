//! What the API and other callers hold: submit, pay, read.

use crate::{
    chain_thread::{Batch, ChainHandle, Event},
    clock,
    metrics::Metrics,
    peers::outbound::SharedGossip,
    reader::ChainReader,
    receipts::ReceiptLimits,
    tx_status::{TxStatus, TxTracker},
    verifier::VerifierPool,
    view::View,
};
use ccoin_core::{
    AccountNonce, Address, Amount,
    genesis::Genesis,
    gossip::MinerKeys,
    ledger::Account,
    machine::{Hindrance, Input, Machine, MinerVotes, PlaceholderText, Voting, Why},
    pool::{Accepted, PoolError},
    transaction::{Payment, Transaction, TransactionError, VerifiedTransaction},
};
use ccoin_crypto::{KeySigner, SignError};
use ccoin_p2p::{Network, PeerInfo};
use std::sync::Arc;
use tokio::sync::{Mutex, oneshot, watch};

/// Why a transaction is not taken.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SubmitError {
    /// It is not valid.
    #[error(transparent)]
    Invalid(#[from] TransactionError),
    /// It is valid, but cannot wait here.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The node does not know the newest number of its account: it would sign an old one.
    #[error("this node is {0}: it signs nothing before it has caught up")]
    Behind(Hindrance),
    /// The program that holds the node's key does not sign now.
    #[error(transparent)]
    NotSigned(#[from] SignError),
    /// The node is ending.
    #[error("the node is stopping")]
    Stopping,
}

/// A running node.
#[derive(Clone)]
pub struct NodeHandle {
    pub(crate) genesis: Arc<Genesis>,
    pub(crate) key: Arc<dyn KeySigner>,
    pub(crate) chain: ChainHandle,
    pub(crate) verifiers: VerifierPool,
    pub(crate) view: watch::Receiver<Arc<View>>,
    pub(crate) reader: ChainReader,
    /// Text for payments without data. Locked while one is made: the next number is
    /// known when the last payment is on disk.
    pub(crate) wallet: Arc<Mutex<PlaceholderText>>,
    pub(crate) validator: bool,
    pub(crate) by_hand: bool,
    pub(crate) network: Option<Network>,
    pub(crate) gossip: SharedGossip,
    pub(crate) receipt_limits: ReceiptLimits,
    pub(crate) metrics: Arc<Metrics>,
}

impl NodeHandle {
    /// The rules of the network.
    #[must_use]
    pub fn genesis(&self) -> &Arc<Genesis> {
        &self.genesis
    }

    /// This node's account.
    #[must_use]
    pub fn address(&self) -> Address {
        self.key.public_key().address()
    }

    /// Whether it makes blocks.
    #[must_use]
    pub fn is_validator(&self) -> bool {
        self.validator
    }

    /// Whether blocks are made only for [`NodeHandle::make_block`].
    #[must_use]
    pub fn is_by_hand(&self) -> bool {
        self.by_hand
    }

    /// Asks for one block, made as soon as the rules allow it; without effect unless
    /// [`NodeHandle::is_by_hand`].
    pub async fn make_block(&self) {
        // It fails when the node is ending.
        self.chain.input(Input::MakeBlock).await;
    }

    /// The connected peers.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerInfo> {
        self.network.iter().flat_map(Network::peers).collect()
    }

    /// The miners' public keys that this node has seen.
    #[must_use]
    pub fn miner_keys(&self) -> MinerKeys {
        self.gossip.lock().keys.clone()
    }

    /// The node as of its last durable step.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }

    /// Follows the view: changes with every block and every accepted batch.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<View>> {
        self.view.clone()
    }

    /// Blocks, transactions and accounts, recent and old.
    #[must_use]
    pub fn reader(&self) -> &ChainReader {
        &self.reader
    }

    /// Transactions in memory.
    #[must_use]
    pub fn tx_tracker(&self) -> &TxTracker {
        &self.reader.tx_tracker
    }

    /// Figures for Prometheus, as text of its format 0.0.4.
    #[must_use]
    pub fn metrics(&self) -> String {
        let traffic = self.network.iter().flat_map(Network::traffic);
        self.metrics.render(self, &traffic.collect::<Vec<_>>())
    }

    /// Verifies transactions and puts them into the pool, each judged by itself.
    /// When this returns, the accepted ones are on disk. A transaction that is
    /// already waiting or in a block is accepted again.
    pub async fn submit(
        &self,
        txns: Vec<Transaction>,
    ) -> Vec<Result<VerifiedTransaction, SubmitError>> {
        let count = txns.len();
        self.submit_all(txns)
            .await
            .unwrap_or_else(|| vec![Err(SubmitError::Stopping); count])
    }

    async fn submit_all(
        &self,
        txns: Vec<Transaction>,
    ) -> Option<Vec<Result<VerifiedTransaction, SubmitError>>> {
        let mut verdicts: Vec<Result<VerifiedTransaction, SubmitError>> = self
            .verifiers
            .verify(txns)
            .await?
            .into_iter()
            .map(|verdict| verdict.map_err(SubmitError::Invalid))
            .collect();
        let txns: Vec<_> = verdicts.iter().flatten().cloned().collect();
        let (results, answer) = oneshot::channel();
        let batch = Batch {
            txns,
            from: None,
            results,
        };
        self.chain.batches.send(batch).await.ok()?;
        let mut results = answer.await.ok()?.into_iter();
        for verdict in &mut verdicts {
            let Ok(txn) = verdict else { continue };
            if let Err(error) = results.next()? {
                self.verifiers.remember_refused(txn);
                let included =
                    matches!(error, PoolError::NumberUsed { .. }) && self.is_included(txn).await;
                if !included {
                    *verdict = Err(error.into());
                }
            }
        }
        Some(verdicts)
    }

    async fn is_included(&self, txn: &VerifiedTransaction) -> bool {
        let found = self.reader.transaction(*txn.id()).await;
        matches!(found, Ok(Some((_, TxStatus::Included { .. }))))
    }

    /// Pays from this node's account: signs the next number with the node's key.
    /// A refused payment uses up no number.
    ///
    /// # Errors
    /// [`SubmitError`] as for any transaction.
    pub async fn pay(
        &self,
        to: Address,
        amount: Amount,
        data: Option<String>,
    ) -> Result<VerifiedTransaction, SubmitError> {
        let mut placeholder = self.wallet.lock().await;
        let data = data.unwrap_or_else(|| placeholder.draw());
        let max = self.genesis.config.transaction.max_data_bytes as usize;
        if data.len() > max {
            return Err(TransactionError::Data {
                got: data.len(),
                max,
            }
            .into());
        }
        let behind = |hindrance: &&Hindrance| matches!(hindrance, Hindrance::Behind { .. });
        if let Some(behind) = self.view().hindrances.iter().find(behind) {
            return Err(SubmitError::Behind(behind.clone()));
        }
        let sender = self.address();
        let next = self
            .ask(move |machine| {
                let account = machine.accounts().account(&sender);
                machine.pool().next_number(&sender, account)
            })
            .await
            .ok_or(SubmitError::Stopping)?;
        let number = AccountNonce::new(next).map_err(|_| SubmitError::Stopping)?;
        let payment = Payment {
            number,
            to,
            amount,
            data,
            time: clock::wall(),
        };
        let (key, genesis) = (Arc::clone(&self.key), self.genesis.id);
        let sign = move || Transaction::sign(payment, &*key, &genesis);
        let signed = tokio::task::spawn_blocking(sign).await;
        let txn = signed.map_err(|_| SubmitError::Stopping)??;
        self.submit(vec![txn])
            .await
            .pop()
            .unwrap_or(Err(SubmitError::Stopping))
    }

    /// Whether a transaction would be taken now, without taking it.
    ///
    /// # Errors
    /// [`SubmitError`] if it would not, or if the node is ending.
    pub async fn check(&self, txn: Transaction) -> Result<Accepted, SubmitError> {
        let verdict = self
            .verifiers
            .verify(vec![txn])
            .await
            .and_then(|mut verdicts| verdicts.pop());
        let txn = verdict.ok_or(SubmitError::Stopping)??;
        let judge = move |machine: &Machine| {
            let account = machine.accounts().account(&txn.sender());
            machine.pool().judge(clock::wall(), account, &txn)
        };
        Ok(self.ask(judge).await.ok_or(SubmitError::Stopping)??)
    }

    /// An account as of the head, and the number that its next transaction must carry.
    #[must_use]
    pub fn account(&self, address: &Address) -> AccountNow {
        let view = self.view();
        let account = view.head().applied.state.account(address);
        let (pending, next_number) = self.tx_tracker().waiting_of(address, account.nonce);
        AccountNow {
            account,
            next_number,
            pending,
            view,
        }
    }

    /// Why no block is made or none becomes final, and what each validator does for finality;
    /// `None` when the node is stopping.
    pub async fn why(&self) -> Option<(Why, Vec<(Address, Voting)>)> {
        self.ask(|machine| {
            let now = clock::now();
            (machine.why(now), machine.voting(now))
        })
        .await
    }

    /// What this node knows of each miner; `None` when the node is stopping.
    pub async fn miners(&self) -> Option<Vec<MinerVotes>> {
        self.ask(|machine| machine.miners(clock::now())).await
    }

    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Machine) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let question = Box::new(move |machine: &Machine| {
            // The caller may have gone away.
            let _ = answer.send(question(machine));
        });
        self.chain.events.send(Event::Ask(question)).await.ok()?;
        answered.await.ok()
    }
}

/// An account with its waiting transactions.
#[derive(Clone, Debug)]
pub struct AccountNow {
    /// As of the head.
    pub account: Account,
    /// Nonce plus the waiting ones without a gap plus one.
    pub next_number: u64,
    /// Waiting transactions, gaps included.
    pub pending: usize,
    /// Whose head it is.
    pub view: Arc<View>,
}
