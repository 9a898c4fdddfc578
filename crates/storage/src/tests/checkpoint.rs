//! Checkpoints: what is read is what was written, or an older one, or nothing.

use std::fs;
use std::path::Path;

use ccoin_core::Address;

use super::{Random, height};
use crate::{
    AccountBytes, Accounts, CheckpointHead, Position, StorageError, load_newest, write_checkpoint,
};

type Made = Vec<(Address, AccountBytes)>;

fn head(number: u64) -> CheckpointHead {
    let id = Random(number).block_id();
    CheckpointHead {
        height: height(number),
        id,
        position: Position(number),
        note: vec![7; 5],
    }
}

fn accounts(seed: u64, count: usize) -> Made {
    let mut random = Random(seed);
    let mut accounts: Made = (0..count)
        .map(|_| (random.address(), random.bytes(16).try_into().unwrap()))
        .collect();
    accounts.sort();
    accounts
}

fn load(dir: &Path) -> Option<(CheckpointHead, Made)> {
    load_newest(dir, |_, accounts: &mut Accounts| Some(accounts.collect())).unwrap()
}

#[test]
fn the_newest_two_are_kept_and_the_newest_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(load(&dir.path().join("none")), None);
    // 9 and 10: names must sort as numbers do.
    for number in [8, 9, 10] {
        let accounts = accounts(number, 1000);
        write_checkpoint(dir.path(), &head(number), accounts.into_iter()).unwrap();
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    assert_eq!(load(dir.path()), Some((head(10), accounts(10, 1000))));
    let older = load_newest(dir.path(), |head, accounts: &mut Accounts| {
        (head.height == height(9)).then(|| accounts.count())
    });
    assert_eq!(older.unwrap(), Some((head(9), 1000)));
}

#[test]
fn a_bad_file_is_never_loaded_and_the_one_before_serves() {
    let dir = tempfile::tempdir().unwrap();
    for number in [1, 2] {
        write_checkpoint(dir.path(), &head(number), accounts(number, 4).into_iter()).unwrap();
    }
    let path = dir.path().join("0000000000000002.state");
    let whole = fs::read(&path).unwrap();
    let older = Some((head(1), accounts(1, 4)));
    for byte in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[byte] ^= 1 << (byte % 8);
        fs::write(&path, &bytes).unwrap();
        assert_eq!(load(dir.path()), older, "flipped at {byte}");
        fs::write(&path, &whole[..byte]).unwrap();
        assert_eq!(load(dir.path()), older, "cut at {byte}");
    }
    let mut longer = whole.clone();
    longer.extend_from_slice(&whole[whole.len() - 36..]);
    fs::write(&path, &longer).unwrap();
    assert_eq!(load(dir.path()), older);
    // A caller that stops early does not hide a bad rest.
    let mut bytes = whole;
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let early = load_newest(dir.path(), |_, accounts: &mut Accounts| accounts.next());
    assert_eq!(early.unwrap().map(|(head, _)| head), Some(head(1)));
}

#[test]
fn a_failed_or_unsorted_checkpoint_leaves_the_old_ones() {
    let dir = tempfile::tempdir().unwrap();
    write_checkpoint(dir.path(), &head(1), accounts(1, 9).into_iter()).unwrap();
    let mut wrong = accounts(2, 9);
    wrong.swap(3, 4);
    let error = write_checkpoint(dir.path(), &head(2), wrong.into_iter()).unwrap_err();
    assert!(
        matches!(error, StorageError::Unsorted { number: 4 }),
        "{error}"
    );
    assert_eq!(load(dir.path()), Some((head(1), accounts(1, 9))));
}
