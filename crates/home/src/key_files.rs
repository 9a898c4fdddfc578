//! The key pair of an account on disk: written once, never overwritten, never
//! used while others can read it or when it belongs to another address.

use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ccoin_core::Address;
use ccoin_crypto::{KeyError, PublicKey, SecretKey};
use zeroize::Zeroizing;

use crate::atomic_file::{read_text, write_new};
use crate::{DataDir, ExitCode, Failure};

/// Longest key file that is read, in bytes; RSA-4096 with a passphrase has about 3,500.
const MAX_BYTES: usize = 64 << 10;

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file does not exist, but the directory of the account does.
    #[error("there is no key at {}", .0.display())]
    Missing(PathBuf),
    /// There is no public key of an account whose private key a signer holds.
    #[error("there is no public key at {}", .0.display())]
    NoPublicKey(PathBuf),
    /// There is no such directory.
    #[error("there is no key of {account}: {} does not exist", .root.display())]
    NoDirectory {
        /// The account.
        account: Address,
        /// The directory that would be its own.
        root: PathBuf,
    },
    /// The key is in the form that `openssl genrsa -traditional` writes.
    #[error("the key {} is in the older form PKCS#1 (BEGIN RSA PRIVATE KEY)", .0.display())]
    Pkcs1(PathBuf),
    /// Others on this host can read it.
    #[error("others can read the private key {} (mode {mode:04o})", .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key is not the one that the directory is named after.
    #[error("the key {} belongs to {got}, expected {expected}", .path.display())]
    OtherAddress {
        /// The file.
        path: PathBuf,
        /// Address of the key.
        got: Address,
        /// Address in the path.
        expected: Address,
    },
    /// The key is encrypted and no passphrase was given.
    #[error("the key {} is locked with a passphrase", .0.display())]
    Locked(PathBuf),
    /// The passphrase does not open the key.
    #[error("wrong passphrase for the key {}", .0.display())]
    WrongPassphrase(PathBuf),
    /// There is a key already.
    #[error("there is already a key at {}; it was not touched", .0.display())]
    Exists(PathBuf),
    /// The file is not a key that the rules allow.
    #[error("the key {} cannot be used: {source}", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// The fault.
        source: KeyError,
    },
    /// The file cannot be read or written.
    #[error("cannot use the key file {}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

impl From<KeyFileError> for Failure {
    fn from(error: KeyFileError) -> Self {
        let of = |code| Self::new(code, error.to_string());
        match &error {
            KeyFileError::NoPublicKey(_) => of(ExitCode::BadConfig)
                .hint("put the public key of the account there, as PEM: the program of \"signer\" has it")
                .hint("create-account --public-key FILE   makes the account of a new key"),
            KeyFileError::Missing(_) => of(ExitCode::BadConfig)
                .hint("put id_rsa back from your backup: the account is its key")
                .hint("create-account would make another account, with another address"),
            KeyFileError::NoDirectory { .. } => of(ExitCode::BadConfig)
                .hint("check app.base_path and HOME, or put the directory back from your backup")
                .hint("create-account would make another account, with another address"),
            KeyFileError::Pkcs1(path) => {
                let path = path.display();
                of(ExitCode::BadConfig)
                    .hint("convert it:")
                    .hint(format!(
                        "openssl pkcs8 -topk8 -nocrypt -in {path} -out {path}.new"
                    ))
                    .hint(format!("chmod 600 {path}.new && mv {path}.new {path}"))
            }
            KeyFileError::Exposed { path, .. } => {
                of(ExitCode::BadConfig).hint(format!("chmod 600 {}", path.display()))
            }
            KeyFileError::OtherAddress { .. } => of(ExitCode::BadConfig)
                .hint("put each key into the directory named after its address"),
            KeyFileError::Locked(_) => of(ExitCode::Locked)
                .hint("give --passphrase-file FILE, or start on a terminal to be asked"),
            KeyFileError::WrongPassphrase(_) => of(ExitCode::Locked)
                .hint("the passphrase is the first line of the file, without its end"),
            KeyFileError::Exists(_) => of(ExitCode::Busy),
            KeyFileError::Key { .. } => of(ExitCode::BadConfig),
            KeyFileError::Io { .. } => of(ExitCode::Disk),
        }
    }
}

/// Writes a key pair, the private part last and for the owner alone, encrypted if there is a
/// passphrase.
///
/// # Errors
/// [`KeyFileError::Exists`] if there is one; it stays as it is.
pub fn write_key(
    dir: &DataDir,
    key: &SecretKey,
    passphrase: Option<&str>,
) -> Result<(), KeyFileError> {
    let path = dir.private_key();
    let pem = key.to_pem(passphrase);
    write_public_key(dir, key.public_key())?;
    write_part(&path, pem.as_bytes(), 0o600)
}

