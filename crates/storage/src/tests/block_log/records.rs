//! Which records a reader accepts.

use super::*;

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
