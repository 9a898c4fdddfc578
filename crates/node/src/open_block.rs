//! Blocks for readers that may be slow: the header alone, or the transactions a piece at a
//! time. Whatever the size of the block, a reader keeps one piece in memory.

use crate::{
    index_handle::IndexBehind,
    reader::{ChainReader, ReadError},
};
use ccoin_core::{
    BlockId, Height,
    block::{SealedBlock, SignedHeader},
    block_pieces::{BlockStart, leading_txns},
    transaction::{MAX_OVERHEAD, VerifiedTransaction},
};
use ccoin_storage::{Index, IndexError, LogReader, Position, StorageError};
use std::sync::Arc;

/// Bytes of encoded transactions in a piece, or one larger transaction.
const PIECE: usize = 16 << 10;

/// Bytes that are read for a header; the whole record if it is longer.
const HEADER: u32 = 4 << 10;

/// A header and the number of transactions behind it.
#[derive(Clone, Debug)]
pub struct BlockHead {
    /// The block.
    pub id: BlockId,
    /// Its header.
    pub signed: SignedHeader,
    /// Number of its transactions.
    pub txn_count: usize,
}

impl BlockHead {
    /// The head of a block in memory.
    #[must_use]
    pub fn of(block: &SealedBlock) -> Self {
        Self {
            id: block.id,
            signed: block.signed.clone(),
            txn_count: block.transactions.len(),
        }
    }
}

/// A block of which a reader has seen a part.
#[derive(Clone, Debug)]
pub struct OpenBlock {
    /// Its head.
    pub head: BlockHead,
    position: Position,
    /// Where the next transaction begins in the record's payload.
    next: u32,
    /// Length of the payload.
    end: u32,
    /// Transactions that the reader has not seen.
    left: usize,
}

impl ChainReader {
    /// The head of a block of the head's branch.
    ///
    /// # Errors
    /// [`ReadError`] if it is not in memory and storage does not answer.
    pub async fn head_of(&self, number: Height) -> Result<Option<BlockHead>, ReadError> {
        Ok(self.heads(vec![number]).await?.pop())
    }

    /// The heads of blocks of the head's branch, those that exist, in the order asked for. It
    /// reads no transactions.
    ///
    /// # Errors
    /// [`ReadError`] if one is not in memory and storage does not answer.
    pub async fn heads(&self, numbers: Vec<Height>) -> Result<Vec<BlockHead>, ReadError> {
        let view = Arc::clone(&self.view.borrow());
        let in_memory = |number: &Height| match view.at(*number) {
            Some(recent) => Some(BlockHead::of(&recent.applied.block)),
            None if *number == Height::GENESIS => Some(BlockHead::of(&self.genesis.sealed())),
            None => None,
        };
        let exists = |number: &Height| *number > Height::ZERO && *number <= view.height();
        let numbers: Vec<_> = numbers.into_iter().filter(exists).collect();
        let known: Vec<_> = numbers.iter().map(in_memory).collect();
        let missing = numbers.into_iter().zip(&known);
        let missing = missing.filter(|(_, known)| known.is_none());
        let missing: Vec<_> = missing.map(|(number, _)| number).collect();
        drop(view);
        if missing.is_empty() {
            return Ok(known.into_iter().flatten().collect());
        }
        let highest = missing.iter().copied().max().unwrap_or(Height::ZERO);
        let count = missing.len();
        let find = move |index: &mut Index| -> Result<Vec<_>, IndexError> {
            let found = missing.into_iter().map(|number| index.block_at(number));
            found.collect()
        };
        let found = self.index.ask(highest, find).await?;
        let (log, genesis) = (self.log.clone(), self.genesis.id);
        let read = move || {
            let heads = found.into_iter().flatten();
            let heads = heads.map(|(id, position)| read_head(&log, position, id, &genesis));
            heads.collect::<Result<Vec<_>, _>>()
        };
        let stored = self.reads.run(read).await??;
        if stored.len() != count {
            return Err(IndexBehind.into());
        }
        let mut stored = stored.into_iter();
        let heads = known.into_iter();
        Ok(heads
            .filter_map(|known| known.or_else(|| stored.next()))
            .collect())
    }

