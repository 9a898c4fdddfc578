//! Reads: from memory where the view or the tx_tracker knows, else from index and log,
//! never through the chain thread.

use crate::{
    tx_tracker::{TxTracker, Fate},
    indexer::{IndexBehind, IndexHandle},
    peers::serve::fits,
    view::View,
};
use ccoin_core::{
    Address, BlockId, Height, TxId,
    block::{Block, SealedBlock},
    genesis::Genesis,
    ledger::Account,
    pool::PoolError,
    transaction::{Transaction, VerifiedTransaction},
};
use ccoin_storage::{IndexError, LogReader, Position, StorageError};
use std::sync::Arc;
use tokio::sync::watch;

/// Accounts that one page may look at to find those that existed at a height.
const PAGE_SCAN: usize = 100_000;

/// Why a read has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Try again soon.
    #[error(transparent)]
    Behind(#[from] IndexBehind),
    /// The index is damaged.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The log cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The log holds something else than the index says.
    #[error("the record at {0} is not what the index says: run cnode --reindex")]
    Mismatch(u64),
}

/// What became of a transaction.
#[derive(Clone, Debug)]
pub enum Status {
    /// It waits.
    Pending,
    /// It is in a block of the head's branch.
    Included {
        /// Number of the block.
        height: Height,
        /// Id of the block.
        block: BlockId,
        /// Place in the block, from 0.
        index: usize,
    },
    /// It can never be included.
    Dropped(PoolError),
}

impl Status {
    /// The word for it in the API.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Included { .. } => "included",
            Self::Dropped(_) => "dropped",
        }
    }
}

/// One page of accounts as of a block.
pub type AccountsPage = (Vec<(Address, Account)>, Option<Address>);

/// Reads of one node.
#[derive(Clone)]
pub struct ChainReader {
    pub(crate) genesis: Arc<Genesis>,
    pub(crate) view: watch::Receiver<Arc<View>>,
    pub(crate) tx_tracker: Arc<TxTracker>,
    pub(crate) index: IndexHandle,
    pub(crate) log: LogReader,
}

impl ChainReader {
    /// The block with this number on the head's branch.
    ///
    /// # Errors
    /// [`ReadError`] if it is not in memory and storage does not answer.
    pub async fn block(&self, number: Height) -> Result<Option<SealedBlock>, ReadError> {
        let view = Arc::clone(&self.view.borrow());
        if let Some(recent) = view.at(number) {
            return Ok(Some(recent.applied.block.clone()));
        }
        if number == Height::GENESIS {
            return Ok(Some(self.genesis.applied().block));
        }
        if number > view.height() || number == Height::ZERO {
            return Ok(None);
        }
        let found = self
            .index
            .ask(number, move |index| index.block_at(number))
            .await??;
        match found {
            Some((id, position)) => self.read_block(position, &id).await.map(Some),
            None => Ok(None),
        }
    }

