//! From bytes of a peer to values that the machine may take: parsed, and every signature
//! checked on the verifier threads. Transactions that this node has verified before are not
//! verified again.

use super::outbound::SharedGossip;
use crate::{tx_status::TxTracker, verifier::VerifierPool, view::View};
use bytes::Bytes;
use ccoin_core::{
    Address, BlockId, TxId,
    block::{Block, SealedBlock, VerifiedBlock},
    consensus::{ConsensusError, vote::VoteError},
    genesis::Genesis,
    message::{BlockAnswer, Message, MessageError},
    rules::{BlockError, check_body, check_header, check_headers},
    transaction::{Transaction, TransactionError, VerifiedTransaction},
};
use ccoin_crypto::{PublicKey, Verifier};
use std::sync::Arc;

/// Bytes of blocks that one verifier thread checks before another may help.
const PORTION: usize = 64 << 10;

/// Why bytes of a peer are not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    /// They are not a message.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// A block breaks a rule that needs no chain.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// A transaction is not valid.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// A vote, certificate or proof of a fault is not valid.
    #[error(transparent)]
    Consensus(#[from] ConsensusError),
    /// The miner's key is not known yet: no peer is to blame.
    #[error("the key of miner {0} is not known yet")]
    Key(Address),
    /// The node is ending.
    #[error("the node is stopping")]
    Stopping,
}

impl CheckError {
    /// A vote came before the key of its miner: nobody is to blame (M5).
    pub(crate) fn is_unknown_key(&self) -> bool {
        matches!(
            self,
            Self::Consensus(ConsensusError::Vote(VoteError::Key(_)))
        )
    }
}

/// Checks what peers send.
#[derive(Clone)]
pub(crate) struct Checker {
    pub(crate) genesis: Arc<Genesis>,
    pub(crate) verifiers: VerifierPool,
    pub(crate) gossip: SharedGossip,
    pub(crate) tx_tracker: Arc<TxTracker>,
}

/// Transactions in their order: verified ones, and the places of those that are not.
type Sorted = (Vec<Option<VerifiedTransaction>>, Vec<Transaction>);

impl Checker {
    /// The body of a `TXN`. What is in a block already, as of `view`, is left out
    /// unchecked: it could be sent again and again at no cost.
    pub(crate) async fn transactions(
        &self,
        body: Bytes,
        view: &Arc<View>,
    ) -> Result<Vec<VerifiedTransaction>, CheckError> {
        let (this, view) = (self.clone(), Arc::clone(view));
        let parse = move |_: &mut Verifier| match Message::decode(*b"TXN", &body)? {
            Message::Transactions(mut txns) => {
                let state = &view.head().applied.state;
                txns.retain(|txn| txn.number > state.account(&txn.from.address()).nonce);
                Ok(this.sort(&this.ids(&txns), txns))
            }
            _ => Ok::<Sorted, CheckError>(Sorted::default()),
        };
        let sorted = self.on_a_thread(parse).await??;
        self.verify_rest(sorted).await
    }

    /// The body of a `BLK`: rules 1 to 7, and all transactions.
    pub(crate) async fn block(&self, body: Bytes) -> Result<VerifiedBlock, CheckError> {
        let (this, bytes) = (self.clone(), body.clone());
        let parse = move |verifier: &mut Verifier| {
            let block = parse_block(&body)?;
            let (id, ids) = this.check(&block, verifier)?;
            let sorted = this.sort(&ids, block.transactions);
            Ok::<_, CheckError>((id, block.signed, sorted))
        };
        let (id, signed, sorted) = self.on_a_thread(parse).await??;
        let transactions = self.verify_rest(sorted).await?;
        let block = SealedBlock {
            id,
            signed,
            transactions,
        };
        Ok(VerifiedBlock::from_wire(block, bytes))
    }

    /// The blocks of an `ABL`, in portions on all cores.
    pub(crate) async fn blocks(
        &self,
        answer: BlockAnswer,
    ) -> Result<Vec<VerifiedBlock>, CheckError> {
        let mut portions = Vec::new();
        let blocks = answer.blocks.into_iter();
        let mut blocks = blocks.map(|block| Bytes::from(block.into_vec()));
        loop {
            let (mut portion, mut bytes) = (Vec::<Bytes>::new(), 0);
            while bytes < PORTION
                && let Some(block) = blocks.next()
            {
                bytes += block.len();
                portion.push(block);
            }
            if portion.is_empty() {
                break;
            }
            let this = self.clone();
            let check = move |verifier: &mut Verifier| -> Result<Vec<VerifiedBlock>, CheckError> {
                this.whole_blocks(portion, verifier)
            };
            let answer = self.verifiers.run(check).await;
            portions.push(answer.ok_or(CheckError::Stopping)?);
        }
        let mut checked = Vec::new();
        for portion in portions {
            checked.extend(portion.await.map_err(|_| CheckError::Stopping)??);
        }
        Ok(checked)
    }