/// Writes the public key of an account.
///
/// # Errors
/// [`KeyFileError::Exists`] if there is one; it stays as it is.
pub fn write_public_key(dir: &DataDir, key: &PublicKey) -> Result<(), KeyFileError> {
    write_part(&dir.public_key(), key.to_pem().as_bytes(), 0o644)
}

/// Reads a file with a public key: PEM, or the DER as base64 or hex.
///
/// # Errors
/// [`KeyFileError`] with the path and the reason.
pub fn read_public_key(path: &Path) -> Result<PublicKey, KeyFileError> {
    let text = File::open(path).and_then(|file| read_text(file, MAX_BYTES));
    let text = text.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => KeyFileError::NoPublicKey(path.to_owned()),
        _ => KeyFileError::Io {
            path: path.to_owned(),
            source,
        },
    })?;
    PublicKey::from_text(&text).map_err(|source| KeyFileError::Key {
        path: path.to_owned(),
        source,
    })
}

/// Reads the public key of an account whose private key a signer holds. The address is a hash
/// of it, so a file that somebody has exchanged is refused.
///
/// # Errors
/// [`KeyFileError`] with the path and the reason.
pub fn load_public_key(dir: &DataDir) -> Result<PublicKey, KeyFileError> {
    let path = dir.public_key();
    let key = read_public_key(&path)?;
    let (got, expected) = (key.address(), dir.address());
    if got != expected {
        return Err(KeyFileError::OtherAddress {
            path,
            got,
            expected,
        });
    }
    Ok(key)
}

/// Makes sure that an account has a private key, without reading it.
///
/// # Errors
/// [`KeyFileError`] that tells a lost key from a wrong directory.
pub fn ensure_key(dir: &DataDir) -> Result<(), KeyFileError> {
    if dir.private_key().exists() {
        Ok(())
    } else if dir.root().exists() {
        Err(KeyFileError::Missing(dir.private_key()))
    } else {
        Err(KeyFileError::NoDirectory {
            account: dir.address(),
            root: dir.root().to_owned(),
        })
    }
}

/// Reads the private key of an account.
///
/// # Errors
/// [`KeyFileError`] with the path and the reason.
pub fn load_key(dir: &DataDir, passphrase: Option<&str>) -> Result<SecretKey, KeyFileError> {
    let path = dir.private_key();
    let key = parse_key(&key_pem(dir)?, &path, passphrase)?;
    let (got, expected) = (key.public_key().address(), dir.address());
    if got != expected {
        return Err(KeyFileError::OtherAddress {
            path,
            got,
            expected,
        });
    }
    Ok(key)
}

/// The text of the private key of an account, as it lies on disk.
///
/// # Errors
/// [`KeyFileError`] with the path and the reason.
pub fn key_pem(dir: &DataDir) -> Result<Zeroizing<String>, KeyFileError> {
    ensure_key(dir)?;
    read_private(&dir.private_key())
}

/// Parses the text of a private key; `path` stands in messages.
pub(crate) fn parse_key(
    pem: &str,
    path: &Path,
    passphrase: Option<&str>,
) -> Result<SecretKey, KeyFileError> {
    let path = path.to_owned();
    if pem.contains("-----BEGIN RSA PRIVATE KEY-----") {
        return Err(KeyFileError::Pkcs1(path));
    }
    SecretKey::from_pem(pem, passphrase).map_err(|source| match source {
        KeyError::Locked => KeyFileError::Locked(path),
        KeyError::WrongPassphrase => KeyFileError::WrongPassphrase(path),
        source => KeyFileError::Key { path, source },
    })
}

