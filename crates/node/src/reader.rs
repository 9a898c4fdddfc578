//! Reads: from memory where the view or the transaction tracker knows, else from index and
//! log, never through the chain thread.

use crate::{
    answer_certificate,
    index_handle::{IndexBehind, IndexHandle},
    read_thread::ReadThread,
    tx_status::{TxStatus, TxTracker},
    view::View,
};
use bytes::Bytes;
use ccoin_core::{
    BlockId, Hash, Height, TxId,
    block::{Block, SealedBlock},
    consensus::{
        certificate::{Certificate, VerifiedCertificate},
        vote::Phase,
    },
    genesis::Genesis,
    gossip::serve::{self, Canonical, Start},
    message::{BlockAnswer, BlockRequest},
    transaction::{Transaction, VerifiedTransaction},
};
use ccoin_crypto::PublicKey;
use ccoin_p2p::LogThrottle;
use ccoin_storage::{IndexError, LogReader, Position, StorageError};
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};

/// Why a read has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Try again soon.
    #[error(transparent)]
    Behind(#[from] IndexBehind),
    /// The log cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The log holds something else than the index says.
    #[error("the record at {0} is not what the index says: run cnode --reindex")]
    Mismatch(u64),
}

/// Start of an answer, encoded blocks, height of the head, and the certificate that goes with
/// the blocks.
type Found = ((Height, BlockId), Vec<Bytes>, Height, Option<Certificate>);

/// Reads of one node.
#[derive(Clone)]
pub struct ChainReader {
    pub(crate) genesis: Arc<Genesis>,
    pub(crate) view: watch::Receiver<Arc<View>>,
    pub(crate) tx_tracker: Arc<TxTracker>,
    pub(crate) index: IndexHandle,
    pub(crate) log: LogReader,
    pub(crate) log_throttle: Arc<LogThrottle>,
    pub(crate) reads: ReadThread,
    /// Whole states of old blocks are looked for one at a time.
    pub(crate) old_states: Arc<Semaphore>,
}

impl ChainReader {
    /// The block with this number on the head's branch.
    ///
    /// # Errors
    /// [`ReadError`] if it is not in memory and storage does not answer.
    pub async fn block(&self, number: Height) -> Result<Option<SealedBlock>, ReadError> {
        self.look_at(number, SealedBlock::clone).await
    }

    /// Where the record of a block of the head's branch stands.
    pub(crate) async fn position(
        &self,
        number: Height,
        id: &BlockId,
    ) -> Result<Option<Position>, ReadError> {
        let view = Arc::clone(&self.view.borrow());
        if let Some(recent) = view.at(number) {
            return Ok(Some(recent.position).filter(|_| recent.id() == *id));
        }
        let found = self
            .index
            .ask(number, move |index| index.block_at(number))
            .await?;
        let found = found.filter(|(indexed, _)| indexed == id);
        Ok(found.map(|(_, position)| position))
    }

    /// Number of a block of the head's branch.
    ///
    /// # Errors
    /// [`ReadError`] if it is not in memory and storage does not answer.
    pub async fn height_of(&self, id: BlockId) -> Result<Option<Height>, ReadError> {
        let view = Arc::clone(&self.view.borrow());
        if let Some(recent) = view.by_id(&id) {
            return Ok(Some(recent.header().number));
        }
        let settled = settled(&view);
        Ok(self
            .index
            .ask(settled, move |index| index.height_of(&id))
            .await?)
    }

    /// A transaction and what became of it.
    ///
    /// # Errors
    /// [`ReadError`] if it is not in memory and storage does not answer.
    pub async fn transaction(
        &self,
        id: TxId,
    ) -> Result<Option<(VerifiedTransaction, TxStatus)>, ReadError> {
        let known = self.tx_tracker.status(&id);
        if !matches!(known, None | Some((_, TxStatus::Dropped(_)))) {
            return Ok(known);
        }
        // A block may have taken it after all, long ago.
        Ok(self.stored_transaction(id).await?.or(known))
    }

