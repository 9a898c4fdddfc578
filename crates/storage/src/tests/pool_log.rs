//! The pool log under crashes, failing disks and flipped bytes.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ccoin_core::{Timestamp, TxId};

use super::sim_disk::{Fault, SimDisk};
use super::{Random, rounds};
use crate::record;
use crate::segment::FileHeader;
use crate::{
    DroppedEntry, MAX_PAYLOAD, PoolContents, PoolEntry, PoolLog, PoolRecord, StorageError,
};

fn dir() -> PathBuf {
    PathBuf::from("/chain/pool")
}

fn open(disk: &SimDisk) -> Result<(PoolLog, Vec<PoolEntry>), StorageError> {
    let (log, contents) = open_whole(disk)?;
    assert_eq!(contents.lost, None);
    Ok((log, contents.waiting))
}

fn open_whole(disk: &SimDisk) -> Result<(PoolLog, PoolContents), StorageError> {
    PoolLog::open_on(Arc::new(disk.clone()), &dir(), &id_of)
}

/// Stands in for the id of a transaction.
fn id_of(bytes: &[u8]) -> Option<TxId> {
    let mut id = [0; 32];
    id[..20].copy_from_slice(bytes.get(..20)?);
    Some(TxId::new(id))
}

fn entry(number: u64) -> PoolEntry {
    let arrived = Timestamp::new(1_000 + number).unwrap();
    PoolEntry {
        arrived,
        bytes: Random(number).bytes(20 + (number % 90) as usize),
    }
}

fn records(entries: &[PoolEntry]) -> impl Iterator<Item = PoolRecord<'_>> {
    entries.iter().map(PoolEntry::record)
}

/// What was synced and is still live, and what may be there besides.
#[derive(Default)]
struct Run {
    synced: Vec<PoolEntry>,
    maybe: Vec<PoolEntry>,
    log: Option<PoolLog>,
    error: Option<StorageError>,
}

/// Appends, syncs and rolls over until the disk fails; live are the last 30 entries.
fn run(disk: &SimDisk, steps: u64) -> Run {
    let mut run = Run::default();
    let mut random = Random(5);
    let mut step = |run: &mut Run| -> Result<(), StorageError> {
        let log = match &mut run.log {
            Some(log) => log,
            None => run.log.insert(open(disk)?.0),
        };
        for number in 0..steps {
            let group: Vec<_> = (0..=random.below(3))
                .map(|n| entry(number * 10 + n))
                .collect();
            for one in &group {
                log.append(one.arrived, &one.bytes)?;
            }
            run.maybe.extend(group);
            log.sync()?;
            run.synced.append(&mut run.maybe);
            if random.below(6) == 0 {
                let live = run.synced.len().saturating_sub(30);
                run.maybe = run.synced.drain(..live).collect();
                log.rollover(records(&run.synced))?;
                run.maybe.clear();
            }
        }
        Ok(())
    };
    run.error = step(&mut run).err();
    run
}

fn assert_kept(found: &[PoolEntry], run: &Run, what: &str) {
    let missing = run.synced.iter().filter(|one| !found.contains(one)).count();
    let strange = found
        .iter()
        .filter(|one| !run.synced.contains(one) && !run.maybe.contains(one));
    assert_eq!((missing, strange.count()), (0, 0), "{what}");
}

#[test]
fn power_loss_at_every_write_and_sync_keeps_every_synced_transaction() {
    let whole = SimDisk::default();
    assert!(run(&whole, 60).error.is_none());
    let mut crashes = 0;
    for at in 1..=whole.operations() {
        for seed in 0..6 * rounds() {
            let disk = SimDisk::fail_at(at, Fault::Crash);
            let run = run(&disk, 60);
            let disk = disk.after_crash(&mut Random(seed));
            let (mut log, mut found) = open(&disk).unwrap();
            assert_kept(&found, &run, &format!("crash at {at}, seed {seed}"));
            let extra = entry(77_777);
            log.append(extra.arrived, &extra.bytes).unwrap();
            log.sync().unwrap();
            found.push(extra);
            let disk = disk.after_crash(&mut Random(seed));
            assert_eq!(
                open(&disk).unwrap().1,
                found,
                "after crash at {at}, seed {seed}"
            );
            crashes += 1;
        }
    }
    println!("{crashes} crashes");
    assert!(crashes > 500);
}

#[test]
fn a_failed_write_or_sync_poisons_the_log() {
    let whole = SimDisk::default();
    run(&whole, 30);
    let mut poisoned = 0;
    for at in 1..=whole.operations() {
        let disk = SimDisk::fail_at(at, Fault::Once(ErrorKind::StorageFull));
        let mut run = run(&disk, 30);
        assert!(run.error.is_some(), "operation {at}");
        if let Some(log) = &mut run.log {
            let before = disk.operations();
            let one = entry(1);
            assert!(matches!(
                log.append(one.arrived, &one.bytes),
                Err(StorageError::Poisoned)
            ));
            assert!(
                matches!(log.sync(), Err(StorageError::Poisoned)),
                "operation {at}"
            );
            assert!(matches!(
                log.rollover([].into_iter()),
                Err(StorageError::Poisoned)
            ));
            assert_eq!(
                disk.operations(),
                before,
                "operation {at}: touched the disk again"
            );
            poisoned += 1;
        }
        run.log = None;
        let found = open(&disk.after_crash(&mut Random(at))).unwrap().1;
        assert_kept(&found, &run, &format!("operation {at}"));
    }
    assert!(poisoned > 60, "{poisoned}");
}

