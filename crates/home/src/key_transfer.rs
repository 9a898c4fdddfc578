//! Keys that move: into an account, out of one, and under another passphrase. A key that comes
//! from elsewhere gets no vote file: it may have signed there, so a validator with it abstains
//! until that is safe.

use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use serde::Serialize;
use zeroize::Zeroizing;

use crate::account::{check_name, write_named_key};
use crate::atomic_file::{read_text, replace, write_new};
use crate::key_files::{KeyFileError, key_pem, load_key, parse_key};
use crate::passphrase::unlock;
use crate::{DataDir, ExitCode, Failure, PassphraseSource};

/// Longest key file that is read, in bytes.
const MAX_BYTES: usize = 64 << 10;

/// Label of a PKCS#8 file with a passphrase.
const LOCKED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";

/// Whether the key of an account can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// There is none, or others can read it.
    Absent,
    /// It has no passphrase.
    Open,
    /// It has one.
    Locked,
}

/// Looks at the key of an account without opening it.
#[must_use]
pub fn key_state(dir: &DataDir) -> KeyState {
    match key_pem(dir) {
        Err(_) => KeyState::Absent,
        Ok(pem) if pem.contains(LOCKED) => KeyState::Locked,
        Ok(_) => KeyState::Open,
    }
}

/// Makes an account below `base_path` of a PKCS#8 PEM file, `-` for stdin. The passphrase that
/// opens the file also locks the key of the account.
///
/// # Errors
/// [`Failure`] 3 for an unusable key, 8 if the account has a key here, 9 if it stays locked.
pub fn import_key(
    base_path: &Path,
    file: &Path,
    name: Option<&str>,
    passphrase: &PassphraseSource,
) -> Result<DataDir, Failure> {
    name.map_or(Ok(()), check_name)?;
    let pem = read_pem(file)?;
    let load = |passphrase: Option<&str>| parse_key(&pem, file, passphrase);
    let (key, passphrase) = unlock(&file.display().to_string(), passphrase, load)?;
    let dir = DataDir::new(base_path, key.public_key().address());
    if dir.private_key().exists() {
        return Err(KeyFileError::Exists(dir.private_key()).into());
    }
    dir.create()?;
    let passphrase = passphrase.as_deref().map(String::as_str);
    write_named_key(&dir, name, &key, passphrase)?;
    Ok(dir)
}

fn read_pem(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let read = |from: &mut dyn Read| read_text(from, MAX_BYTES);
    let text = if file == Path::new("-") {
        read(&mut io::stdin().lock())
    } else {
        fs::File::open(file).and_then(|mut file| read(&mut file))
    };
    text.map(Zeroizing::new).map_err(|error| {
        let code = match error.kind() {
            io::ErrorKind::NotFound => ExitCode::NotFound,
            _ => ExitCode::BadConfig,
        };
        Failure::new(code, format!("cannot read {}: {error}", file.display()))
    })
}

/// Writes the private key of an account, as it lies on disk, to a new file that only its owner
/// can read.
///
/// # Errors
/// [`Failure`] 8 if the file exists; it stays as it is.
pub fn export_key(dir: &DataDir, file: &Path) -> Result<(), Failure> {
    let pem = key_pem(dir)?;
    write_new(file, pem.as_bytes(), 0o600).map_err(|error| {
        let message = format!("cannot write {}: {error}", file.display());
        match error.kind() {
            io::ErrorKind::AlreadyExists => {
                Failure::new(ExitCode::Busy, message).hint("name a new file")
            }
            _ => Failure::new(ExitCode::Disk, message),
        }
    })
}

/// Writes the key of an account again under another passphrase, or under none; returns whether
/// it has one.
///
/// # Errors
/// [`Failure`] 9 if the old one is wrong, 2 if no new one is named; the key stays as it is.
pub fn change_passphrase(
    dir: &DataDir,
    old: &PassphraseSource,
    new: &PassphraseSource,
) -> Result<bool, Failure> {
    if *new == PassphraseSource::Terminal && !io::stdin().is_terminal() {
        let message = "there is no terminal to ask for the new passphrase";
        return Err(Failure::new(ExitCode::Usage, message)
            .hint("give --new-passphrase-file FILE, or --no-passphrase to take it away"));
    }
    let load = |passphrase: Option<&str>| load_key(dir, passphrase);
    let (key, _) = unlock(&dir.address().to_string(), old, load)?;
    let new = new.choose()?;
    let pem = key.to_pem(new.as_deref().map(String::as_str));
    let path = dir.private_key();
    replace(&path, pem.as_bytes(), 0o600).map_err(|source| KeyFileError::Io { path, source })?;
    Ok(new.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::create_account_in;
    use std::os::unix::fs::PermissionsExt;

    /// A passphrase in a file.
    fn sealed(dir: &Path, words: &str) -> PassphraseSource {
        let file = dir.join(words);
        fs::write(&file, format!("{words}\n")).unwrap();
        PassphraseSource::File(file)
    }

    #[test]
    fn a_key_goes_out_and_in_again_with_its_passphrase_and_without_votes() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let absent = PassphraseSource::Absent;
        let first = create_account_in(from.path(), Some("dora"), 2048, &absent).unwrap();
        assert!(first.votes().exists());
        assert_eq!(key_state(&first), KeyState::Open);

        let words = sealed(from.path(), "sesame");
        assert!(change_passphrase(&first, &absent, &words).unwrap());
        assert_eq!(key_state(&first), KeyState::Locked);
        let file = from.path().join("key.pem");
        export_key(&first, &file).unwrap();
        let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let again = export_key(&first, &file).unwrap_err();
        assert_eq!(again.code, ExitCode::Busy);

        let locked = import_key(to.path(), &file, None, &absent).unwrap_err();
        assert_eq!(locked.code, ExitCode::Locked);
        let wrong = sealed(from.path(), "simsim");
        let wrong = import_key(to.path(), &file, None, &wrong).unwrap_err();
        assert_eq!(wrong.code, ExitCode::Locked);
        assert_eq!(fs::read_dir(to.path()).unwrap().count(), 0);

        let second = import_key(to.path(), &file, Some("dora"), &words).unwrap();
        assert_eq!(second.address(), first.address());
        assert_eq!(fs::read_to_string(second.name()).unwrap(), "dora\n");
        assert_eq!(key_state(&second), KeyState::Locked);
        assert!(!second.votes().exists(), "it may have voted elsewhere");
        let twice = import_key(to.path(), &file, None, &words).unwrap_err();
        assert_eq!(twice.code, ExitCode::Busy);

        assert!(!change_passphrase(&second, &words, &absent).unwrap());
        load_key(&second, None).unwrap();
    }

    #[test]
    fn what_is_no_key_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let absent = PassphraseSource::Absent;
        let missing = dir.path().join("missing");
        let failure = import_key(dir.path(), &missing, None, &absent).unwrap_err();
        assert_eq!(failure.code, ExitCode::NotFound);
        let file = dir.path().join("file");
        fs::write(&file, "no key").unwrap();
        let failure = import_key(dir.path(), &file, None, &absent).unwrap_err();
        assert_eq!(failure.code, ExitCode::BadConfig);
        let failure = import_key(dir.path(), &file, Some("a/b"), &absent).unwrap_err();
        assert_eq!(failure.code, ExitCode::Usage);
    }
}
