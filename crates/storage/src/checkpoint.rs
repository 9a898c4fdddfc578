//! All accounts at one block, in one checksummed file that is renamed into
//! place. Derived: a bad file is skipped with a warning, never repaired, and
//! the log behind an older one is replayed instead.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use ccoin_core::{Address, BlockId, Height};

use crate::block_log::Position;
use crate::{AccountBytes, StorageError};

const MAGIC: [u8; 12] = *b"ccoinstate\0\x01";
/// Magic, height 8, id 32, position 8, note length 4.
const HEAD: u64 = 12 + 8 + 32 + 8 + 4;
/// Number of accounts 8, checksum 4.
const TAIL: u64 = 12;
const ACCOUNT: u64 = 20 + 16;
const SUFFIX: &str = ".state";
const KEPT: usize = 2;
const BUFFER: usize = 1 << 18;

/// Which block a checkpoint is of, and what else the caller wants to remember with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointHead {
    /// Height of the block.
    pub height: Height,
    /// Its id.
    pub id: BlockId,
    /// Where its record stands in the block log: replay begins there.
    pub position: Position,
    /// Opaque to this crate.
    pub note: Vec<u8>,
}

/// The accounts of a checkpoint being read, in ascending order.
pub struct Accounts {
    reader: Checked<BufReader<File>>,
    left: u64,
    read: u64,
    previous: Option<Address>,
    failure: Option<String>,
}

/// Counts a checksum over what passes.
struct Checked<T> {
    inner: T,
    sum: u32,
}

impl<W: Write> Checked<W> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum = crc32c::crc32c_append(self.sum, bytes);
        self.inner.write_all(bytes)
    }
}

impl<R: Read> Checked<R> {
    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes)?;
        self.sum = crc32c::crc32c_append(self.sum, &bytes);
        Ok(bytes)
    }
}

/// Writes a checkpoint of ascending `accounts` into `dir` (made if missing), and
/// keeps the newest two.
///
/// # Errors
/// [`StorageError::Unsorted`], [`StorageError::TooLong`] for a note of 4 GiB, or an I/O
/// error; older checkpoints stay as they were.
pub fn write(
    dir: &Path,
    head: &CheckpointHead,
    accounts: impl Iterator<Item = (Address, AccountBytes)>,
) -> Result<(), StorageError> {
    fs::create_dir_all(dir).map_err(StorageError::io(dir))?;
    let path = dir.join(format!("{:016}{SUFFIX}", head.height.get()));
    let temporary = path.with_extension("new");
    let io = StorageError::io;
    let file = File::create(&temporary).map_err(io(&temporary))?;
    let mut out = Checked {
        inner: BufWriter::with_capacity(BUFFER, file),
        sum: 0,
    };
    write_head(&mut out, head, &path)?;
    let mut number: u64 = 0;
    let mut previous: Option<Address> = None;
    for (address, account) in accounts {
        if previous.is_some_and(|previous| previous >= address) {
            return Err(StorageError::Unsorted { number });
        }
        previous = Some(address);
        out.put(address.as_bytes())
            .and_then(|()| out.put(&account))
            .map_err(io(&path))?;
        number += 1;
    }
    let finish = || {
        out.put(&number.to_be_bytes())?;
        let sum = out.sum;
        out.inner.write_all(&sum.to_be_bytes())?;
        out.inner
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?
            .sync_all()?;
        fs::rename(&temporary, &path)?;
        File::open(dir)?.sync_all()
    };
    finish().map_err(io(&path))?;
    for old in files(dir)?.into_iter().skip(KEPT) {
        fs::remove_file(&old).map_err(io(&old))?;
    }
    Ok(())
}

fn write_head(
    out: &mut Checked<BufWriter<File>>,
    head: &CheckpointHead,
    path: &Path,
) -> Result<(), StorageError> {
    let got = head.note.len() as u64;
    let note = u32::try_from(got).map_err(|_| StorageError::TooLong {
        got,
        max: u64::from(u32::MAX),
    })?;
    let parts: [&[u8]; 6] = [
        &MAGIC,
        &head.height.get().to_be_bytes(),
        head.id.as_bytes(),
        &head.position.0.to_be_bytes(),
        &note.to_be_bytes(),
        &head.note,
    ];
    parts
        .iter()
        .try_for_each(|part| out.put(part))
        .map_err(StorageError::io(path))
}

