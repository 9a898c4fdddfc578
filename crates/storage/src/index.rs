//! Looks up blocks, transactions and account histories of the chain as it is
//! now. Derived from the block log: it may lag, and any doubt about it is an
//! error that the caller answers with a rebuild, never a wrong answer.
//!
//! One owner. Keys are only inserted, see `index_key`; entries of branches
//! that were left stay and are ignored.

use std::cell::RefCell;
use std::fs;
use std::io;
use std::path::Path;
use std::rc::Rc;

use ccoin_core::{Address, BlockId, Hash, Height, TxId};
use rusty_leveldb::env::Env;
use rusty_leveldb::{DB, Options, StatusCode, WriteBatch};

use crate::block_log::Position;
use crate::index_cursor::{Cursor, History};
use crate::index_disk::IndexDisk;
use crate::index_env::{IndexEnv, Poison};
use crate::index_filter::NoFilter;
use crate::index_key as key;
use crate::{AccountBytes, IndexError};

/// Layout of keys and values.
const SCHEMA: u32 = 2;
/// Open tables; a node's file limit is often 1,024.
const MAX_OPEN_FILES: usize = 400;

/// Sizes of the engine: fewer and larger tables than its own, a fifth less time per block.
fn sizes() -> Options {
    Options {
        write_buffer_size: 8 << 20,
        max_file_size: 4 << 20,
        ..Options::default()
    }
}

/// What the index keeps of a block.
#[derive(Clone, Debug)]
pub struct IndexedBlock {
    /// Its height.
    pub height: Height,
    /// Its id.
    pub id: BlockId,
    /// Where its record stands in the log.
    pub position: Position,
    /// Its transactions in order: id, offset and length of the encoding in the record's payload.
    pub txns: Vec<(TxId, u32, u32)>,
    /// Every account it changed, as it is after the block.
    pub accounts: Vec<(Address, AccountBytes)>,
    /// Those of them that did not exist before.
    pub new_accounts: Vec<Address>,
    /// What its transactions record: the root of documents, and the transaction's number in the
    /// block.
    pub documents: Vec<(Hash, u32)>,
}

/// Where a transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxnLocation {
    /// Record of its block in the log.
    pub position: Position,
    /// Offset of its encoding in the payload.
    pub offset: u32,
    /// Length of its encoding.
    pub length: u32,
    /// Height of its block.
    pub height: Height,
    /// Its number in the block, from 0.
    pub index: u32,
}

/// The index of one chain.
pub struct Index {
    db: DB,
    poison: Poison,
    height: Height,
}

impl Index {
    /// Opens the index in `dir`, or makes an empty one. [`height`](Self::height) may be
    /// behind the log and, after a switch of branches, on the branch that was left: the
    /// caller compares [`block_at`](Self::block_at) with its chain, truncates, and puts.
    ///
    /// # Errors
    /// Any [`IndexError`]; all but [`IndexError::Io`] are answered with [`rebuild`](Self::rebuild).
    pub fn open(dir: &Path, genesis: BlockId) -> Result<Self, IndexError> {
        Self::open_on(Box::new(IndexDisk::new()), dir, genesis, sizes())
    }

