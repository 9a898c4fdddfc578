//! What a crash, a killed process and a failed write leave of the log.

use super::*;

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
