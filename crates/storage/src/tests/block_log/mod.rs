//! The block log under crashes, failing disks and flipped bytes.

mod power_loss;
mod records;

use super::sim_disk::{Fault, SimDisk};
use super::{Random, rounds};
use crate::record::{self, HEADER};
use crate::segment;
use crate::{BlockLog, Position, ScannedLog, StorageError, Visit};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
