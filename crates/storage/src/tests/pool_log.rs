//! The pool log under crashes, failing disks and flipped bytes.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ccoin_core::{Timestamp, TxId};

use super::sim_disk::{Fault, SimDisk};
use super::{Random, rounds};
use crate::{MAX_PAYLOAD, PoolEntry, PoolLog, StorageError};

fn dir() -> PathBuf {
    PathBuf::from("/chain/pool")
}

fn open(disk: &SimDisk) -> Result<(PoolLog, Vec<PoolEntry>), StorageError> {
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

fn pairs(entries: &[PoolEntry]) -> impl Iterator<Item = (Timestamp, &[u8])> {
    entries
        .iter()
        .map(|entry| (entry.arrived, entry.bytes.as_slice()))
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
                log.rollover(pairs(&run.synced))?;
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
    log.rollover(pairs(&base)).unwrap();
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
fn what_was_dropped_does_not_come_back_unless_it_was_accepted_again() {
    let disk = SimDisk::default();
    let (mut log, _) = open(&disk).unwrap();
    let [first, second, third] = [entry(1), entry(2), entry(3)];
    for one in [&first, &second, &third, &first] {
        log.append(one.arrived, &one.bytes).unwrap();
    }
    for one in [&second, &third] {
        log.append_dropped(&id_of(&one.bytes).unwrap()).unwrap();
    }
    log.append(third.arrived, &third.bytes).unwrap();
    log.sync().unwrap();
    drop(log);
    for _ in 0..2 {
        // The second time it is read from the generation that the first has written.
        assert_eq!(open(&disk).unwrap().1, [first.clone(), third.clone()]);
    }
}

#[test]
fn files_are_recycled_and_old_entries_do_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, found) = PoolLog::open(dir.path(), &id_of).unwrap();
    assert_eq!(found, []);
    for number in 0..50 {
        log.append(entry(number).arrived, &entry(number).bytes)
            .unwrap();
    }
    log.sync().unwrap();
    let live = [entry(48), entry(49)];
    for _ in 0..5 {
        log.rollover(pairs(&live)).unwrap();
        drop(log);
        let (opened, found) = PoolLog::open(dir.path(), &id_of).unwrap();
        assert_eq!(found, live);
        log = opened;
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    assert!(!log.wants_rollover(0));
    let big = vec![0; MAX_PAYLOAD - 8];
    for _ in 0..11 {
        log.append(entry(0).arrived, &big).unwrap();
    }
    assert!(log.wants_rollover(0) && !log.wants_rollover(9 << 20));
    let error = log
        .append(entry(0).arrived, &vec![0; MAX_PAYLOAD - 7])
        .unwrap_err();
    assert!(matches!(error, StorageError::TooLong { .. }), "{error}");
}
