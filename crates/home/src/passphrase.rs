//! The source of a key's passphrase: a file, a terminal, or none.
//! It is never asked for when stdin is not a terminal.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use ccoin_crypto::SecretKey;
use zeroize::Zeroizing;

use crate::atomic_file::read_text;
use crate::key_files::{KeyFileError, load_key};
use crate::{DataDir, ExitCode, Failure};

/// Longest passphrase file, in bytes.
const MAX_BYTES: usize = 4_096;

/// Why there is no passphrase.
#[derive(Debug, thiserror::Error)]
pub enum PassphraseError {
    /// The first line of the file is empty.
    #[error("the first line of the passphrase file {} is empty", .0.display())]
    Empty(PathBuf),
    /// The file cannot be read.
    #[error("cannot read the passphrase file {}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The two answers differ.
    #[error("the two passphrases differ; nothing was changed")]
    Differ,
    /// The terminal does not answer.
    #[error("cannot ask for the passphrase: {0}")]
    Terminal(#[source] io::Error),
}

impl From<PassphraseError> for Failure {
    fn from(error: PassphraseError) -> Self {
        let failure = Self::new(ExitCode::Locked, error.to_string());
        match error {
            PassphraseError::Empty(_) => failure.hint("for a key without one: --no-passphrase"),
            _ => failure,
        }
    }
}

/// The source of a passphrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PassphraseSource {
    /// The first line of this file.
    File(PathBuf),
    /// The user, if stdin is a terminal; else there is none.
    Terminal,
    /// There is none.
    Absent,
}

impl PassphraseSource {
    /// The passphrase of a key that is to be made; an empty answer means none.
    ///
    /// # Errors
    /// [`PassphraseError`] if the file is unusable or the two answers differ.
    pub fn choose(&self) -> Result<Option<Zeroizing<String>>, PassphraseError> {
        match self {
            Self::File(path) => read_first_line(path).map(Some),
            Self::Terminal if io::stdin().is_terminal() => {
                let first = ask("new passphrase (empty for none): ")?;
                if first.is_empty() {
                    return Ok(None);
                }
                let second = ask("the same again: ")?;
                if first == second {
                    Ok(Some(first))
                } else {
                    Err(PassphraseError::Differ)
                }
            }
            Self::Terminal | Self::Absent => Ok(None),
        }
    }
}

/// Loads the private key of an account, asking for its passphrase only if it is locked.
///
/// # Errors
/// [`Failure`] with the exit code of the reason.
pub fn unlock_key(dir: &DataDir, source: &PassphraseSource) -> Result<SecretKey, Failure> {
    let load = |passphrase: Option<&str>| load_key(dir, passphrase);
    unlock(&dir.address().to_string(), source, load).map(|(key, _)| key)
}

/// Calls `load` without a passphrase, and with the one of `source` if that is needed; returns
/// the passphrase that was used. `what` stands in the question.
pub(crate) fn unlock<T>(
    what: &str,
    source: &PassphraseSource,
    load: impl Fn(Option<&str>) -> Result<T, KeyFileError>,
) -> Result<(T, Option<Zeroizing<String>>), Failure> {
    let passphrase = match source {
        PassphraseSource::File(path) => read_first_line(path)?,
        _ => match load(None) {
            Err(KeyFileError::Locked(_))
                if *source == PassphraseSource::Terminal && io::stdin().is_terminal() =>
            {
                ask(&format!("passphrase of {what}: "))?
            }
            loaded => return Ok((loaded?, None)),
        },
    };
    Ok((load(Some(&passphrase))?, Some(passphrase)))
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, PassphraseError> {
    rpassword::prompt_password(prompt)
        .map(Zeroizing::new)
        .map_err(PassphraseError::Terminal)
}

fn read_first_line(path: &Path) -> Result<Zeroizing<String>, PassphraseError> {
    let text = File::open(path)
        .and_then(|file| read_text(file, MAX_BYTES))
        .map(Zeroizing::new)
        .map_err(|source| PassphraseError::File {
            path: path.to_owned(),
            source,
        })?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Zeroizing::new(line.to_owned())),
        _ => Err(PassphraseError::Empty(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_passphrase_file_gives_its_first_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passphrase");
        let source = PassphraseSource::File(path.clone());
        let missing = Failure::from(source.choose().unwrap_err());
        assert!(
            missing.message.contains("passphrase: No such file"),
            "{missing}"
        );
        for content in ["open sesame", "open sesame\n", "open sesame\r\nmore\n"] {
            fs::write(&path, content).unwrap();
            assert_eq!(source.choose().unwrap().unwrap().as_str(), "open sesame");
        }
        for content in ["", "\n", "\nlater"] {
            fs::write(&path, content).unwrap();
            let empty = Failure::from(source.choose().unwrap_err());
            assert_eq!(empty.code, ExitCode::Locked);
            assert!(empty.hints[0].contains("--no-passphrase"));
        }
        assert_eq!(PassphraseSource::Absent.choose().unwrap(), None);
    }
}
