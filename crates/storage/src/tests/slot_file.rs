//! The two copies under crashes, failing disks, torn writes and rotten bytes.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::sim_disk::{Fault, SimDisk};
use super::{Random, rounds};
use crate::slot_file::{Layout, SlotFile, SlotFileError};

const LAYOUT: Layout = Layout {
    magic: *b"cctests",
    version: 3,
    item: 8,
};
/// Room of a copy in a file that never grew.
const ROOM: usize = 16 << 10;
/// Bytes of a copy besides its items.
const FRAME: usize = 52;

fn path() -> PathBuf {
    PathBuf::from("/keys/record")
}

fn open(disk: &SimDisk) -> Result<SlotFile, SlotFileError> {
    SlotFile::open(Arc::new(disk.clone()), &path(), LAYOUT)
}

/// Records of changing lengths: empty, within a sector, over many, more than there is room for.
fn content(number: u64) -> Vec<u8> {
    let items = [1, 0, 90, 700, 2, 2_100, 3, 5_000][number as usize % 8];
    Random(number).bytes(items * LAYOUT.item)
}

/// Which record was stored for sure, and which one perhaps.
struct Run {
    stored: Option<u64>,
    tried: u64,
}

/// Creates the file and stores records 1 to `last` until the disk fails.
fn run(disk: &SimDisk, last: u64) -> Run {
    let mut run = Run {
        stored: None,
        tried: 0,
    };
    let Ok(mut file) = SlotFile::create(Arc::new(disk.clone()), &path(), LAYOUT, Vec::new()) else {
        return run;
    };
    run.stored = Some(0);
    for number in 1..=last {
        run.tried = number;
        if file.store(content(number)).is_err() {
            let error = file.store(content(0)).unwrap_err();
            assert!(matches!(error, SlotFileError::Poisoned), "{error}");
            return run;
        }
        run.stored = Some(number);
    }
    run
}

/// Opens the file and checks that it holds the last stored record or the one after it.
fn check(disk: &SimDisk, run: &Run, context: &str) -> Option<SlotFile> {
    let file = match open(disk) {
        Err(SlotFileError::Missing) if run.stored.is_none() => return None,
        opened => opened.unwrap_or_else(|error| panic!("{context}: {error}")),
    };
    let content_of = |number| match number {
        0 => Vec::new(),
        number => content(number),
    };
    let known = [run.stored.unwrap_or(0), run.tried].map(content_of);
    assert!(
        known.iter().any(|content| content == file.content()),
        "{context}: neither record {:?} nor {}",
        run.stored,
        run.tried
    );
    Some(file)
}

/// How many operations a run of `last` records takes.
fn operations(last: u64) -> u64 {
    let disk = SimDisk::default();
    run(&disk, last);
    disk.operations()
}

#[test]
fn power_loss_at_any_operation_leaves_the_stored_record_or_the_next() {
    for at in 1..=operations(9) {
        for seed in 0..8 * rounds() {
            let context = format!("operation {at} seed {seed}");
            let disk = SimDisk::fail_at(at, Fault::Crash);
            let run = run(&disk, 9);
            let survived = disk.after_crash(&mut Random(seed));
            let Some(mut file) = check(&survived, &run, &context) else {
                continue;
            };
            let found = file.content().to_vec();
            assert_eq!(open(&survived).unwrap().content(), found, "{context}");
            file.store(content(4)).unwrap();
            assert_eq!(open(&survived).unwrap().content(), content(4), "{context}");
        }
    }
}

#[test]
fn power_loss_while_the_other_copy_is_mended_loses_no_record() {
    for at in 1..=operations(9) {
        for seed in 0..4 * rounds() {
            for mending in 1..=4 {
                let context = format!("operation {at}, mending {mending}, seed {seed}");
                let disk = SimDisk::fail_at(at, Fault::Crash);
                let run = run(&disk, 9);
                let mut random = Random(seed);
                let survived = disk.after_crash(&mut random);
                survived.set_fault(mending, Fault::Crash);
                drop(open(&survived));
                check(&survived.after_crash(&mut random), &run, &context);
            }
        }
    }
}

#[test]
fn a_failed_write_or_sync_stores_nothing_more_and_loses_no_record() {
    for at in 1..=operations(9) {
        for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
            for seed in 0..4 * rounds() {
                let context = format!("operation {at} {kind} seed {seed}");
                let disk = SimDisk::fail_at(at, Fault::Once(kind));
                let run = run(&disk, 9);
                assert!(run.stored != Some(9), "{context}: nothing failed");
                let mut random = Random(seed);
                check(&disk.after_crash(&mut random), &run, &context);
                let killed = disk.after_kill();
                check(&killed, &run, &context);
                check(&killed.after_crash(&mut random), &run, &context);
            }
        }
    }
}

