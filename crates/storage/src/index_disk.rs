//! The files under the index engine, made durable where the engine is not:
//! `flush` is an fdatasync, a rename reaches the directory. Checks nothing.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use rusty_leveldb::env::{Env, FileLock, Logger, RandomAccess};
use rusty_leveldb::{PosixDiskEnv, Result, Status, StatusCode};

/// The operating system's files.
pub(crate) struct IndexDisk(PosixDiskEnv);

impl IndexDisk {
    pub(crate) fn new() -> Self {
        Self(PosixDiskEnv::new())
    }
}

/// Buffers, so that a small edit of the manifest is one write.
struct SyncedFile(BufWriter<File>);

impl Write for SyncedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()?;
        self.0.get_ref().sync_data()
    }
}

impl Env for IndexDisk {
    fn open_sequential_file(&self, path: &Path) -> Result<Box<dyn Read>> {
        self.0.open_sequential_file(path)
    }

    fn open_random_access_file(&self, path: &Path) -> Result<Box<dyn RandomAccess>> {
        self.0.open_random_access_file(path)
    }

    fn open_writable_file(&self, path: &Path) -> Result<Box<dyn Write>> {
        Ok(Box::new(SyncedFile(BufWriter::new(File::create(path)?))))
    }

    fn open_appendable_file(&self, path: &Path) -> Result<Box<dyn Write>> {
        let why = format!("{}: no file is ever appended to again", path.display());
        Err(Status::new(StatusCode::NotSupported, &why))
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        self.0.exists(path)
    }

    fn children(&self, path: &Path) -> Result<Vec<PathBuf>> {
        self.0.children(path)
    }

    fn size_of(&self, path: &Path) -> Result<usize> {
        self.0.size_of(path)
    }

    fn delete(&self, path: &Path) -> Result<()> {
        self.0.delete(path)
    }

    fn mkdir(&self, path: &Path) -> Result<()> {
        self.0.mkdir(path)
    }

    fn rmdir(&self, path: &Path) -> Result<()> {
        self.0.rmdir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        fs::rename(from, to)?;
        let dir = to.parent().unwrap_or(Path::new("."));
        Ok(File::open(dir)?.sync_all()?)
    }

    fn lock(&self, path: &Path) -> Result<FileLock> {
        self.0.lock(path)
    }

    fn unlock(&self, lock: FileLock) -> Result<()> {
        self.0.unlock(lock)
    }

    fn new_logger(&self, _: &Path) -> Result<Logger> {
        Ok(Logger::new(Box::new(io::sink())))
    }

    fn micros(&self) -> u64 {
        self.0.micros()
    }

    fn sleep_for(&self, micros: u32) {
        self.0.sleep_for(micros);
    }
}
