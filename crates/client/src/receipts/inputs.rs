//! The documents that a user names: files, names on stdin, or bare hashes. Reads each file once,
//! for its SHA-256.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ccoin_core::Hash;
use ccoin_home::{ExitCode, Failure};
use sha2::{Digest, Sha256};

use crate::progress::Progress;

/// Most documents of one transaction.
const MAX_DOCUMENTS: usize = 100_000;

/// Bytes of all names on stdin.
const MAX_NAMES: u64 = 64 << 20;

/// Work that takes longer shows its progress.
const QUIET: Duration = Duration::from_secs(2);

/// Where names come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Files; `-` stands for names on stdin.
    pub files: Vec<PathBuf>,
    /// Hashes in place of files.
    pub hashes: Vec<Hash>,
    /// Names on stdin are separated by NUL, not by line feeds.
    pub nul: bool,
}

/// Documents and where their receipts go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// SHA-256 of each document, in the order in which they were named.
    pub hashes: Vec<Hash>,
    /// The receipt of each.
    pub receipts: Vec<PathBuf>,
}

impl Inputs {
    /// Reads and hashes the documents. Receipts stand beside them, or in `out`.
    ///
    /// # Errors
    /// [`Failure`] 2 for names that cannot be meant, 4 for a file that cannot be read.
    pub fn read(names: &Names, stdin: impl Read, out: Option<&Path>) -> Result<Self, Failure> {
        let mut files = Vec::new();
        let mut stdin = Some(stdin);
        for file in &names.files {
            match (file.as_os_str() == "-", stdin.take()) {
                (true, Some(stdin)) => files.extend(read_names(stdin, names.nul)?),
                (true, None) => return Err(usage("- is given twice")),
                (false, unread) => {
                    stdin = unread;
                    files.push(file.clone());
                }
            }
        }
        let count = files.len().saturating_add(names.hashes.len());
        if count == 0 {
            return Err(usage("no document is named").hint("try: ccoin notarize FILE"));
        }
        if count > MAX_DOCUMENTS {
            let message = format!("{count} documents, at most {MAX_DOCUMENTS} at a time");
            return Err(usage(&message));
        }
        if let Some(directory) = files.iter().find(|file| file.is_dir()) {
            let shown = directory.display();
            return Err(usage(&format!("{shown} is a directory")).hint(format!(
                "try: find {shown} -type f -print0 | ccoin notarize -0 -"
            )));
        }
        if let Some(out) = out.filter(|out| !out.is_dir()) {
            let shown = out.display();
            return Err(
                usage(&format!("{shown} is no directory")).hint(format!("try: mkdir -p {shown}"))
            );
        }
        let place = |name: PathBuf| match (out, name.file_name()) {
            (Some(out), Some(file)) => out.join(file),
            _ => name,
        };
        let named = |file: &PathBuf| place(with_suffix(file));
        let bare = |hash: &Hash| place(PathBuf::from(format!("{hash}.ccoin")));
        let receipts: Vec<_> = files
            .iter()
            .map(named)
            .chain(names.hashes.iter().map(bare))
            .collect();
        check_different(&receipts)?;
        let mut hashes = hash_all(&files)?;
        hashes.extend(&names.hashes);
        Ok(Self { hashes, receipts })
    }
}

fn usage(message: &str) -> Failure {
    Failure::new(ExitCode::Usage, message)
}

fn with_suffix(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".ccoin");
    name.into()
}

fn check_different(receipts: &[PathBuf]) -> Result<(), Failure> {
    let mut sorted: Vec<_> = receipts.iter().collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => {
            let message = format!("two documents would have the receipt {}", pair[0].display());
            Err(usage(&message).hint("name each document once, or leave out --out"))
        }
    }
}