    async fn on_a_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Verifier) -> T + Send + 'static,
    ) -> Result<T, CheckError> {
        let answer = self.verifiers.run(work).await.ok_or(CheckError::Stopping)?;
        answer.await.map_err(|_| CheckError::Stopping)
    }

    /// Blocks of which the first fault in their order decides. The signatures of all headers
    /// are judged together, then those of all transactions.
    fn whole_blocks(
        &self,
        portion: Vec<Bytes>,
        verifier: &mut Verifier,
    ) -> Result<Vec<VerifiedBlock>, CheckError> {
        let mut read = Vec::with_capacity(portion.len());
        let reading = portion.into_iter().map(|bytes| {
            let block = parse_block(&bytes)?;
            let key = self.key_of(&block)?;
            read.push((bytes, block, key));
            Ok(())
        });
        let mut fault = reading.into_iter().find_map(Result::err);
        let headers = read.iter().map(|(_, block, key)| (&block.signed, key));
        let headers: Vec<_> = headers.collect();
        let ids = check_headers(&headers, &self.genesis, verifier);
        let mut begun = Vec::with_capacity(read.len());
        let mut rest = Vec::new();
        for ((bytes, block, _), id) in read.into_iter().zip(ids) {
            match id.and_then(|id| Ok((id, self.check_body(&block)?))) {
                Ok((id, ids)) => {
                    let (places, new) = self.sort(&ids, block.transactions);
                    rest.extend(new);
                    begun.push((bytes, id, block.signed, places));
                }
                Err(error) => {
                    fault = Some(error.into());
                    break;
                }
            }
        }
        let genesis = &self.genesis.id;
        let verified = VerifiedTransaction::verify_many(rest, genesis, self.max_data(), verifier);
        let mut verified = verified.into_iter();
        let mut blocks = Vec::with_capacity(begun.len());
        for (bytes, id, signed, mut places) in begun {
            for place in places.iter_mut().filter(|place| place.is_none()) {
                *place = verified.next().transpose()?;
            }
            let transactions = places.into_iter().flatten().collect();
            let block = SealedBlock {
                id,
                signed,
                transactions,
            };
            blocks.push(VerifiedBlock::from_wire(block, bytes));
        }
        fault.map_or(Ok(blocks), Err)
    }

    /// Header and body before any signature of a transaction: the ids of the block and of
    /// its transactions.
    fn check(
        &self,
        block: &Block,
        verifier: &mut Verifier,
    ) -> Result<(BlockId, Vec<TxId>), CheckError> {
        let key = self.key_of(block)?;
        let id = check_header(&block.signed, &self.genesis, &key, verifier)?;
        Ok((id, self.check_body(block)?))
    }

    /// The key of a block's miner.
    fn key_of(&self, block: &Block) -> Result<PublicKey, CheckError> {
        let miner = block.signed.header.coinbase;
        // Only a listed miner's key can be missing: for other signers the turn decides.
        let known = self.gossip.lock().keys.get(&miner).cloned();
        match known {
            Some(key) => Ok(key),
            None if self.genesis.config.miners.contains(&miner) => Err(CheckError::Key(miner)),
            None => {
                let (got, expected) = (miner, Address::ZERO);
                Err(BlockError::Turn { got, expected }.into())
            }
        }
    }

    /// The ids of the transactions of a block, if the header was made for them.
    fn check_body(&self, block: &Block) -> Result<Vec<TxId>, BlockError> {
        let ids = self.ids(&block.transactions);
        check_body(&block.signed.header, ids.iter().copied())?;
        Ok(ids)
    }

    fn ids(&self, txns: &[Transaction]) -> Vec<TxId> {
        txns.iter().map(|txn| txn.id(&self.genesis.id)).collect()
    }

    /// Tells what is verified already from what is not.
    fn sort(&self, ids: &[TxId], txns: Vec<Transaction>) -> Sorted {
        let known = self.tx_tracker.verified(ids);
        let mut rest = Vec::new();
        let places = txns
            .into_iter()
            .zip(known)
            .map(|(txn, known)| {
                // The id does not cover the signature.
                let same = known.filter(|known| known.signature == txn.signature);
                if same.is_none() {
                    rest.push(txn);
                }
                same
            })
            .collect();
        (places, rest)
    }

    async fn verify_rest(&self, sorted: Sorted) -> Result<Vec<VerifiedTransaction>, CheckError> {
        let (mut places, rest) = sorted;
        let verified = self.verifiers.verify_all(rest).await;
        let mut verified = verified.ok_or(CheckError::Stopping)??.into_iter();
        for place in places.iter_mut().filter(|place| place.is_none()) {
            *place = verified.next();
        }
        Ok(places.into_iter().flatten().collect())
    }

    fn max_data(&self) -> usize {
        self.genesis.config.transaction.max_data_bytes as usize
    }
}

fn parse_block(bytes: &[u8]) -> Result<Block, CheckError> {
    let header = *b"BLK";
    Ok(Block::decode(bytes).map_err(|source| MessageError::Body { header, source })?)
}
