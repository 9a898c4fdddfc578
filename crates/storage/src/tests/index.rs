//! The index against a plain map, with the access pattern of a node, and with
//! its files damaged at every kind of place.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use ccoin_core::{Address, BlockId, Height, TxId};
use rusty_leveldb::{Options, PosixDiskEnv};

use super::{Random, height, rounds};
use crate::{AccountBytes, Index, IndexError, IndexedBlock, Position, TxnLocation};

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
        let block = IndexedBlock {
            height: height(self.chain.len() as u64 + 1),
            id: random.block_id(),
            position: Position(random.next() >> 8),
            txns,
            accounts: accounts.into_iter().collect(),
        };
        self.chain.push(block.clone());
        block
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

#[test]
fn random_operations_and_reopenings_give_the_answers_of_a_plain_map() {
    let (mut operations, mut reopenings, mut switches, mut lagged) = (0, 0, 0, 0);
    for round in 0..2 * rounds() {
        let seed = 100 + round;
        println!("seed {seed}");
        let mut random = Random(seed);
        let dir = tempfile::tempdir().unwrap();
        let mut index = open(dir.path()).unwrap();
        let mut shadow = Shadow::new(&mut random, 60);
        for _ in 0..600 {
            for _ in 0..random.below(4) {
                index.put_block(&shadow.grow(&mut random)).unwrap();
            }
            for _ in 0..3 {
                shadow.ask(&mut index, &mut random).unwrap();
                operations += 12;
            }
            match random.below(60) {
                0..3 => {
                    // Killed: what the engine buffered is gone, or all was written.
                    if random.below(2) == 0 {
                        let copy = tempfile::tempdir().unwrap();
                        copy_files(dir.path(), copy.path());
                        drop(index);
                        replace_files(copy.path(), dir.path());
                    } else {
                        drop(index);
                    }
                    index = open(dir.path()).unwrap();
                    lagged += shadow.catch_up(&mut index).unwrap();
                    reopenings += 1;
                }
                3..6 => {
                    let keep = shadow.chain.len() as u64;
                    let keep = keep - random.below(keep.min(8) + 1);
                    shadow.switch(&mut index, keep as usize);
                    switches += 1;
                }
                6 => {
                    let at = height(random.below(shadow.chain.len() as u64 + 1));
                    shadow.ask_page(&mut index, at).unwrap();
                }
                _ => {}
            }
        }
        let tables = fs::read_dir(dir.path()).unwrap().count();
        assert!(tables > 10, "{tables} files: nothing was compacted");
    }
    println!(
        "{operations} look-ups, {reopenings} reopenings ({lagged} blocks put again), {switches} switches"
    );
    assert!(reopenings > 20 && switches > 20 && lagged > 20);
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

#[test]
fn a_process_killed_at_once_leaves_an_index_that_opens() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let index = open(dir.path()).unwrap();
    copy_files(dir.path(), copy.path());
    drop(index);
    assert_eq!(open(copy.path()).unwrap().height(), Height::ZERO);
}

#[test]
fn a_switch_and_back_gives_the_first_branch_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(6);
    let mut index = open(dir.path()).unwrap();
    let mut shadow = Shadow::new(&mut random, 10);
    for _ in 0..20 {
        index.put_block(&shadow.grow(&mut random)).unwrap();
    }
    let first = shadow.chain.clone();
    for _ in 0..5 {
        shadow.switch(&mut index, 10);
        for _ in 0..12 {
            index.put_block(&shadow.grow(&mut random)).unwrap();
        }
        shadow.switch(&mut index, 10);
        shadow
            .left
            .retain(|block| !first.iter().any(|one| one.id == block.id));
        for block in &first[10..] {
            index.put_block(block).unwrap();
            shadow.chain.push(block.clone());
        }
        for _ in 0..100 {
            shadow.ask(&mut index, &mut random).unwrap();
        }
        shadow.ask_page(&mut index, height(15)).unwrap();
    }
}