#[test]
fn a_flipped_byte_is_refused_or_costs_only_what_was_written_last() {
    let disk = SimDisk::default();
    let (mut log, _) = open(&disk).unwrap();
    let base: Vec<_> = (0..5).map(entry).collect();
    log.rollover(records(&base)).unwrap();
    let mut all = base;
    for number in 10..14 {
        let one = entry(number);
        log.append(one.arrived, &one.bytes).unwrap();
        log.sync().unwrap();
        all.push(one);
    }
    let (mut refused, mut cut) = (0, 0);
    let newest: &Path = &dir().join("a");
    let whole = disk.content(newest);
    for offset in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[offset] ^= 1 << (offset % 8);
        match open(&disk.with_content(newest, &bytes)) {
            Ok((_, found)) => {
                assert_eq!(found, all[..all.len() - 1], "byte {offset}");
                cut += 1;
            }
            Err(StorageError::Damaged { path, .. }) => {
                assert_eq!(path, newest);
                refused += 1;
            }
            Err(error) => panic!("byte {offset}: {error}"),
        }
    }
    println!("refused {refused}, cut {cut}");
    assert_eq!(cut, 21 + 8 + all[8].bytes.len());
}

#[test]
fn what_was_dropped_keeps_its_reason_and_does_not_wait_unless_it_was_accepted_again() {
    let disk = SimDisk::default();
    let (mut log, _) = open(&disk).unwrap();
    let [first, second, third] = [entry(1), entry(2), entry(3)];
    for one in [&first, &second, &third, &first] {
        log.append(one.arrived, &one.bytes).unwrap();
    }
    let at = Timestamp::new(9_000).unwrap();
    for (one, reason) in [(&second, "its number is used"), (&third, "no funds")] {
        log.append_dropped(at, reason, &one.bytes).unwrap();
    }
    log.append(third.arrived, &third.bytes).unwrap();
    log.sync().unwrap();
    drop(log);
    let dropped = DroppedEntry {
        at,
        reason: "its number is used".to_owned(),
        bytes: second.bytes,
    };
    for _ in 0..2 {
        // The second time it is read from the generation that the first has written.
        let (mut log, contents) = open_whole(&disk).unwrap();
        assert_eq!(contents.waiting, [first.clone(), third.clone()]);
        assert_eq!(contents.dropped, std::slice::from_ref(&dropped));
        let live = [first.record(), third.record(), dropped.record()];
        log.rollover(live.into_iter()).unwrap();
    }
}

#[test]
fn a_long_reason_is_cut_and_an_unknown_kind_of_record_is_damage() {
    let disk = SimDisk::default();
    let (mut log, _) = open(&disk).unwrap();
    let one = entry(1);
    let reason = "\u{e9}".repeat(40_000);
    log.append_dropped(one.arrived, &reason, &one.bytes)
        .unwrap();
    log.sync().unwrap();
    drop(log);
    let (log, contents) = open_whole(&disk).unwrap();
    assert_eq!(contents.dropped[0].reason, reason[..1_000]);
    drop(log);

    let path = dir().join("a");
    let mut bytes = disk.content(&path);
    let header = bytes[..32].try_into().unwrap();
    let header = FileHeader::decode(&path, &header).unwrap().unwrap();
    bytes.truncate(32);
    record::encode(&mut bytes, header.seed, 32, 32, 7, &[&[0; 40]]);
    let error = open(&disk.with_content(&path, &bytes))
        .map(|_| ())
        .unwrap_err();
    assert!(matches!(error, StorageError::Damaged { .. }), "{error}");
}

#[test]
fn a_file_that_is_gone_or_older_than_it_can_be_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let open = || PoolLog::open(dir.path(), &id_of).unwrap();
    let (mut log, contents) = open();
    assert_eq!((contents.lost, contents.mark.0), (None, 0));
    let one = entry(1);
    log.append(one.arrived, &one.bytes).unwrap();
    log.sync().unwrap();
    let oldest = std::fs::read(path("b")).unwrap();
    let mark = log.mark();
    drop(log);
    for newest in ["a", "b", "a", "b"] {
        let (log, contents) = open();
        assert_eq!(contents.lost, None, "before {newest}");
        assert_eq!(contents.waiting, std::slice::from_ref(&one));
        assert!(contents.mark >= mark && log.mark() > contents.mark);
    }
    std::fs::write(path("b"), oldest).unwrap();
    assert_eq!(
        open().1.lost,
        Some(path("b")),
        "it is three generations older"
    );
    std::fs::remove_file(path("a")).unwrap();
    assert_eq!(open().1.lost, Some(path("a")));
    assert_eq!(open().1.lost, None, "it is told once");
}

#[test]
fn files_are_recycled_and_old_entries_do_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, found) = PoolLog::open(dir.path(), &id_of).unwrap();
    assert_eq!(found.waiting, []);
    for number in 0..50 {
        log.append(entry(number).arrived, &entry(number).bytes)
            .unwrap();
    }
    log.sync().unwrap();
    let live = [entry(48), entry(49)];
    for _ in 0..5 {
        log.rollover(records(&live)).unwrap();
        drop(log);
        let (opened, found) = PoolLog::open(dir.path(), &id_of).unwrap();
        assert_eq!(found.waiting, live);
        log = opened;
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    assert!(!log.wants_rollover(0));
    let big = vec![0; MAX_PAYLOAD - 8];
    for _ in 0..11 {
        log.append(entry(0).arrived, &big).unwrap();
    }
    assert!(log.wants_rollover(0) && !log.wants_rollover(12 << 20));
    let error = log
        .append(entry(0).arrived, &vec![0; MAX_PAYLOAD - 7])
        .unwrap_err();
    assert!(matches!(error, StorageError::TooLong { .. }), "{error}");
}
