//! The block log under crashes, failing disks and flipped bytes.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::sim_disk::{Fault, SimDisk};
use super::{Random, rounds};
use crate::record::{self, HEADER};
use crate::segment;
use crate::{BlockLog, Position, ScannedLog, StorageError, Visit};

const BYTES: u64 = 8192;
const START: Position = Position(BYTES + segment::HEADER);

type Records = Vec<(Position, u8, Vec<u8>)>;

fn dir() -> PathBuf {
    PathBuf::from("/chain/blocks")
}

fn reopen(disk: &SimDisk, from: Position) -> Result<(BlockLog, Records), StorageError> {
    let mut found = Vec::new();
    let mut visit = |position, kind, payload: &[u8]| {
        found.push((position, kind, payload.to_vec()));
        Ok::<_, StorageError>(())
    };
    let log = read(disk, from, &mut visit)?.resume()?;
    Ok((log, found))
}

fn read(
    disk: &SimDisk,
    from: Position,
    visit: &mut Visit<'_, StorageError>,
) -> Result<ScannedLog, StorageError> {
    let before = disk.operations();
    let scanned = ScannedLog::read_on(Arc::new(disk.clone()), &dir(), BYTES, from, visit);
    assert_eq!(disk.operations(), before, "reading changes nothing");
    scanned
}

fn create(disk: &SimDisk) -> Result<BlockLog, StorageError> {
    BlockLog::create_on(Arc::new(disk.clone()), &dir(), BYTES)
}

/// A run of `count` records in groups until the disk fails: all that were appended, how
/// many of them were acknowledged, and how the run ended.
struct Run {
    records: Records,
    acknowledged: usize,
    created: bool,
    log: Option<BlockLog>,
    error: Option<StorageError>,
}

fn run(disk: &SimDisk, random: &mut Random, count: usize) -> Run {
    let mut run = Run {
        records: vec![],
        acknowledged: 0,
        created: false,
        log: None,
        error: None,
    };
    let log = match create(disk) {
        Ok(log) => run.log.insert(log),
        Err(error) => {
            run.error = Some(error);
            return run;
        }
    };
    run.created = true;
    while run.acknowledged < count {
        for _ in 0..=random.below(4) {
            let most = if random.below(4) == 0 { 3000 } else { 300 };
            let length = random.below(most);
            let (kind, payload) = (random.next() as u8, random.bytes(length as usize));
            let (head, tail) = payload.split_at(payload.len() / 2);
            match log.append(kind, &[head, tail]) {
                Ok(position) => run.records.push((position, kind, payload)),
                Err(error) => run.error = Some(error),
            }
        }
        match log.sync() {
            Ok(()) => run.acknowledged = run.records.len(),
            Err(error) => {
                run.error = Some(error);
                return run;
            }
        }
    }
    run
}

fn assert_recovered(found: &Records, run: &Run, what: &str) {
    assert!(
        found.len() >= run.acknowledged,
        "{what}: {} of {}",
        found.len(),
        run.acknowledged
    );
    assert!(
        run.records.starts_with(found),
        "{what}: not what was written"
    );
}

#[test]
fn power_loss_at_every_write_and_sync_keeps_what_was_acknowledged() {
    let whole = SimDisk::default();
    assert!(run(&whole, &mut Random(1), 200).error.is_none());
    let (operations, mut crashes, mut cut) = (whole.operations(), 0, 0);
    for at in 1..=operations {
        for round in 0..8 * rounds() {
            let seed = at * 1000 + round;
            let disk = SimDisk::fail_at(at, Fault::Crash);
            let run = run(&disk, &mut Random(1), 200);
            assert!(run.error.is_some(), "operation {at} was not reached");
            let disk = disk.after_crash(&mut Random(seed));
            crashes += 1;
            let (mut log, mut found) = match reopen(&disk, START) {
                Ok(opened) => opened,
                Err(error) => {
                    assert!(!run.created, "seed {seed}: {error}");
                    continue;
                }
            };
            assert_recovered(&found, &run, &format!("seed {seed}"));
            cut += usize::from(found.len() < run.records.len());
            // Stale bytes behind the cut must not come back behind new records.
            for _ in 0..3 {
                let payload = Random(seed).bytes(40);
                found.push((log.append(9, &[&payload]).unwrap(), 9, payload));
                log.sync().unwrap();
            }
            let disk = disk.after_crash(&mut Random(seed));
            assert_eq!(reopen(&disk, START).unwrap().1, found, "seed {seed}");
        }
    }
    println!("{operations} operations, {crashes} crashes, {cut} lost an unacknowledged tail");
    assert!(crashes >= 2000 && cut > 100, "{crashes} crashes, {cut} cut");
}