#[test]
fn blocks_out_of_order_are_refused_and_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(7);
    let mut index = open(dir.path()).unwrap();
    let mut shadow = Shadow::new(&mut random, 5);
    let (one, two) = (shadow.grow(&mut random), shadow.grow(&mut random));
    let gap = IndexError::Gap {
        got: height(2),
        expected: height(1),
    };
    assert_eq!(index.put_block(&two), Err(gap));
    index.put_block(&one).unwrap();
    assert!(index.put_block(&one).is_err());
    index.put_block(&two).unwrap();
    assert_eq!(index.height(), height(2));
}

#[test]
fn an_index_of_another_chain_or_without_files_is_refused_and_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let mut random = Random(8);
    let mut shadow = Shadow::new(&mut random, 5);
    let mut index = open(&path).unwrap();
    for _ in 0..300 {
        index.put_block(&shadow.grow(&mut random)).unwrap();
    }
    drop(index);
    let other = BlockId::new([1; 32]);
    let error = Index::open(&path, other).map(|_| ()).unwrap_err();
    assert_eq!(
        error,
        IndexError::OtherChain {
            got: GENESIS,
            expected: other
        }
    );
    for victim in ["CURRENT", "MANIFEST", ".ldb"] {
        let entry = fs::read_dir(&path)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let file = entry
            .into_iter()
            .find(|p| p.to_str().unwrap().contains(victim))
            .unwrap();
        fs::remove_file(&file).unwrap();
        let error = open(&path).map(|_| ()).unwrap_err();
        assert!(matches!(error, IndexError::Damaged(_)), "{victim}: {error}");
        let mut index = Index::rebuild(&path, GENESIS).unwrap();
        assert_eq!(index.height(), Height::ZERO);
        drop(index);
        index = Index::open(&path, GENESIS).unwrap();
        shadow.catch_up(&mut index).unwrap();
        shadow.ask(&mut index, &mut random).unwrap();
    }
    fs::remove_dir_all(&path).unwrap();
    let mut index = open(&path).unwrap();
    assert_eq!(shadow.catch_up(&mut index).unwrap(), 300);
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

#[test]
fn damaged_files_give_errors_but_never_wrong_answers() {
    let original = tempfile::tempdir().unwrap();
    let mut random = Random(9);
    let mut shadow = Shadow::new(&mut random, 30);
    let mut index = open(original.path()).unwrap();
    for _ in 0..150 {
        index.put_block(&shadow.grow(&mut random)).unwrap();
    }
    drop(index);
    let files = files(original.path());
    let (mut errors, mut harmless, mut kinds) = (0, 0, HashMap::new());
    let damage = |name: &str, bytes: &[u8], seed: u64| {
        let dir = tempfile::tempdir().unwrap();
        for (other, content) in &files {
            fs::write(
                dir.path().join(other),
                if other == name { bytes } else { content },
            )
            .unwrap();
        }
        survives(dir.path(), &shadow, seed)
    };
    let mut lost = 0;
    for name in files.keys().filter(|name| *name != "LOCK") {
        let dir = tempfile::tempdir().unwrap();
        for (other, content) in files.iter().filter(|(other, _)| *other != name) {
            fs::write(dir.path().join(other), content).unwrap();
        }
        if let Err(error) = survives(dir.path(), &shadow, 0) {
            assert!(error.is_damage(), "without {name}: {error}");
            lost += 1;
        }
    }
    assert!(lost > 5, "{lost}");
    for (name, content) in files.iter().filter(|(_, content)| !content.is_empty()) {
        // Tables are alike: the footers of a few, samples of the rest.
        let table = name.ends_with(".ldb");
        let ends = if rounds() == 1 && table && !name.contains('6') {
            0
        } else {
            48
        };
        let last = content.len().saturating_sub(ends);
        let step = (content.len() / (6 * rounds() as usize)).max(1);
        let samples = (0..last)
            .step_by(step)
            .chain((last..content.len()).step_by(3));
        for offset in samples {
            let mut bytes = content.clone();
            bytes[offset] ^= 1 << (offset % 8);
            for bytes in [&bytes[..], &content[..offset]] {
                let outcome = damage(name, bytes, offset as u64);
                *if outcome.is_err() {
                    &mut errors
                } else {
                    &mut harmless
                } += 1;
                if let Err(error) = outcome {
                    assert!(error.is_damage(), "{name} at {offset}: {error}");
                    *kinds.entry(name.clone()).or_insert(0) += 1;
                }
            }
        }
    }
    println!("{errors} errors, {harmless} harmless or caught up, errors by file {kinds:?}");
    assert!(errors > 100);
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

#[test]
fn a_manifest_that_lost_its_last_edit_is_refused() {
    for blocks in 20..60 {
        let dir = tempfile::tempdir().unwrap();
        let mut random = Random(blocks);
        let mut shadow = Shadow::new(&mut random, 30);
        let mut index = open(dir.path()).unwrap();
        for _ in 0..blocks {
            index.put_block(&shadow.grow(&mut random)).unwrap();
        }
        drop(index);
        let manifest = only(dir.path(), "MANIFEST");
        let mut bytes = fs::read(&manifest).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&manifest, bytes).unwrap();
        let outcome = survives(dir.path(), &shadow, blocks);
        assert!(
            matches!(outcome, Err(IndexError::Damaged(_))),
            "{blocks} blocks: {outcome:?}"
        );
    }
}