    async fn stored_transaction(
        &self,
        id: TxId,
    ) -> Result<Option<(VerifiedTransaction, TxStatus)>, ReadError> {
        let settled = settled(&self.view.borrow());
        let find = move |index: &mut ccoin_storage::Index| -> Result<_, IndexError> {
            let Some(found) = index.txn(&id)? else {
                return Ok(None);
            };
            Ok(index
                .block_at(found.height)?
                .map(|(block, _)| (found, block)))
        };
        let Some((found, block)) = self.index.ask(settled, find).await? else {
            return Ok(None);
        };
        let bytes = self
            .log_read(move |log| log.read_range(found.position, found.offset, found.length))
            .await?;
        let max_data = self.genesis.config.transaction.max_data_bytes as usize;
        let txn = Transaction::decode(&bytes, max_data)
            .map(|txn| VerifiedTransaction::already_verified(txn, &self.genesis.id))
            .ok()
            .filter(|txn| *txn.id() == id)
            .ok_or(ReadError::Mismatch(found.position.0))?;
        let status = TxStatus::Included {
            height: found.height,
            block,
            index: found.index as usize,
        };
        Ok(Some((txn, status)))
    }

    /// Transactions in blocks that record a root of documents, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`ReadError`] if storage does not answer.
    pub async fn recorded(&self, root: Hash, limit: usize) -> Result<Vec<TxId>, ReadError> {
        let height = self.view.borrow().height();
        let find = move |index: &mut ccoin_storage::Index| index.documents(&root, limit);
        Ok(self.index.ask_slice(height, find).await?)
    }

    /// The answer to a request of a peer for blocks. There is always one, because the peer
    /// waits for it: without blocks if storage does not answer. At most `most` bytes of blocks,
    /// or one block.
    pub(crate) async fn serve(
        &self,
        request: BlockRequest,
        keys: Vec<PublicKey>,
        most: usize,
    ) -> BlockAnswer {
        let found = self
            .find_blocks(request, most)
            .await
            .unwrap_or_else(|error| {
                // The peer turns to others; the index catches up or the node ends.
                if self.log_throttle.allows("blocks", String::new()) {
                    tracing::warn!("cannot answer a peer's request for blocks: {error}");
                }
                None
            });
        let of_genesis = || (*VerifiedCertificate::genesis(Phase::Two, self.genesis.id)).clone();
        let nothing = || {
            (
                (Height::ZERO, BlockId::ZERO),
                Vec::new(),
                Height::ZERO,
                None,
            )
        };
        let (start, blocks, height, last_final) = found.unwrap_or_else(nothing);
        let further = (keys, last_final.unwrap_or_else(of_genesis));
        serve::answer(start, blocks, height, &self.genesis.id, further)
    }

