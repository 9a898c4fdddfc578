//! The index against a plain map, with the access pattern of a node, and with
//! its files damaged at every kind of place.

mod answers;
mod damage;

use super::{Random, height, rounds};
use crate::{AccountBytes, Index, IndexError, IndexedBlock, Position, TxnLocation};
use ccoin_core::{Address, BlockId, Hash, Height, TxId};
use rusty_leveldb::{Options, PosixDiskEnv};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

const GENESIS: BlockId = BlockId::new([9; 32]);

/// Small tables and buffers, so that little data means many compactions.
pub(super) fn small() -> Options {
    Options {
        write_buffer_size: 16 << 10,
        max_file_size: 16 << 10,
        ..Options::default()
    }
}

/// Without fsyncs: power loss is not simulated here, and they would take most of the time.
fn open(dir: &Path) -> Result<Index, IndexError> {
    Index::open_on(Box::new(PosixDiskEnv::new()), dir, GENESIS, small())
}

/// What the index must say: the chain, and all that was ever seen.
#[derive(Default)]
pub(super) struct Shadow {
    pub(super) chain: Vec<IndexedBlock>,
    pub(super) left: Vec<IndexedBlock>,
    pub(super) known: Vec<Address>,
}

impl Shadow {
    pub(super) fn new(random: &mut Random, accounts: usize) -> Self {
        let known = (0..accounts).map(|_| random.address()).collect();
        Self {
            known,
            ..Self::default()
        }
    }

    /// The next block; some transactions return from branches that were left.
    pub(super) fn grow(&mut self, random: &mut Random) -> IndexedBlock {
        let mut txns: Vec<_> = (0..random.below(12))
            .map(|n| (random.tx_id(), n as u32 * 600, 595))
            .collect();
        if let Some(old) = self.left.last()
            && random.below(2) == 0
        {
            let on_chain = |id| self.chain.iter().any(|b| b.txns.iter().any(|t| t.0 == id));
            txns.extend(old.txns.iter().filter(|txn| !on_chain(txn.0)).take(3));
        }
        let mut accounts = BTreeMap::new();
        for _ in 0..random.below(20) {
            let address = self.known[random.below(self.known.len() as u64) as usize];
            accounts.insert(address, random.bytes(16).try_into().unwrap());
        }
        let is_new = |address: &&Address| self.changes(address).next().is_none();
        let new_accounts = accounts.keys().filter(is_new).copied().collect();
        let numbers = (0..txns.len() as u32).step_by(3);
        let documents = numbers.map(|number| (document(random.below(5)), number));
        let documents = documents.collect();
        let block = IndexedBlock {
            height: height(self.chain.len() as u64 + 1),
            id: random.block_id(),
            position: Position(random.next() >> 8),
            txns,
            accounts: accounts.into_iter().collect(),
            new_accounts,
            documents,
        };
        self.chain.push(block.clone());
        block
    }

    /// All accounts as of a height by age, and all transactions that record a document.
    pub(super) fn ask_lists(&self, index: &mut Index, at: Height) -> Result<(), IndexError> {
        let (mut found, mut place) = (Vec::new(), None);
        loop {
            let (page, next) = index.accounts_by_age(at, place, 7)?;
            found.extend(page);
            place = next;
            if place.is_none() {
                break;
            }
        }
        let blocks = self.chain.iter().filter(|block| block.height <= at);
        let new = |block: &IndexedBlock| block.new_accounts.clone();
        let expected: Vec<Vec<_>> = blocks.map(new).collect();
        let expected: Vec<_> = expected.concat();
        assert_eq!(found, expected, "as of {at}");
        for kind in 0..5 {
            let mut expected: Vec<_> = self.chain.iter().collect();
            expected.sort_by_key(|block| block.position);
            let recorded = |block: &IndexedBlock| {
                let named = block
                    .documents
                    .iter()
                    .filter(|(root, _)| *root == document(kind));
                let ids = named.map(|(_, number)| block.txns[*number as usize].0);
                ids.collect::<Vec<_>>()
            };
            let expected: Vec<Vec<_>> = expected.into_iter().map(recorded).collect();
            assert_eq!(index.documents(&document(kind), 500)?, expected.concat());
        }
        Ok(())
    }

    fn txn(&self, id: &TxId) -> Option<TxnLocation> {
        self.chain.iter().find_map(|block| {
            let index = block.txns.iter().position(|txn| txn.0 == *id)?;
            let (_, offset, length) = block.txns[index];
            let (position, height) = (block.position, block.height);
            Some(TxnLocation {
                position,
                offset,
                length,
                height,
                index: index as u32,
            })
        })
    }

    fn changes(
        &self,
        address: &Address,
    ) -> impl DoubleEndedIterator<Item = (Height, AccountBytes)> {
        self.chain.iter().filter_map(move |block| {
            let found = block
                .accounts
                .iter()
                .find(|account| account.0 == *address)?;
            Some((block.height, found.1))
        })
    }

