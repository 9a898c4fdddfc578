//! The index on a disk that fills up, at every amount of room: after the
//! first failure it answers and writes nothing, and what a restart finds is
//! right or refused.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ccoin_core::BlockId;
use rusty_leveldb::env::{Env, FileLock, Logger, RandomAccess};
use rusty_leveldb::{PosixDiskEnv, Result};

use super::index::{Shadow, small};
use super::{Random, rounds};
use crate::{Index, IndexError};

const GENESIS: BlockId = BlockId::new([9; 32]);

/// Fails one write when the room is used up; with `recovers`, later writes work again.
struct FullDisk {
    disk: PosixDiskEnv,
    room: Rc<Cell<u64>>,
    recovers: bool,
}

struct FullFile {
    file: Box<dyn Write>,
    room: Rc<Cell<u64>>,
    recovers: bool,
}

impl Write for FullFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (room, wanted) = (self.room.get(), bytes.len() as u64);
        if wanted > room {
            self.room.set(if self.recovers { u64::MAX / 2 } else { 0 });
            self.file.write_all(&bytes[..room as usize])?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room.set(room - wanted);
        self.file.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Env for FullDisk {
    fn open_sequential_file(&self, path: &Path) -> Result<Box<dyn Read>> {
        self.disk.open_sequential_file(path)
    }

    fn open_random_access_file(&self, path: &Path) -> Result<Box<dyn RandomAccess>> {
        self.disk.open_random_access_file(path)
    }

    fn open_writable_file(&self, path: &Path) -> Result<Box<dyn Write>> {
        let file = self.disk.open_writable_file(path)?;
        Ok(Box::new(FullFile {
            file,
            room: Rc::clone(&self.room),
            recovers: self.recovers,
        }))
    }

    fn open_appendable_file(&self, path: &Path) -> Result<Box<dyn Write>> {
        self.disk.open_appendable_file(path)
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        self.disk.exists(path)
    }

    fn children(&self, path: &Path) -> Result<Vec<PathBuf>> {
        self.disk.children(path)
    }

    fn size_of(&self, path: &Path) -> Result<usize> {
        self.disk.size_of(path)
    }

    fn delete(&self, path: &Path) -> Result<()> {
        self.disk.delete(path)
    }

    fn mkdir(&self, path: &Path) -> Result<()> {
        self.disk.mkdir(path)
    }

    fn rmdir(&self, path: &Path) -> Result<()> {
        self.disk.rmdir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.disk.rename(from, to)
    }

    fn lock(&self, path: &Path) -> Result<FileLock> {
        self.disk.lock(path)
    }

    fn unlock(&self, lock: FileLock) -> Result<()> {
        self.disk.unlock(lock)
    }

    fn new_logger(&self, path: &Path) -> Result<Logger> {
        self.disk.new_logger(path)
    }

    fn micros(&self) -> u64 {
        self.disk.micros()
    }

    fn sleep_for(&self, micros: u32) {
        self.disk.sleep_for(micros);
    }
}

fn open(
    dir: &Path,
    room: u64,
    recovers: bool,
) -> (Rc<Cell<u64>>, std::result::Result<Index, IndexError>) {
    let room = Rc::new(Cell::new(room));
    let disk = FullDisk {
        disk: PosixDiskEnv::new(),
        room: Rc::clone(&room),
        recovers,
    };
    (room, Index::open_on(Box::new(disk), dir, GENESIS, small()))
}

#[test]
fn a_full_disk_stops_the_index_and_never_gives_a_wrong_answer() {
    const PLENTY: u64 = u64::MAX / 2;
    let blocks = |random: &mut Random, shadow: &mut Shadow, index: &mut Index| {
        (0..120).try_for_each(|_| index.put_block(&shadow.grow(random)))
    };
    let total = {
        let dir = tempfile::tempdir().unwrap();
        let (room, index) = open(dir.path(), PLENTY, false);
        let mut shadow = Shadow::new(&mut Random(1), 30);
        blocks(&mut Random(2), &mut shadow, &mut index.unwrap()).unwrap();
        PLENTY - room.get()
    };
    let (mut stopped, mut right, mut refused) = (0, 0, 0);
    for step in 0..150 * rounds() {
        let amount = total * step / (150 * rounds());
        let dir = tempfile::tempdir().unwrap();
        let mut shadow = Shadow::new(&mut Random(1), 30);
        let (_, index) = open(dir.path(), amount, step % 2 == 0);
        if let Ok(mut index) = index {
            let Err(error) = blocks(&mut Random(2), &mut shadow, &mut index) else {
                // Only what is buffered until the end did not fit.
                assert!(amount > total - (16 << 10), "room {amount}");
                continue;
            };
            assert!(matches!(error, IndexError::Io(_)), "room {amount}: {error}");
            let last = shadow.chain.last().unwrap().clone();
            assert_eq!(index.put_block(&last), Err(error.clone()), "room {amount}");
            assert_eq!(
                index.account_at(&shadow.known[0], last.height),
                Err(error.clone())
            );
            assert_eq!(index.block_at(ccoin_core::Height::GENESIS), Err(error));
            stopped += 1;
        }
        // The disk has room again and the node starts: right, or rebuilt.
        let reopened = open(dir.path(), PLENTY, false).1;
        match reopened.and_then(|mut index| shadow.catch_up(&mut index).map(|_| index)) {
            Ok(mut index) => {
                // Not the seed of the blocks: what is random here must be new.
                let mut random = Random(1_000_000 + step);
                for _ in 0..10 {
                    shadow.ask(&mut index, &mut random).unwrap();
                }
                let top = super::height(shadow.chain.len() as u64);
                shadow.ask_page(&mut index, top).unwrap();
                right += 1;
            }
            Err(error) => {
                assert!(
                    matches!(error, IndexError::Damaged(_)),
                    "room {amount}: {error}"
                );
                println!("room {amount}: {error}");
                refused += 1;
            }
        }
    }
    println!("{total} bytes; stopped {stopped}, then right {right}, refused {refused}");
    assert!(stopped > 100 && right > 100);
}