    /// See [`Found`].
    async fn find_blocks(
        &self,
        request: BlockRequest,
        most: usize,
    ) -> Result<Option<Found>, ReadError> {
        let view = Arc::clone(&self.view.borrow());
        let in_memory = |number: Height| match view.at(number) {
            Some(recent) => Canonical::Block(recent.id()),
            None if number > settled(&view) => Canonical::Absent,
            None => Canonical::InStorage,
        };
        let start = match serve::find_start(&request.locator, in_memory) {
            Start::Behind(number, id) => (number, id),
            Start::Nowhere => return Ok(None),
            Start::AskStorage(pairs) => match self.find_stored(pairs, settled(&view)).await? {
                Some(start) => start,
                None => return Ok(None),
            },
        };
        let numbers = serve::numbers(start.0, view.height(), &request);
        let (recent, older): (Vec<_>, Vec<_>) =
            numbers.partition(|number| view.at(*number).is_some());
        let mut positions = Vec::new();
        if !older.is_empty() {
            let find = move |index: &mut ccoin_storage::Index| -> Result<Vec<_>, IndexError> {
                let found = older.into_iter().map(|number| index.block_at(number));
                found.collect::<Result<Vec<_>, _>>()
            };
            let found = self.index.ask(settled(&view), find).await?;
            positions.extend(found.into_iter().map_while(|found| found.map(|(_, at)| at)));
        }
        let recent = recent.into_iter().filter_map(|number| view.at(number));
        positions.extend(recent.map(|recent| recent.position));
        let (genesis, newest) = (self.genesis.id, view.last_final.certificate.clone());
        let read = move |log: &LogReader| {
            let blocks = positions.iter().map(|position| log.read(*position));
            let blocks = blocks.map(|read| read.map(|(_, bytes)| bytes.into()));
            let blocks = serve::take_blocks(blocks, most)?;
            let last = blocks.len().checked_sub(1).and_then(|at| positions.get(at));
            let last_final = match last {
                Some(last) => answer_certificate::find(log, &genesis, &blocks, *last, newest)?,
                None => None,
            };
            Ok((blocks, last_final))
        };
        let (blocks, last_final) = self.log_read(read).await?;
        Ok(Some((start, blocks, view.height(), last_final)))
    }

    /// The first of these blocks that is on the head's branch, asked of the index.
    async fn find_stored(
        &self,
        pairs: Vec<(Height, BlockId)>,
        settled: Height,
    ) -> Result<Option<(Height, BlockId)>, ReadError> {
        let find = move |index: &mut ccoin_storage::Index| -> Result<_, IndexError> {
            let mut failure = None;
            let start = serve::find_start(&pairs, |number| match index.block_at(number) {
                Ok(Some((id, _))) if number <= settled => Canonical::Block(id),
                Ok(_) => Canonical::Absent,
                Err(error) => {
                    failure.get_or_insert(error);
                    Canonical::Absent
                }
            });
            match (failure, start) {
                (Some(error), _) => Err(error),
                (None, Start::Behind(number, id)) => Ok(Some((number, id))),
                (None, _) => Ok(None),
            }
        };
        Ok(self.index.ask(settled, find).await?)
    }

    /// A block of which `look` takes what it needs: a caller keeps no block.
    ///
    /// # Errors
    /// [`ReadError`] if it is not in memory and storage does not answer.
    pub async fn look_at<T: Send + 'static>(
        &self,
        number: Height,
        look: impl FnOnce(&SealedBlock) -> T + Send + 'static,
    ) -> Result<Option<T>, ReadError> {
        let view = Arc::clone(&self.view.borrow());
        if let Some(recent) = view.at(number) {
            return Ok(Some(look(&recent.applied.block)));
        }
        if number == Height::GENESIS {
            return Ok(Some(look(&self.genesis.sealed())));
        }
        if number > view.height() || number == Height::ZERO {
            return Ok(None);
        }
        drop(view);
        let found = self
            .index
            .ask(number, move |index| index.block_at(number))
            .await?;
        let Some((id, position)) = found else {
            return Ok(None);
        };
        let (log, genesis) = (self.log.clone(), self.genesis.id);
        let read = move || {
            let (_, bytes) = log.read(position)?;
            Block::decode(&bytes)
                .map(|block| SealedBlock::already_verified(block, &genesis))
                .ok()
                .filter(|block| block.id == id)
                .map(|block| look(&block))
                .ok_or(ReadError::Mismatch(position.0))
        };
        self.reads.run(read).await?.map(Some)
    }

    pub(crate) async fn log_read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&LogReader) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let log = self.log.clone();
        let read = tokio::task::spawn_blocking(move || read(&log)).await;
        Ok(read.map_err(|_| IndexBehind)??)
    }
}

/// The highest block that memory does not hold any more: the index must.
fn settled(view: &View) -> Height {
    let first = view.recent.front().map(|oldest| oldest.header().number);
    first
        .and_then(|first| first.checked_sub(1))
        .unwrap_or(Height::ZERO)
}