    /// A block of the head's branch, to be read piece by piece.
    ///
    /// # Errors
    /// [`ReadError`] if storage does not answer.
    pub async fn open_block(&self, number: Height) -> Result<Option<OpenBlock>, ReadError> {
        let Some(head) = self.head_of(number).await? else {
            return Ok(None);
        };
        if head.txn_count == 0 {
            return Ok(Some(OpenBlock {
                head,
                position: Position::START,
                next: 0,
                end: 0,
                left: 0,
            }));
        }
        let Some(position) = self.position(number, &head.id).await? else {
            // The branch has changed.
            return Err(IndexBehind.into());
        };
        let log = self.log.clone();
        // Whole, once: that checks the checksum.
        let read = move || log.read(position).map(|(_, bytes)| bounds(&bytes));
        let bounds = self.reads.run(read).await??;
        let (next, end) = bounds.ok_or(ReadError::Mismatch(position.0))?;
        Ok(Some(OpenBlock {
            left: head.txn_count,
            head,
            position,
            next,
            end,
        }))
    }

    /// Work for a reader that may take its time: it has the low priority of reads. Each piece is
    /// short.
    ///
    /// # Errors
    /// [`ReadError`] when the node is ending.
    pub async fn work<T: Send + 'static>(
        &self,
        piece: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ReadError> {
        Ok(self.reads.run(piece).await?)
    }

    /// The next transactions of a block; none behind the last one.
    ///
    /// # Errors
    /// [`ReadError`] if storage does not answer.
    pub async fn next_txns(
        &self,
        block: &mut OpenBlock,
    ) -> Result<Vec<VerifiedTransaction>, ReadError> {
        if block.left == 0 {
            return Ok(Vec::new());
        }
        let max_data = self.genesis.config.transaction.max_data_bytes as usize;
        let piece = u32::try_from(PIECE.max(MAX_OVERHEAD + max_data)).unwrap_or(u32::MAX);
        let length = piece.min(block.end.saturating_sub(block.next));
        let (position, from, limit) = (block.position, block.next, block.left);
        let (log, genesis) = (self.log.clone(), self.genesis.id);
        let read = move || {
            let bytes = log.read_range(position, from, length)?;
            let txns = leading_txns(&bytes, limit).into_iter();
            let verified = |txn| VerifiedTransaction::already_verified(txn, &genesis);
            Ok::<Vec<_>, StorageError>(txns.map(verified).collect())
        };
        let txns = self.reads.run(read).await??;
        let bytes: usize = txns.iter().map(VerifiedTransaction::size).sum();
        block.left -= txns.len();
        block.next += u32::try_from(bytes).unwrap_or(u32::MAX);
        match txns.is_empty() {
            true => Err(ReadError::Mismatch(position.0)),
            false => Ok(txns),
        }
    }
}

/// Where the transactions of a block begin and end.
fn bounds(payload: &[u8]) -> Option<(u32, u32)> {
    let first = BlockStart::read(payload)?.first_txn;
    Some((first.try_into().ok()?, payload.len().try_into().ok()?))
}

fn read_head(
    log: &LogReader,
    position: Position,
    id: BlockId,
    genesis: &BlockId,
) -> Result<BlockHead, ReadError> {
    let mut start = BlockStart::read(&log.read_start(position, HEADER)?);
    if start.is_none() {
        start = BlockStart::read(&log.read(position)?.1);
    }
    let start = start.filter(|start| start.signed.id(genesis) == id);
    let start = start.ok_or(ReadError::Mismatch(position.0))?;
    Ok(BlockHead {
        id,
        signed: start.signed,
        txn_count: start.txn_count,
    })
}