fn read_names(stdin: impl Read, nul: bool) -> Result<Vec<PathBuf>, Failure> {
    let mut bytes = Vec::new();
    let read = stdin.take(MAX_NAMES + 1).read_to_end(&mut bytes);
    let failed = |error: io::Error| usage(&format!("cannot read names from stdin: {error}"));
    read.map_err(failed)?;
    if bytes.len() as u64 > MAX_NAMES {
        return Err(usage(&format!("more than {MAX_NAMES} bytes of names")));
    }
    let end = if nul { 0 } else { b'\n' };
    let names = bytes.split(|byte| *byte == end);
    let names = names.filter(|name| !name.is_empty());
    let text = |name: &[u8]| String::from_utf8(name.to_vec()).map(PathBuf::from);
    let names: Result<Vec<_>, _> = names.map(text).collect();
    names.map_err(|_| {
        usage("a name on stdin is not UTF-8").hint("name such a file on the command line")
    })
}

fn hash_all(files: &[PathBuf]) -> Result<Vec<Hash>, Failure> {
    let begun = Instant::now();
    let mut progress: Option<Progress> = None;
    let mut hashes = Vec::with_capacity(files.len());
    for (done, file) in files.iter().enumerate() {
        if begun.elapsed() > QUIET {
            let shown = progress.get_or_insert_with(|| Progress::new("documents", files.len()));
            shown.tell(done as u64);
        }
        hashes.push(hash_file(file)?);
    }
    if let Some(progress) = progress {
        progress.finish();
    }
    Ok(hashes)
}

/// SHA-256 of a file.
///
/// # Errors
/// [`Failure`] 4 if it cannot be read.
pub(super) fn hash_file(path: &Path) -> Result<Hash, Failure> {
    let mut hasher = Sha256::new();
    let copied = File::open(path).and_then(|mut file| {
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(()),
                read => hasher.update(&buffer[..read]),
            }
        }
    });
    copied.map_err(|error| {
        let message = format!("cannot read {}: {error}", path.display());
        Failure::new(ExitCode::NotFound, message)
    })?;
    Ok(Hash::new(hasher.finalize().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccoin_crypto::sha256;
    use std::fs;

    #[test]
    fn documents_come_from_arguments_stdin_and_hashes_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name);
        for name in ["a", "b", "c d"] {
            fs::write(file(name), name).unwrap();
        }
        let stdin = format!("{}\0{}\0", file("b").display(), file("c d").display());
        let names = Names {
            files: vec![file("a"), "-".into()],
            hashes: vec![Hash::ZERO],
            nul: true,
        };
        let read = Inputs::read(&names, stdin.as_bytes(), None).unwrap();
        let hashes = [
            sha256(&[b"a"]),
            sha256(&[b"b"]),
            sha256(&[b"c d"]),
            Hash::ZERO,
        ];
        assert_eq!(read.hashes, hashes);
        assert_eq!(read.receipts[2], file("c d.ccoin"));
        assert_eq!(
            read.receipts[3],
            PathBuf::from(format!("{}.ccoin", Hash::ZERO))
        );
        let out = file("out");
        let read = || Inputs::read(&names, stdin.as_bytes(), Some(&out));
        assert_eq!(read().unwrap_err().code, ExitCode::Usage, "it is not there");
        fs::create_dir(&out).unwrap();
        assert_eq!(read().unwrap().receipts[2], out.join("c d.ccoin"));
    }

    #[test]
    fn names_that_cannot_be_meant_are_refused_with_advice() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        fs::write(&file, "a").unwrap();
        let refused = |files: &[&Path]| {
            let files = files.iter().map(|file| file.to_path_buf()).collect();
            let names = Names {
                files,
                ..Names::default()
            };
            Inputs::read(&names, io::empty(), None).unwrap_err()
        };
        let directory = refused(&[dir.path()]);
        assert_eq!(directory.code, ExitCode::Usage);
        assert!(directory.hints[0].contains("-print0 | ccoin notarize -0 -"));
        assert_eq!(refused(&[]).code, ExitCode::Usage);
        assert_eq!(
            refused(&[Path::new("-"), Path::new("-")]).code,
            ExitCode::Usage
        );
        assert_eq!(refused(&[&file, &file]).code, ExitCode::Usage);
        assert_eq!(
            refused(&[&dir.path().join("none")]).code,
            ExitCode::NotFound
        );
    }
}