#[test]
fn a_killed_process_loses_nothing_it_wrote_and_its_tail_is_made_durable() {
    let whole = SimDisk::default();
    run(&whole, &mut Random(2), 60);
    for at in 1..=whole.operations() {
        let disk = SimDisk::fail_at(at, Fault::Crash);
        let run = run(&disk, &mut Random(2), 60);
        let disk = disk.after_kill();
        let Ok((_, found)) = reopen(&disk, START) else {
            assert!(!run.created);
            continue;
        };
        assert_recovered(&found, &run, &format!("killed at {at}"));
        // What a start has shown to the node is there after a power loss, too.
        let later = reopen(&disk.after_crash(&mut Random(at)), START).unwrap().1;
        assert_eq!(later, found, "killed at {at}, then power loss");
    }
}

#[test]
fn a_crash_while_a_torn_tail_is_cut_off_is_repaired_by_the_next_start() {
    let (mut repairs, mut points) = (0, 0);
    for seed in 0..200 * rounds() {
        let at = 30 + Random(seed).below(200);
        let disk = SimDisk::fail_at(at, Fault::Crash);
        let run = run(&disk, &mut Random(3), 100);
        let torn = disk.after_crash(&mut Random(seed));
        let copy = || torn.after_crash(&mut Random(0));
        let counted = copy();
        drop(reopen(&counted, START).unwrap());
        repairs += u64::from(counted.operations() > 2);
        for point in 1..=counted.operations() {
            let disk = copy();
            disk.set_fault(point, Fault::Crash);
            assert!(reopen(&disk, START).is_err());
            points += 1;
            let disk = disk.after_crash(&mut Random(seed + point));
            let found = reopen(&disk, START).unwrap().1;
            assert_recovered(&found, &run, &format!("seed {seed}, point {point}"));
        }
    }
    println!("{repairs} repairs were interrupted at {points} points");
    assert!(repairs > 20);
}

#[test]
fn a_failed_write_or_sync_poisons_the_log() {
    let whole = SimDisk::default();
    run(&whole, &mut Random(4), 60);
    let create_operations = {
        let disk = SimDisk::default();
        create(&disk).unwrap();
        disk.operations()
    };
    for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
        for at in create_operations + 1..=whole.operations() {
            let disk = SimDisk::fail_at(at, Fault::Once(kind));
            let run = run(&disk, &mut Random(4), 60);
            let Some(mut log) = run.log else {
                panic!("operation {at}: not created")
            };
            if run.error.is_none() {
                // The last preparation failed with nothing left to append.
                continue;
            }
            let before = disk.operations();
            assert!(
                matches!(log.append(1, &[b"x"]), Err(StorageError::Poisoned)),
                "{kind} {at}"
            );
            assert!(
                matches!(log.sync(), Err(StorageError::Poisoned)),
                "{kind} {at}"
            );
            assert_eq!(
                disk.operations(),
                before,
                "{kind} {at}: touched the disk again"
            );
            let acknowledged = log.reader().end();
            drop(log);
            let disk = disk.after_crash(&mut Random(at));
            let found = reopen(&disk, START).unwrap().1;
            let kept = found
                .iter()
                .filter(|record| record.0 < acknowledged)
                .count();
            assert!(
                kept >= run.acknowledged,
                "{kind} {at}: acknowledged records are gone"
            );
            assert!(run.records.starts_with(&found), "{kind} {at}");
        }
    }
}

#[test]
fn a_torn_tail_is_cut_at_every_byte_of_the_last_group() {
    let disk = SimDisk::default();
    let mut log = create(&disk).unwrap();
    let mut kept = Vec::new();
    for payload in [b"first".to_vec(), vec![7; 100]] {
        kept.push((log.append(1, &[&payload]).unwrap(), 1, payload));
    }
    log.sync().unwrap();
    let from = log.end();
    let group: Records = (0..3u8)
        .map(|n| (log.append(n, &[&[n + 1; 50]]).unwrap(), n, vec![n + 1; 50]))
        .collect();
    log.sync().unwrap();
    let (path, end) = (dir().join("00000001.log"), log.end());
    let whole = disk.content(&path);
    for cut in from.0..end.0 {
        let mut bytes = whole.clone();
        bytes[(cut - BYTES) as usize..].fill(0);
        let disk = disk.with_content(&path, &bytes);
        let (log, found) = reopen(&disk, START).unwrap();
        let whole_records = group
            .iter()
            .filter(|(at, ..)| at.0 + HEADER as u64 + 50 <= cut);
        let expected: Records = kept.iter().chain(whole_records).cloned().collect();
        assert_eq!(found, expected, "cut at {cut}");
        assert_eq!(
            disk.content(&path)[(log.end().0 - BYTES) as usize..]
                .iter()
                .max(),
            Some(&0)
        );
    }
}