    /// Whether this is a recent block of the head's branch.
    pub(crate) fn knows(&self, id: &BlockId) -> bool {
        self.view.borrow().by_id(id).is_some()
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
            .await??)
    }

    /// A transaction and what became of it.
    ///
    /// # Errors
    /// [`ReadError`] if it is not in memory and storage does not answer.
    pub async fn transaction(
        &self,
        id: TxId,
    ) -> Result<Option<(VerifiedTransaction, Status)>, ReadError> {
        match self.tx_tracker.fate(&id) {
            Some(Fate::Pending(txn)) => return Ok(Some((txn, Status::Pending))),
            Some(Fate::Dropped(txn, reason)) => return Ok(Some((txn, Status::Dropped(reason)))),
            Some(Fate::Included { block, index }) => {
                let block = &block.block;
                if let Some(txn) = block.transactions.get(index) {
                    let status = Status::Included {
                        height: block.header().number,
                        block: block.id,
                        index,
                    };
                    return Ok(Some((txn.clone(), status)));
                }
            }
            None => {}
        }
        let settled = settled(&self.view.borrow());
        let find = move |index: &mut ccoin_storage::Index| -> Result<_, IndexError> {
            let Some(found) = index.txn(&id)? else {
                return Ok(None);
            };
            Ok(index
                .block_at(found.height)?
                .map(|(block, _)| (found, block)))
        };
        let Some((found, block)) = self.index.ask(settled, find).await?? else {
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
        let status = Status::Included {
            height: found.height,
            block,
            index: found.index as usize,
        };
        Ok(Some((txn, status)))
    }

    /// An account as of a block of the head's branch; zeros if it did not exist.
    /// `None` if there is no such block.
    ///
    /// # Errors
    /// [`ReadError`] if it is not in memory and storage does not answer.
    pub async fn account(
        &self,
        address: Address,
        at: Height,
    ) -> Result<Option<Account>, ReadError> {
        let view = Arc::clone(&self.view.borrow());
        if let Some(recent) = view.at(at) {
            return Ok(Some(recent.applied.state.account(&address)));
        }
        if at > view.height() || at == Height::ZERO {
            return Ok(None);
        }
        let found = self
            .index
            .ask(at, move |index| index.account_at(&address, at))
            .await??;
        let value = found.map_or_else(Default::default, |(_, value)| value);
        Account::from_value(value)
            .map(Some)
            .ok_or(ReadError::Mismatch(0))
    }

    /// Accounts as of a block in address order, at most `limit`, after an address.
    ///
    /// # Errors
    /// [`ReadError`] if storage does not answer.
    pub async fn accounts(
        &self,
        at: Height,
        after: Option<Address>,
        limit: usize,
    ) -> Result<AccountsPage, ReadError> {
        let page = self.index.ask(at, move |index| {
            index.accounts_page(at, after, limit, PAGE_SCAN)
        });
        let (rows, next) = page.await??;
        let account =
            |(address, value)| Account::from_value(value).map(|account| (address, account));
        let rows: Option<Vec<_>> = rows.into_iter().map(account).collect();
        Ok((rows.ok_or(ReadError::Mismatch(0))?, next))
    }

    /// The first of these blocks that is on the head's branch; zeros as id stand for any
    /// block with the number.
    ///
    /// # Errors
    /// [`ReadError`] if storage does not answer.
    pub(crate) async fn common(
        &self,
        pairs: Vec<(Height, BlockId)>,
    ) -> Result<Option<(Height, BlockId)>, ReadError> {
        let view = Arc::clone(&self.view.borrow());
        for (index, (number, id)) in pairs.iter().enumerate() {
            if let Some(recent) = view.at(*number) {
                if fits(id, &recent.id()) {
                    return Ok(Some((*number, *id)));
                }
            } else if *number < settled(&view).next().unwrap_or(Height::MAX) {
                let older = pairs.get(index..).unwrap_or_default().to_vec();
                return self.common_settled(older, settled(&view)).await;
            }
        }
        Ok(None)
    }

    async fn common_settled(
        &self,
        pairs: Vec<(Height, BlockId)>,
        settled: Height,
    ) -> Result<Option<(Height, BlockId)>, ReadError> {
        let find = move |index: &mut ccoin_storage::Index| -> Result<_, IndexError> {
            for (number, id) in pairs {
                let have = index.block_at(number)?.filter(|_| number <= settled);
                if have.is_some_and(|(have, _)| fits(&id, &have)) {
                    return Ok(Some((number, id)));
                }
            }
            Ok(None)
        };
        Ok(self.index.ask(settled, find).await??)
    }

    /// Encoded blocks of the head's branch behind a number: at least one if there is
    /// one, then at most `most` and about `bytes`; and whether there are more.
    ///
    /// # Errors
    /// [`ReadError`] if storage does not answer.
    pub(crate) async fn encoded_blocks(
        &self,
        after: Height,
        most: usize,
        bytes: usize,
    ) -> Result<(Vec<Vec<u8>>, bool), ReadError> {
        let view = Arc::clone(&self.view.borrow());
        let numbers = (after.get() + 1..=view.height().get()).take(most);
        let numbers: Vec<_> = numbers
            .filter_map(|number| Height::new(number).ok())
            .collect();
        let (recent, older): (Vec<_>, Vec<_>) = numbers
            .into_iter()
            .partition(|number| view.at(*number).is_some());
        let mut positions = Vec::new();
        if !older.is_empty() {
            let find = move |index: &mut ccoin_storage::Index| -> Result<Vec<_>, IndexError> {
                let found = older.into_iter().map(|number| index.block_at(number));
                found.collect::<Result<Vec<_>, _>>()
            };
            let found = self.index.ask(settled(&view), find).await??;
            positions.extend(found.into_iter().map_while(|found| found.map(|(_, at)| at)));
        }
        let recent = recent.into_iter().filter_map(|number| view.at(number));
        positions.extend(recent.map(|recent| recent.position));
        let last = view.height().get();
        let read = move |log: &LogReader| {
            let (mut blocks, mut size) = (Vec::new(), 0);
            for position in positions {
                let (_, encoded) = log.read(position)?;
                size += encoded.len();
                if size > bytes && !blocks.is_empty() {
                    break;
                }
                blocks.push(encoded);
            }
            Ok(blocks)
        };
        let blocks = self.log_read(read).await?;
        let more = after.get() + (blocks.len() as u64) < last;
        Ok((blocks, more))
    }

    async fn read_block(
        &self,
        position: Position,
        id: &BlockId,
    ) -> Result<SealedBlock, ReadError> {
        let (_, bytes) = self.log_read(move |log| log.read(position)).await?;
        Block::decode(&bytes)
            .map(|block| SealedBlock::already_verified(block, &self.genesis.id))
            .ok()
            .filter(|block| block.id == *id)
            .ok_or(ReadError::Mismatch(position.0))
    }

    async fn log_read<T: Send + 'static>(
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
