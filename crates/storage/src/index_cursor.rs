//! Reads entries of the index in order, for the length of one call. Takes no
//! absence on trust: a failed read and a missing entry that must exist are
//! errors, and entries of branches that were left are passed over.

use ccoin_core::{Address, BlockId, Height};
use rusty_leveldb::{DBIterator, LdbIterator};

use crate::block_log::Position;
use crate::index_env::Poison;
use crate::index_key as key;
use crate::{AccountBytes, Index, IndexError};

/// Key and value.
pub(crate) type Entry = (Vec<u8>, Vec<u8>);

/// One ordered view of the keys; lives no longer than one call.
pub(crate) struct Cursor {
    iterator: DBIterator,
    poison: Poison,
}

impl Cursor {
    pub(crate) fn new(iterator: DBIterator, poison: Poison) -> Self {
        Self { iterator, poison }
    }

    /// The first entry at or behind `key`.
    pub(crate) fn seek(&mut self, key: &[u8]) -> Result<Option<Entry>, IndexError> {
        self.iterator.seek(key);
        self.current()
    }

    /// The entry behind the current one.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, IndexError> {
        self.iterator.advance();
        self.current()
    }

    fn current(&self) -> Result<Option<Entry>, IndexError> {
        // The engine takes a failed read for the end of the keys.
        self.poison.check()?;
        Ok(self
            .iterator
            .current()
            .map(|(key, value)| (key.to_vec(), value.to_vec())))
    }

    /// The block put last at a height.
    pub(crate) fn block(
        &mut self,
        height: Height,
    ) -> Result<Option<(u32, BlockId, Position)>, IndexError> {
        let prefix = key::height_from(height);
        match self.seek(&prefix)? {
            Some((key, value)) if key.starts_with(&prefix) => {
                let entry = key::parse_revision(&key).zip(key::parse_height_value(&value));
                let (revision, (id, position)) = entry.ok_or_else(|| self.damaged(height))?;
                Ok(Some((revision, id, position)))
            }
            _ => Ok(None),
        }
    }

    /// The block at a height that must be there.
    pub(crate) fn known_block(
        &mut self,
        height: Height,
    ) -> Result<(BlockId, Position), IndexError> {
        let (_, id, position) = self.block(height)?.ok_or_else(|| self.damaged(height))?;
        Ok((id, position))
    }

    /// The last of the heights that are there without a gap, which batches in order guarantee.
    pub(crate) fn last_height(&mut self) -> Result<Height, IndexError> {
        let (mut low, mut high) = (0, 1);
        let mut present = |height| match Height::new(height) {
            Ok(height) => self.block(height).map(|block| block.is_some()),
            Err(_) => Ok(false),
        };
        while present(high)? {
            (low, high) = (high, high * 2);
        }
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            if present(middle)? {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(Height::new(low).unwrap_or(Height::ZERO))
    }

    /// Remembers and returns that an entry is missing or malformed.
    pub(crate) fn damaged(&self, height: Height) -> IndexError {
        self.poison.fail(IndexError::Damaged(format!(
            "no good entry for block {height}"
        )))
    }
}

/// Account entries of the present branch.
pub(crate) struct History {
    entries: Cursor,
    blocks: Cursor,
    height: Height,
    /// Entries looked at.
    pub(crate) seen: usize,
}

/// An account as a block left it.
pub(crate) struct HistoryEntry {
    pub(crate) address: Address,
    pub(crate) height: Height,
    pub(crate) account: AccountBytes,
}

impl History {
    pub(crate) fn new(index: &mut Index) -> Result<Self, IndexError> {
        let (entries, blocks) = (index.cursor()?, index.cursor()?);
        Ok(Self {
            entries,
            blocks,
            height: index.height(),
            seen: 0,
        })
    }

    /// The first entry at or behind `key` whose block is on the branch.
    pub(crate) fn seek(&mut self, key: &[u8]) -> Result<Option<HistoryEntry>, IndexError> {
        let mut found = self.entries.seek(key)?;
        while let Some((key, value)) = found {
            self.seen = self.seen.saturating_add(1);
            let Some((address, height, tag)) = key::parse_account(&key) else {
                break;
            };
            if height <= self.height && key::tag(&self.blocks.known_block(height)?.0) == tag {
                let account = value.try_into().map_err(|_| self.entries.damaged(height))?;
                return Ok(Some(HistoryEntry {
                    address,
                    height,
                    account,
                }));
            }
            found = self.entries.next()?;
        }
        Ok(None)
    }

    /// The address of the first entry at or behind `key`, on any branch.
    pub(crate) fn address(&mut self, key: &[u8]) -> Result<Option<Address>, IndexError> {
        let found = self.entries.seek(key)?;
        Ok(found
            .and_then(|(key, _)| key::parse_account(&key))
            .map(|(address, ..)| address))
    }
}
