//! A disk in memory that fails at a chosen operation. After a crash, writes
//! that were not synced are lost, kept or torn at 512 bytes, in any order, and
//! so are creations and renames whose directory was not synced.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use super::Random;
use crate::StorageError;
use crate::disk::{Disk, DiskFile, Job};

const SECTOR: usize = 512;

/// What happens at the chosen operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Power loss: nothing works from then on.
    Crash,
    /// This one operation fails, half done; the disk then works again.
    Once(io::ErrorKind),
}

#[derive(Default)]
struct FileState {
    /// What programs see.
    seen: Vec<u8>,
    /// What survives for sure.
    durable: Vec<u8>,
    /// Writes since the last sync.
    loose: Vec<(usize, Vec<u8>)>,
}

#[derive(Default)]
struct State {
    files: Vec<FileState>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    operations: u64,
    fault: Option<(u64, Fault)>,
    crashed: bool,
}

impl State {
    /// Counts an operation that changes something; true if it must fail.
    fn count(&mut self) -> io::Result<bool> {
        self.operations += 1;
        if self.crashed {
            return Err(io::Error::other("no power"));
        }
        match self.fault {
            Some((at, fault)) if at == self.operations => {
                self.crashed = fault == Fault::Crash;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn failure(&self) -> io::Error {
        match self.fault {
            Some((_, Fault::Once(kind))) => kind.into(),
            _ => io::Error::other("no power"),
        }
    }
}

/// The disk; clones share it.
#[derive(Clone, Default)]
pub(crate) struct SimDisk(Arc<Mutex<State>>);

struct SimFile {
    disk: SimDisk,
    file: usize,
}

impl SimDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Fails the operation with number `at`, counted from 1.
    pub(crate) fn fail_at(at: u64, fault: Fault) -> Self {
        let disk = Self::default();
        disk.state().fault = Some((at, fault));
        disk
    }

    /// Fails the operation with number `at` from now on.
    pub(crate) fn set_fault(&self, at: u64, fault: Fault) {
        let mut state = self.state();
        state.operations = 0;
        state.fault = Some((at, fault));
    }

    /// Changes the bytes of a file under those who have it open.
    pub(crate) fn overwrite(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.state();
        let file = state.names[path];
        state.files[file].seen = bytes.to_vec();
    }

    /// Removes a file.
    pub(crate) fn remove(&self, path: &Path) {
        let mut state = self.state();
        state.names.remove(path);
    }

    /// Writes, syncs, creations and renames so far.
    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    /// What a machine finds after power loss.
    pub(crate) fn after_crash(&self, random: &mut Random) -> Self {
        let state = self.state();
        let mut survived = State::default();
        for path in state.names.keys().chain(state.durable_names.keys()) {
            let (new, old) = (state.names.get(path), state.durable_names.get(path));
            let kept = if random.below(2) == 0 { new } else { old };
            if let Some(&file) = kept {
                survived.names.insert(path.clone(), file);
            }
        }
        survived.durable_names = survived.names.clone();
        for file in &state.files {
            let mut bytes = file.durable.clone();
            let all = random.below(4) == 0;
            for (offset, written) in &file.loose {
                let mut at = *offset;
                while at < offset + written.len() {
                    let end = ((at / SECTOR + 1) * SECTOR).min(offset + written.len());
                    if all || random.below(2) == 0 {
                        put(&mut bytes, at, &written[at - offset..end - offset]);
                    }
                    at = end;
                }
            }
            survived.files.push(FileState {
                seen: bytes.clone(),
                durable: bytes,
                loose: vec![],
            });
        }
        Self(Arc::new(Mutex::new(survived)))
    }

    /// What a new process finds after the old one was killed.
    pub(crate) fn after_kill(&self) -> Self {
        let mut state = self.state();
        state.fault = None;
        state.crashed = false;
        drop(state);
        self.clone()
    }

    /// The bytes of a file that exists.
    pub(crate) fn content(&self, path: &Path) -> Vec<u8> {
        let state = self.state();
        state.files[state.names[path]].seen.clone()
    }

    /// A durable copy of this disk where one file has other bytes.
    pub(crate) fn with_content(&self, path: &Path, bytes: &[u8]) -> Self {
        let state = self.state();
        let mut copy = State {
            names: state.names.clone(),
            ..State::default()
        };
        copy.durable_names = copy.names.clone();
        for file in &state.files {
            let seen = file.seen.clone();
            copy.files.push(FileState {
                durable: seen.clone(),
                seen,
                loose: vec![],
            });
        }
        let changed = copy.names[path];
        copy.files[changed].seen = bytes.to_vec();
        copy.files[changed].durable = bytes.to_vec();
        Self(Arc::new(Mutex::new(copy)))
    }

    /// Paths of all files.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.state().names.keys().cloned().collect()
    }

    fn handle(&self, file: usize) -> Arc<dyn DiskFile> {
        Arc::new(SimFile {
            disk: self.clone(),
            file,
        })
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, written: &[u8]) {
    let end = offset + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(written);
}

impl Disk for SimDisk {
    fn make_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        if state.count()? {
            return Err(state.failure());
        }
        let file = state.files.len();
        state.files.push(FileState::default());
        state.names.insert(path.into(), file);
        Ok(self.handle(file))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.state();
        if state.crashed {
            return Err(state.failure());
        }
        let file = state
            .names
            .get(path)
            .copied()
            .ok_or(io::ErrorKind::NotFound)?;
        Ok(self.handle(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        if state.count()? {
            return Err(state.failure());
        }
        let file = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.into(), file);
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        if state.count()? {
            return Err(state.failure());
        }
        state
            .durable_names
            .retain(|path, _| path.parent() != Some(dir));
        let names = state.names.clone();
        state
            .durable_names
            .extend(names.into_iter().filter(|(p, _)| p.parent() == Some(dir)));
        Ok(())
    }

    fn names(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        let names = state.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(names
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect())
    }

    /// In order with everything else, so that a seed always means the same run.
    fn spawn(&self, job: Job) -> io::Result<JoinHandle<Result<(), StorageError>>> {
        let handle = thread::spawn(job);
        while !handle.is_finished() {
            thread::yield_now();
        }
        Ok(handle)
    }
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[self.file].seen.len() as u64)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let state = self.disk.state();
        let from = offset as usize;
        let found = state.files[self.file].seen.get(from..from + bytes.len());
        bytes.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        let fails = state.count()?;
        // A sector is written whole or not at all.
        let half = (offset as usize + bytes.len() / 2) / SECTOR * SECTOR;
        let kept = half.saturating_sub(offset as usize);
        let written = if fails { &bytes[..kept] } else { bytes };
        let file = &mut state.files[self.file];
        put(&mut file.seen, offset as usize, written);
        file.loose.push((offset as usize, written.to_vec()));
        if fails { Err(state.failure()) } else { Ok(()) }
    }

    /// A failed sync forgets which writes were loose, as Linux does.
    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        if state.count()? {
            if !state.crashed {
                state.files[self.file].loose.clear();
            }
            return Err(state.failure());
        }
        let file = &mut state.files[self.file];
        file.durable.clone_from(&file.seen);
        file.loose.clear();
        Ok(())
    }
}