#[test]
fn a_hole_between_two_logs_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(10);
    let mut shadow = Shadow::new(&mut random, 10);
    let mut index = open(dir.path()).unwrap();
    for _ in 0..5 {
        index.put_block(&shadow.grow(&mut random)).unwrap();
    }
    drop(index);
    let before = tempfile::tempdir().unwrap();
    copy_files(dir.path(), before.path());
    let mut index = open(dir.path()).unwrap();
    for _ in 0..3 {
        index.put_block(&shadow.grow(&mut random)).unwrap();
    }
    drop(index);
    // The first log as it was, with the next one behind it: that is only a longer log.
    let (first, second) = (only(before.path(), ".log"), only(dir.path(), ".log"));
    fs::copy(&second, before.path().join("000099.log")).unwrap();
    replace_files(before.path(), dir.path());
    assert_eq!(open(dir.path()).unwrap().height(), height(8));
    let whole = fs::read(&first).unwrap();
    fs::write(&first, &whole[..whole.len() - 9]).unwrap();
    replace_files(before.path(), dir.path());
    let error = open(dir.path()).map(|_| ()).unwrap_err();
    assert!(matches!(error, IndexError::Damaged(_)), "{error}");
}

#[test]
fn tables_that_rot_while_the_node_runs_give_errors() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(11);
    let mut shadow = Shadow::new(&mut random, 30);
    let mut index = open(dir.path()).unwrap();
    for _ in 0..150 {
        index.put_block(&shadow.grow(&mut random)).unwrap();
    }
    drop(index);
    let (top, mut errors) = (height(150), 0);
    for address in &shadow.known {
        let mut index = open(dir.path()).unwrap();
        let whole = files(dir.path());
        for (name, content) in whole.iter().filter(|(name, _)| name.ends_with(".ldb")) {
            // What describes the table is in memory; its entries are not.
            let mut bytes = content.clone();
            bytes
                .iter_mut()
                .take(content.len() * 3 / 4)
                .for_each(|byte| *byte ^= 0x20);
            fs::write(dir.path().join(name), bytes).unwrap();
        }
        match index.account_at(address, top) {
            Ok(found) => assert_eq!(found, shadow.account_at(address, top)),
            Err(error) => {
                assert!(matches!(error, IndexError::Damaged(_)), "{error}");
                assert_eq!(index.check(), Err(error.clone()));
                assert_eq!(index.height_of(&shadow.chain[0].id), Err(error));
                errors += 1;
            }
        }
        drop(index);
        whole.iter().for_each(|(name, content)| {
            fs::write(dir.path().join(name), content).unwrap();
        });
    }
    assert!(errors > 10, "{errors}");
}

#[test]
fn the_index_may_move_to_its_thread() {
    fn send<T: Send>() {}
    send::<Index>();
}