    pub(crate) fn open_on(
        files: Box<dyn Env>,
        dir: &Path,
        genesis: BlockId,
        sizes: Options,
    ) -> Result<Self, IndexError> {
        let unused = match fs::read_dir(dir) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(IndexError::Io(format!("{}: {error}", dir.display()))),
        };
        if !unused && !dir.join("CURRENT").is_file() {
            return Err(IndexError::Damaged(format!(
                "{} has no CURRENT",
                dir.display()
            )));
        }
        fs::create_dir_all(dir)
            .map_err(|error| IndexError::Io(format!("{}: {error}", dir.display())))?;
        let poison = Poison::default();
        let options = Options {
            env: Rc::new(Box::new(IndexEnv::new(files, poison.clone()))),
            log: Some(Rc::new(RefCell::new(rusty_leveldb::infolog::Logger(
                Box::new(io::sink()),
            )))),
            create_if_missing: unused,
            reuse_logs: false,
            reuse_manifest: false,
            max_open_files: MAX_OPEN_FILES,
            filter_policy: Rc::new(Box::new(NoFilter)),
            ..sizes
        };
        let db = DB::open(dir, options);
        poison.check()?;
        let db = db.map_err(|status| match status.code {
            StatusCode::LockError => IndexError::Io(status.to_string()),
            _ => IndexError::Damaged(status.to_string()),
        })?;
        let mut index = Self {
            db,
            poison,
            height: Height::ZERO,
        };
        if unused {
            let mut batch = WriteBatch::default();
            let meta = [SCHEMA.to_be_bytes().as_slice(), genesis.as_bytes()].concat();
            batch.put(&key::meta(), &meta);
            index.write(batch, Height::ZERO)?;
            let flushed = index.db.flush();
            flushed.map_err(|status| index.poison.fail(IndexError::Io(status.to_string())))?;
        }
        index.check_meta(genesis)?;
        index.height = index.cursor()?.last_height()?;
        Ok(index)
    }

    /// Removes what is in `dir` and makes an empty index.
    ///
    /// # Errors
    /// [`IndexError::Io`].
    pub fn rebuild(dir: &Path, genesis: BlockId) -> Result<Self, IndexError> {
        match fs::remove_dir_all(dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(IndexError::Io(format!("{}: {error}", dir.display())))
            }
            _ => Self::open(dir, genesis),
        }
    }

    /// Fails if an earlier call did, so that the owner learns of damage that a reader met.
    ///
    /// # Errors
    /// The first failure, which is final.
    pub fn check(&self) -> Result<(), IndexError> {
        self.poison.check()
    }

    /// The highest block indexed; [`Height::ZERO`] if none is.
    #[must_use]
    pub fn height(&self) -> Height {
        self.height
    }

    /// Forgets the blocks above `height`; blocks of another branch can then be put there.
    pub fn truncate_height(&mut self, height: Height) {
        self.height = self.height.min(height);
    }

    /// Adds the block that follows, in one atomic batch.
    ///
    /// # Errors
    /// [`IndexError::Gap`] changes nothing; any other is final.
    pub fn put_block(&mut self, block: &IndexedBlock) -> Result<(), IndexError> {
        let expected = self.height.next().unwrap_or(self.height);
        if block.height != expected {
            return Err(IndexError::Gap {
                got: block.height,
                expected,
            });
        }
        let revision = match self.cursor()?.block(block.height)? {
            Some((revision, id, at)) if (id, at) == (block.id, block.position) => revision,
            Some((revision, ..)) => revision.saturating_add(1),
            None => 0,
        };
        let mut batch = WriteBatch::default();
        for (index, (id, offset, length)) in (0..).zip(&block.txns) {
            let value = key::txn_value(*offset, *length, block.height, index);
            batch.put(&key::txn(id, block.position), &value);
        }
        for (address, account) in &block.accounts {
            batch.put(&key::account(address, block.height, &block.id), account);
        }
        for address in &block.new_accounts {
            batch.put(&key::new_account(block.height, &block.id, address), &[]);
        }
        for (root, number) in &block.documents {
            if let Some((id, ..)) = block.txns.get(*number as usize) {
                let value = key::document_value(block.height, id);
                batch.put(&key::document(root, block.position, *number), &value);
            }
        }
        batch.put(&key::block(&block.id), &block.height.get().to_be_bytes());
        let value = key::height_value(&block.id, block.position);
        batch.put(&key::height(block.height, revision), &value);
        self.write(batch, block.height)?;
        self.height = block.height;
        Ok(())
    }

    /// Id and position of the block at a height; `None` above [`height`](Self::height) and for 0.
    ///
    /// # Errors
    /// Any failure is final.
    pub fn block_at(&mut self, height: Height) -> Result<Option<(BlockId, Position)>, IndexError> {
        if height == Height::ZERO || height > self.height {
            return Ok(None);
        }
        self.cursor()?.known_block(height).map(Some)
    }

    /// Height of a block of the present branch.
    ///
    /// # Errors
    /// Any failure is final.
    pub fn height_of(&mut self, id: &BlockId) -> Result<Option<Height>, IndexError> {
        let wanted = key::block(id);
        let mut cursor = self.cursor()?;
        let Some((_, value)) = cursor.seek(&wanted)?.filter(|(key, _)| *key == wanted) else {
            return Ok(None);
        };
        let height = value
            .try_into()
            .ok()
            .and_then(|v| Height::new(u64::from_be_bytes(v)).ok());
        let height = height.ok_or_else(|| cursor.damaged(Height::ZERO))?;
        let on_branch = height <= self.height && cursor.known_block(height)?.0 == *id;
        Ok(on_branch.then_some(height))
    }

    /// Where a transaction of the present branch stands.
    ///
    /// # Errors
    /// Any failure is final.
    pub fn txn(&mut self, id: &TxId) -> Result<Option<TxnLocation>, IndexError> {
        let prefix = key::txn_from(id);
        let (mut cursor, mut blocks) = (self.cursor()?, self.cursor()?);
        let mut found = cursor.seek(&prefix)?;
        while let Some((key, value)) = found.filter(|(key, _)| key.starts_with(&prefix)) {
            let entry = key::parse_txn(&key).zip(key::parse_txn_value(&value));
            let (position, (offset, length, height, index)) =
                entry.ok_or_else(|| cursor.damaged(Height::ZERO))?;
            if height <= self.height && blocks.known_block(height)?.1 == position {
                return Ok(Some(TxnLocation {
                    position,
                    offset,
                    length,
                    height,
                    index,
                }));
            }
            found = cursor.next()?;
        }
        Ok(None)
    }

    /// An account as it was after the block at height `at`, and the height that changed it last.
    ///
    /// # Errors
    /// Any failure is final.
    pub fn account_at(
        &mut self,
        address: &Address,
        at: Height,
    ) -> Result<Option<(Height, AccountBytes)>, IndexError> {
        let mut history = History::new(self)?;
        let newest = history.seek(&key::account_from(address, at.min(self.height)))?;
        Ok(newest
            .filter(|entry| entry.address == *address)
            .map(|e| (e.height, e.account)))
    }

    /// Accounts as they were after the block at height `at`, ascending, behind `after`.
    /// Stops after `limit` accounts or `scan_limit` entries looked at; `next` then says
    /// behind which address to continue.
    ///
    /// # Errors
    /// Any failure is final.
    #[expect(clippy::type_complexity, reason = "a page and where the next begins")]
    pub fn accounts_page(
        &mut self,
        at: Height,
        after: Option<Address>,
        limit: usize,
        scan_limit: usize,
    ) -> Result<(Vec<(Address, AccountBytes)>, Option<Address>), IndexError> {
        let at = at.min(self.height);
        let mut history = History::new(self)?;
        let (mut page, mut last) = (Vec::new(), after);
        while page.len() < limit && history.seen < scan_limit {
            let behind = last.map_or_else(key::first_account, |last| key::accounts_behind(&last));
            let Some(address) = history.address(&behind)? else {
                return Ok((page, None));
            };
            let entry = history.seek(&key::account_from(&address, at))?;
            if let Some(entry) = entry.filter(|entry| entry.address == address) {
                page.push((address, entry.account));
            }
            last = Some(address);
        }
        Ok((page, last))
    }

    /// Heights below `below` whose blocks changed an account, newest first.
    ///
    /// # Errors
    /// Any failure is final.
    pub fn changes_page(
        &mut self,
        address: &Address,
        below: Height,
        limit: usize,
    ) -> Result<Vec<Height>, IndexError> {
        let mut page = Vec::new();
        let Some(mut at) = below.checked_sub(1).map(|at| at.min(self.height)) else {
            return Ok(page);
        };
        let mut history = History::new(self)?;
        while page.len() < limit {
            let entry = history.seek(&key::account_from(address, at))?;
            let Some(entry) = entry.filter(|entry| entry.address == *address) else {
                break;
            };
            page.push(entry.height);
            let Some(lower) = entry.height.checked_sub(1) else {
                break;
            };
            at = lower;
        }
        Ok(page)
    }

    pub(crate) fn cursor(&mut self) -> Result<Cursor, IndexError> {
        self.poison.check()?;
        let poison = self.poison.clone();
        match self.db.new_iter() {
            Ok(iterator) => Ok(Cursor::new(iterator, poison)),
            Err(status) => Err(poison.fail(IndexError::Damaged(status.to_string()))),
        }
    }

    fn write(&mut self, mut batch: WriteBatch, height: Height) -> Result<(), IndexError> {
        self.poison.check()?;
        batch.put(&key::last(height), &[]);
        if let Err(status) = self.db.write(batch, false) {
            return Err(self.poison.fail(IndexError::Io(status.to_string())));
        }
        // A failed compaction is success to the engine.
        self.poison.check()
    }

    fn check_meta(&mut self, genesis: BlockId) -> Result<(), IndexError> {
        let mut cursor = self.cursor()?;
        let meta = cursor
            .seek(&key::meta())?
            .filter(|(key, _)| *key == key::meta());
        let parsed = meta.as_ref().and_then(|(_, value)| {
            let (schema, id) = value.split_first_chunk()?;
            Some((
                u32::from_be_bytes(*schema),
                BlockId::new(id.try_into().ok()?),
            ))
        });
        match parsed {
            None => Err(self.poison.fail(IndexError::Damaged("no schema".into()))),
            Some((got, _)) if got != SCHEMA => Err(IndexError::Schema {
                got,
                expected: SCHEMA,
            }),
            Some((_, got)) if got != genesis => Err(IndexError::OtherChain {
                got,
                expected: genesis,
            }),
            Some(_) => Ok(()),
        }
    }
}