#[test]
fn a_rotten_byte_in_either_copy_takes_no_record_back() {
    let disk = SimDisk::default();
    run(&disk, 2);
    let (good, used) = (disk.content(&path()), content(2).len() + FRAME);
    for at in (0..used).chain(ROOM..ROOM + used) {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        let rotten = disk.with_content(&path(), &bytes);
        assert_eq!(open(&rotten).unwrap().content(), content(2), "byte {at}");
        assert_eq!(rotten.content(&path()), good, "byte {at} was not mended");
    }
}

#[test]
fn rot_after_a_torn_write_takes_no_stored_record_back() {
    for at in 1..=operations(3) {
        for seed in 0..8 * rounds() {
            let disk = SimDisk::fail_at(at, Fault::Crash);
            let run = run(&disk, 3);
            let survived = disk.after_crash(&mut Random(seed));
            let context = format!("operation {at} seed {seed}");
            let Some(file) = check(&survived, &run, &context) else {
                continue;
            };
            let found = file.content().to_vec();
            for copy in [0, ROOM] {
                let mut bytes = survived.content(&path());
                bytes[copy + 10] ^= 1;
                let rotten = survived.with_content(&path(), &bytes);
                assert_eq!(open(&rotten).unwrap().content(), found, "{context}");
            }
        }
    }
}

#[test]
fn a_file_cut_anywhere_keeps_its_record_or_is_damaged() {
    let disk = SimDisk::default();
    run(&disk, 2);
    let (good, used) = (disk.content(&path()), content(2).len() + FRAME);
    for length in (0..2 * used + 2).chain(ROOM - 2..ROOM + used + 2) {
        let cut = disk.with_content(&path(), &good[..length]);
        match open(&cut) {
            Ok(file) => assert_eq!(file.content(), content(2), "length {length}"),
            Err(error) => {
                assert!(matches!(error, SlotFileError::Damaged), "{error}");
                assert!(length / 2 < used, "length {length}");
                continue;
            }
        }
        let mut file = open(&cut).unwrap();
        file.store(content(7)).unwrap();
        assert_eq!(open(&cut).unwrap().content(), content(7), "length {length}");
    }
}

#[test]
fn missing_existing_damaged_and_foreign_files_are_told_apart() {
    let disk = SimDisk::default();
    assert!(matches!(open(&disk), Err(SlotFileError::Missing)));
    run(&disk, 2);
    let error = SlotFile::create(Arc::new(disk.clone()), &path(), LAYOUT, Vec::new())
        .err()
        .unwrap();
    assert!(matches!(error, SlotFileError::Exists), "{error}");

    let mut bytes = disk.content(&path());
    bytes[10] ^= 1;
    bytes[ROOM + 10] ^= 1;
    for bytes in [&bytes[..], &[], &[0; 2 * ROOM], &[0xff; 100]] {
        let bad = disk.with_content(&path(), bytes);
        assert!(matches!(open(&bad), Err(SlotFileError::Damaged)));
        assert_eq!(bad.content(&path()), bytes, "a damaged file is not touched");
    }
    let later = Layout {
        version: 4,
        ..LAYOUT
    };
    let error = SlotFile::open(Arc::new(disk.clone()), &path(), later)
        .err()
        .unwrap();
    assert_eq!(error.to_string(), "has version 3, expected 4");
}

#[test]
fn a_record_longer_than_the_limit_changes_nothing() {
    let disk = SimDisk::default();
    run(&disk, 2);
    let mut file = open(&disk).unwrap();
    let error = file.store(vec![1; 16 << 20]).unwrap_err();
    assert!(matches!(error, SlotFileError::TooLong { .. }), "{error}");
    file.store(vec![1; (16 << 20) - 56]).unwrap();
    assert_eq!(open(&disk).unwrap().content(), vec![1; (16 << 20) - 56]);
}

#[test]
fn a_new_file_lies_on_a_real_disk_under_its_name_alone() {
    use crate::disk::RealDisk;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("record");
    let mut file = SlotFile::create(Arc::new(RealDisk), &path, LAYOUT, Vec::new()).unwrap();
    for number in 1..9 {
        file.store(content(number)).unwrap();
    }
    let file = SlotFile::open(Arc::new(RealDisk), &path, LAYOUT).unwrap();
    assert_eq!(file.content(), content(8));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    let directory = SlotFile::open(Arc::new(RealDisk), Path::new("/"), LAYOUT);
    assert!(matches!(directory, Err(SlotFileError::Io(_))));
}