/// Gives the newest good checkpoint to `accept`, which reads the accounts and says what
/// it made of them, or `None` to be offered the one before. What `accept` returns counts
/// only if the file then turns out whole. `None` if no checkpoint serves.
///
/// # Errors
/// An I/O error of the directory; a bad file is a warning.
pub fn load_newest<T>(
    dir: &Path,
    mut accept: impl FnMut(&CheckpointHead, &mut Accounts) -> Option<T>,
) -> Result<Option<(CheckpointHead, T)>, StorageError> {
    for path in files(dir)? {
        match load(&path, &mut accept) {
            Ok(Some(found)) => return Ok(Some(found)),
            Ok(None) => tracing::warn!(file = %path.display(), "checkpoint not accepted"),
            Err(error) => tracing::warn!(file = %path.display(), %error, "checkpoint skipped"),
        }
    }
    Ok(None)
}

fn load<T>(
    path: &Path,
    accept: &mut impl FnMut(&CheckpointHead, &mut Accounts) -> Option<T>,
) -> io::Result<Option<(CheckpointHead, T)>> {
    let (head, mut accounts) = open(path)?;
    let Some(made) = accept(&head, &mut accounts) else {
        return Ok(None);
    };
    accounts.finish()?;
    Ok(Some((head, made)))
}

fn open(path: &Path) -> io::Result<(CheckpointHead, Accounts)> {
    let bad = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut reader = Checked {
        inner: BufReader::with_capacity(BUFFER, file),
        sum: 0,
    };
    if reader.take()? != MAGIC {
        return Err(bad("other format"));
    }
    let height = Height::new(u64::from_be_bytes(reader.take()?)).map_err(|_| bad("height"))?;
    let id = BlockId::new(reader.take()?);
    let position = Position(u64::from_be_bytes(reader.take()?));
    let noted = u64::from(u32::from_be_bytes(reader.take()?));
    let accounts = length
        .checked_sub(HEAD + TAIL + noted)
        .ok_or_else(|| bad("too short"))?;
    if accounts % ACCOUNT != 0 {
        return Err(bad("cut off"));
    }
    let mut note = vec![0; noted as usize];
    reader.inner.read_exact(&mut note)?;
    reader.sum = crc32c::crc32c_append(reader.sum, &note);
    let left = accounts / ACCOUNT;
    let accounts = Accounts {
        reader,
        left,
        read: 0,
        previous: None,
        failure: None,
    };
    Ok((
        CheckpointHead {
            height,
            id,
            position,
            note,
        },
        accounts,
    ))
}

impl Accounts {
    fn read_one(&mut self) -> io::Result<(Address, AccountBytes)> {
        let address = Address::new(self.reader.take()?);
        let account = self.reader.take()?;
        if self.previous.is_some_and(|previous| previous >= address) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "accounts do not ascend",
            ));
        }
        self.previous = Some(address);
        self.read += 1;
        Ok((address, account))
    }

    /// Reads what is left and checks count and checksum.
    fn finish(mut self) -> io::Result<()> {
        self.by_ref().for_each(drop);
        if let Some(failure) = self.failure {
            return Err(io::Error::new(io::ErrorKind::InvalidData, failure));
        }
        let number = u64::from_be_bytes(self.reader.take()?);
        let (got, expected) = (self.reader.sum, u32::from_be_bytes(self.reader.take()?));
        if number != self.read || got != expected {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "checksum does not match",
            ));
        }
        Ok(())
    }
}

impl Iterator for Accounts {
    type Item = (Address, AccountBytes);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        match self.read_one() {
            Ok(account) => Some(account),
            Err(error) => {
                self.left = 0;
                self.failure = Some(error.to_string());
                None
            }
        }
    }
}

/// Checkpoint files, newest first.
fn files(dir: &Path) -> Result<Vec<PathBuf>, StorageError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(StorageError::io(dir))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(StorageError::io(dir))?.file_name();
        if name.to_str().is_some_and(|name| name.ends_with(SUFFIX)) {
            names.push(name);
        }
    }
    names.sort_unstable_by(|a, b| b.cmp(a));
    Ok(names.into_iter().map(|name| dir.join(name)).collect())
}