    fn account_at(&self, address: &Address, at: Height) -> Option<(Height, AccountBytes)> {
        self.changes(address).rev().find(|change| change.0 <= at)
    }

    /// One question of each kind, mostly about what exists.
    pub(super) fn ask(&self, index: &mut Index, random: &mut Random) -> Result<(), IndexError> {
        let any = |random: &mut Random, most: usize| random.below(most as u64 + 1);
        let at = height(any(random, self.chain.len() + 1));
        let block = at
            .get()
            .checked_sub(1)
            .and_then(|n| self.chain.get(n as usize));
        assert_eq!(
            index.block_at(at)?,
            block.map(|block| (block.id, block.position)),
            "{at}"
        );
        if let Some(block) = block {
            assert_eq!(index.height_of(&block.id)?, Some(at));
            for (id, ..) in &block.txns {
                assert_eq!(index.txn(id)?, self.txn(id), "{id}");
            }
        }
        if let Some(left) = self.left.get(any(random, self.left.len()) as usize) {
            assert_eq!(index.height_of(&left.id)?, None, "{}", left.id);
            for (id, ..) in &left.txns {
                assert_eq!(index.txn(id)?, self.txn(id), "{id}");
            }
        }
        assert_eq!(index.txn(&random.tx_id())?, None);
        assert_eq!(index.height_of(&random.block_id())?, None);
        let address = self.known[any(random, self.known.len() - 1) as usize];
        assert_eq!(
            index.account_at(&address, at)?,
            self.account_at(&address, at),
            "{address}"
        );
        assert_eq!(index.account_at(&random.address(), at)?, None);
        let below: Vec<_> = self
            .changes(&address)
            .rev()
            .map(|c| c.0)
            .filter(|h| *h < at)
            .take(5)
            .collect();
        assert_eq!(index.changes_page(&address, at, 5)?, below, "{address}");
        Ok(())
    }

    pub(super) fn ask_page(&self, index: &mut Index, at: Height) -> Result<(), IndexError> {
        let mut expected: BTreeMap<Address, AccountBytes> = BTreeMap::new();
        for block in self.chain.iter().take_while(|block| block.height <= at) {
            expected.extend(block.accounts.iter().copied());
        }
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let (page, next) = index.accounts_page(at, after, 7, 9)?;
            assert!(page.len() <= 7);
            found.extend(page);
            match next {
                None => break,
                next => after = next,
            }
        }
        assert_eq!(
            found,
            expected.into_iter().collect::<Vec<_>>(),
            "accounts at {at}"
        );
        Ok(())
    }

    /// Leaves the blocks above a height, in the map and in the index.
    fn switch(&mut self, index: &mut Index, keep: usize) {
        self.left.extend(self.chain.drain(keep..));
        index.truncate_height(height(keep as u64));
        assert_eq!(index.height(), height(keep as u64));
    }

    /// After a reopening: what a node does to catch up.
    pub(super) fn catch_up(&self, index: &mut Index) -> Result<u64, IndexError> {
        let mut same = index.height();
        while let Some((id, _)) = index.block_at(same)? {
            if self
                .chain
                .get(same.get() as usize - 1)
                .is_some_and(|block| block.id == id)
            {
                break;
            }
            same = same.checked_sub(1).unwrap();
        }
        index.truncate_height(same);
        let missing = &self.chain[same.get() as usize..];
        for block in missing {
            index.put_block(block)?;
        }
        Ok(missing.len() as u64)
    }
}

fn copy_files(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn replace_files(from: &Path, to: &Path) {
    fs::remove_dir_all(to).unwrap();
    fs::create_dir(to).unwrap();
    copy_files(from, to);
}

/// Files by name, from `dir`.
fn files(dir: &Path) -> HashMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let name = |entry: &fs::DirEntry| entry.file_name().to_str().unwrap().to_owned();
    entries
        .map(|entry| (name(&entry), fs::read(entry.path()).unwrap()))
        .collect()
}

/// Opens a damaged index and asks it everything: right answers, or an error.
fn survives(dir: &Path, shadow: &Shadow, seed: u64) -> Result<(), IndexError> {
    let mut index = open(dir)?;
    shadow.catch_up(&mut index)?;
    let mut random = Random(seed);
    for _ in 0..20 {
        shadow.ask(&mut index, &mut random)?;
    }
    shadow.ask_page(&mut index, height(shadow.chain.len() as u64))
}

/// The only file with this ending.
fn only(dir: &Path, part: &str) -> PathBuf {
    let mut paths = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    paths
        .find(|path| path.to_str().unwrap().contains(part))
        .unwrap()
}

/// One of few documents, which many transactions record.
fn document(kind: u64) -> Hash {
    Hash::new([kind as u8; 32])
}