/// Six synced groups over three segments; the last group has two records.
fn small_log() -> (SimDisk, Records, Position) {
    let disk = SimDisk::default();
    let mut log = create(&disk).unwrap();
    let (mut records, mut last_group) = (Vec::new(), log.end());
    for group in 0..6u8 {
        last_group = log.end();
        for n in 0..2 {
            let payload = vec![group * 2 + n + 1; 1500];
            records.push((log.append(group, &[&payload]).unwrap(), group, payload));
        }
        log.sync().unwrap();
    }
    assert!(log.end().0 / BYTES == 3, "{}", log.end());
    (disk, records, last_group)
}

#[test]
fn a_flipped_byte_anywhere_is_refused_or_cuts_only_the_last_group() {
    let (disk, records, last_group) = small_log();
    let (mut refused, mut cut, mut harmless) = (0, 0, 0);
    for path in disk.paths() {
        let whole = disk.content(&path);
        let number: u64 = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        for offset in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[offset] ^= 1 << (offset % 8);
            let disk = disk.with_content(&path, &bytes);
            let at = Position(number * BYTES + offset as u64);
            match reopen(&disk, START) {
                Ok((_, found)) if found == records => harmless += 1,
                Ok((_, found)) => {
                    assert!(at >= last_group, "{at}: acknowledged records were dropped");
                    assert!(records.starts_with(&found) && found.len() >= 10, "{at}");
                    cut += 1;
                }
                Err(StorageError::Damaged { path: named, .. }) => {
                    assert_eq!(named, path);
                    refused += 1;
                }
                Err(error) => panic!("{at}: {error}"),
            }
        }
    }
    println!("refused {refused}, cut {cut}, harmless {harmless}");
    assert!(refused > 10 * 1500 && cut > 1500);
}