fn read_private(path: &Path) -> Result<Zeroizing<String>, KeyFileError> {
    let io_error = |source| KeyFileError::Io {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(io_error)?;
    // Of the open file, so that no one can swap it between the check and the reading.
    let mode = file.metadata().map_err(io_error)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    read_text(file, MAX_BYTES)
        .map(Zeroizing::new)
        .map_err(io_error)
}

fn write_part(path: &Path, bytes: &[u8], mode: u32) -> Result<(), KeyFileError> {
    write_new(path, bytes, mode).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::Exists(path.to_owned()),
        _ => KeyFileError::Io {
            path: path.to_owned(),
            source,
        },
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::sync::OnceLock;

    use super::*;

    fn key() -> &'static SecretKey {
        static KEY: OnceLock<SecretKey> = OnceLock::new();
        KEY.get_or_init(|| SecretKey::generate(2048).unwrap())
    }

    fn written(base: &Path, passphrase: Option<&str>) -> DataDir {
        let dir = DataDir::new(base, key().public_key().address());
        dir.create().unwrap();
        write_key(&dir, key(), passphrase).unwrap();
        dir
    }

    fn failure(dir: &DataDir, passphrase: Option<&str>) -> Failure {
        load_key(dir, passphrase).unwrap_err().into()
    }

    #[test]
    fn a_written_key_is_loaded_and_never_overwritten() {
        let base = tempfile::tempdir().unwrap();
        let dir = written(base.path(), None);
        assert_eq!(
            load_key(&dir, None).unwrap().public_key(),
            key().public_key()
        );
        let mode = fs::metadata(dir.private_key())
            .unwrap()
            .permissions()
            .mode()
            & 0o777;
        assert_eq!(mode, 0o600);
        let public = fs::read_to_string(dir.public_key()).unwrap();
        assert_eq!(public, key().public_key().to_pem().as_str());

        let before = fs::read(dir.private_key()).unwrap();
        for leave in [dir.public_key(), dir.private_key()] {
            let failure = Failure::from(write_key(&dir, key(), None).unwrap_err());
            assert_eq!(failure.code, ExitCode::Busy, "{failure}");
            assert_eq!(fs::read(dir.private_key()).unwrap(), before);
            drop(fs::remove_file(leave));
        }
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_remedy() {
        let base = tempfile::tempdir().unwrap();
        let dir = written(base.path(), None);
        for mode in [0o640, 0o604, 0o610] {
            fs::set_permissions(dir.private_key(), Permissions::from_mode(mode)).unwrap();
            let failure = failure(&dir, None);
            assert_eq!(failure.code, ExitCode::BadConfig);
            assert!(
                failure.message.contains(&format!("(mode {mode:04o})")),
                "{failure}"
            );
            assert_eq!(
                failure.hints,
                [format!("chmod 600 {}", dir.private_key().display())]
            );
        }
        fs::set_permissions(dir.private_key(), Permissions::from_mode(0o400)).unwrap();
        load_key(&dir, None).unwrap();
    }

    #[test]
    fn a_locked_key_needs_its_passphrase() {
        let base = tempfile::tempdir().unwrap();
        let dir = written(base.path(), Some("open sesame"));
        load_key(&dir, Some("open sesame")).unwrap();
        let locked = failure(&dir, None);
        assert_eq!(locked.code, ExitCode::Locked);
        assert!(locked.message.contains("is locked"), "{locked}");
        let wrong = failure(&dir, Some("open"));
        assert_eq!(wrong.code, ExitCode::Locked);
        assert!(wrong.message.contains("wrong passphrase"), "{wrong}");
    }

    #[test]
    fn missing_foreign_and_broken_keys_are_told_apart() {
        let base = tempfile::tempdir().unwrap();
        let dir = written(base.path(), None);
        let other = DataDir::new(base.path(), Address::ZERO);
        let missing = failure(&other, None);
        assert_eq!(missing.code, ExitCode::BadConfig);
        assert!(missing.message.contains("does not exist"), "{missing}");
        assert!(missing.hints[0].contains("app.base_path"), "{missing}");

        other.create().unwrap();
        let lost = failure(&other, None);
        assert!(lost.message.contains("no key at"), "{lost}");
        assert!(lost.hints[0].contains("from your backup"), "{lost}");
        fs::copy(dir.private_key(), other.private_key()).unwrap();
        let foreign = failure(&other, None);
        let address = dir.address().to_string();
        assert!(
            foreign.message.contains(&format!("belongs to {address}")),
            "{foreign}"
        );

        for content in [
            "",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        ] {
            fs::write(dir.private_key(), content).unwrap();
            let broken = failure(&dir, None);
            assert_eq!(broken.code, ExitCode::BadConfig);
            assert!(
                broken.message.contains("id_rsa cannot be used: "),
                "{broken}"
            );
        }
        let older = "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        fs::write(dir.private_key(), older).unwrap();
        let older = failure(&dir, None);
        assert_eq!(older.code, ExitCode::BadConfig);
        assert!(older.report().contains("openssl pkcs8 -topk8"), "{older}");

        fs::write(dir.private_key(), " ".repeat(MAX_BYTES + 1)).unwrap();
        assert!(failure(&dir, None).message.contains("longer than"));
    }
}