#[test]
fn a_flipped_byte_is_never_read_back() {
    let (disk, records, _) = small_log();
    for path in disk.paths() {
        let whole = disk.content(&path);
        for offset in (segment::HEADER as usize..whole.len()).step_by(7) {
            let mut bytes = whole.clone();
            bytes[offset] ^= 0x10;
            let (log, _) = reopen(&disk, START).unwrap();
            let reader = log.reader();
            // The file rots while the node runs.
            disk.overwrite(&path, &bytes);
            for (position, kind, payload) in &records {
                match reader.read(*position) {
                    Ok(found) => assert_eq!(found, (*kind, payload.clone())),
                    Err(StorageError::Damaged { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            disk.overwrite(&path, &whole);
        }
    }
}

#[test]
fn records_of_another_log_or_another_place_are_refused() {
    let (disk, _, _) = small_log();
    let (other, ..) = small_log();
    for number in 1..=3 {
        let path = dir().join(format!("0000000{number}.log"));
        let foreign = disk.with_content(&path, &other.content(&path));
        let error = reopen(&foreign, START).map(|_| ()).unwrap_err();
        assert!(matches!(error, StorageError::Damaged { .. }), "{error}");
    }
    let path = dir().join("00000002.log");
    let moved = disk.with_content(&path, &disk.content(&dir().join("00000001.log")));
    assert!(matches!(
        reopen(&moved, START),
        Err(StorageError::Damaged { .. })
    ));
    let short = disk.with_content(&path, &disk.content(&path)[..100]);
    assert!(matches!(
        reopen(&short, START),
        Err(StorageError::Damaged { .. })
    ));
    disk.remove(&path);
    assert!(matches!(reopen(&disk, START), Err(StorageError::Missing { path: p }) if p == path));
}

#[test]
fn replay_begins_at_an_acknowledged_record_or_not_at_all() {
    let (disk, records, _) = small_log();
    for (index, record) in records.iter().enumerate() {
        assert_eq!(reopen(&disk, record.0).unwrap().1, records[index..]);
    }
    let end = reopen(&disk, START).unwrap().0.end();
    for wrong in [
        0,
        5,
        BYTES,
        START.0 + 1,
        end.0,
        end.0 + 1,
        9 * BYTES + 40,
        u64::MAX,
    ] {
        let error = reopen(&disk, Position(wrong)).map(|_| ()).unwrap_err();
        assert!(
            matches!(error, StorageError::Damaged { .. }),
            "{wrong}: {error}"
        );
    }
    assert_eq!(reopen(&disk, START).unwrap().1, records, "nothing was cut");
}

#[test]
fn a_reader_sees_what_is_synced_and_nothing_else() {
    let (disk, mut records, _) = small_log();
    let (mut log, _) = reopen(&disk, START).unwrap();
    let reader = log.reader();
    let unsynced = log.append(1, &[b"not yet"]).unwrap();
    assert!(matches!(
        reader.read(unsynced),
        Err(StorageError::Beyond { .. })
    ));
    log.sync().unwrap();
    records.push((unsynced, 1, b"not yet".to_vec()));
    for (position, kind, payload) in &records {
        assert_eq!(reader.read(*position).unwrap(), (*kind, payload.clone()));
    }
    assert_eq!(reader.read_range(unsynced, 4, 3).unwrap(), b"yet");
    assert!(matches!(
        reader.read_range(unsynced, 4, 4),
        Err(StorageError::Damaged { .. })
    ));
    assert!(reader.read_range(unsynced, u32::MAX, u32::MAX).is_err());
    for wrong in [0, START.0 + 1, unsynced.0 - 1, u64::MAX, BYTES] {
        assert!(reader.read(Position(wrong)).is_err(), "{wrong}");
    }
    let mut scanned = Vec::new();
    let mut visit = |position, kind, payload: &[u8]| {
        scanned.push((position, kind, payload.to_vec()));
        Ok::<_, StorageError>(())
    };
    reader.scan(records[3].0, &mut visit).unwrap();
    assert_eq!(scanned, records[3..]);
}

#[test]
fn a_payload_that_looks_like_records_proves_nothing() {
    // An attacker does not know the secret of the log, whatever else he copies.
    let disk = SimDisk::default();
    let mut log = create(&disk).unwrap();
    let at = log.end();
    let mut forged = Vec::new();
    for n in 0..20 {
        let inner = at.0 + HEADER as u64 + forged.len() as u64;
        record::encode(
            &mut forged,
            0x1234_5678_9abc_def0,
            inner,
            inner - 1,
            n,
            &[b"forged"],
        );
    }
    log.append(1, &[&forged]).unwrap();
    log.sync().unwrap();
    let path = dir().join("00000001.log");
    let mut bytes = disk.content(&path);
    bytes[(at.0 - BYTES) as usize + 4] ^= 1;
    assert_eq!(
        reopen(&disk.with_content(&path, &bytes), START).unwrap().1,
        []
    );
}

#[test]
fn a_record_that_is_too_long_changes_nothing() {
    let disk = SimDisk::default();
    let mut log = create(&disk).unwrap();
    let max = (BYTES - segment::HEADER) as usize - HEADER;
    let error = log.append(1, &[&vec![0; max], b"x"]).unwrap_err();
    assert!(matches!(error, StorageError::TooLong { .. }), "{error}");
    // Records that fill a segment to its last byte, several in one group.
    let mut records = Vec::new();
    for n in 1..5 {
        let payload = vec![n; max - usize::from(n % 2) * 15];
        records.push((log.append(n, &[&payload]).unwrap(), n, payload));
    }
    log.sync().unwrap();
    assert_eq!(reopen(&disk, START).unwrap().1, records);
}

#[test]
fn files_on_a_real_disk_are_of_full_size_before_use() {
    let dir = tempfile::tempdir().unwrap();
    let blocks = dir.path().join("blocks");
    let mut visit = |_, _, _: &[u8]| Ok::<_, StorageError>(());
    assert!(matches!(
        BlockLog::open(&blocks, Position::START, &mut visit),
        Err(StorageError::Missing { .. })
    ));
    let mut log = BlockLog::create(&blocks).unwrap();
    assert!(matches!(
        BlockLog::create(&blocks),
        Err(StorageError::Exists { .. })
    ));
    let payload = vec![1; 3_000_000];
    let mut last = Position(0);
    for _ in 0..7 {
        last = log.append(1, &[&payload]).unwrap();
        log.sync().unwrap();
    }
    assert_eq!(log.reader().read(last).unwrap(), (1, payload));
    drop(log);
    let size = |path: &Path| std::fs::metadata(path).unwrap().len();
    for entry in std::fs::read_dir(&blocks).unwrap() {
        assert_eq!(size(&entry.unwrap().path()), 16 << 20);
    }
    let mut count = 0;
    let mut visit = |_, _, _: &[u8]| {
        count += 1;
        Ok::<_, StorageError>(())
    };
    BlockLog::open(&blocks, Position::START, &mut visit).unwrap();
    assert_eq!(count, 7);
}
