//! The directory of one account, `<base_path>/<address>/`: names and directories only, the
//! contents belong to other modules.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use ccoin_core::Address;

use crate::{ExitCode, Failure};

/// Why a directory is not the data directory of an account.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Its name is not an address.
    #[error("{} is not a data directory: its name is not an address", .0.display())]
    Name(PathBuf),
    /// It cannot be created.
    #[error("cannot create {}: {source}", .path.display())]
    Create {
        /// The directory.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

impl From<DataDirError> for Failure {
    fn from(error: DataDirError) -> Self {
        let failure = Self::new(ExitCode::BadConfig, error.to_string());
        match error {
            DataDirError::Name(_) => failure.hint("name the directory <base_path>/<40 hex digits>"),
            DataDirError::Create { .. } => failure.hint("see app.base_path in the configuration"),
        }
    }
}

/// The data directory of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir {
    root: PathBuf,
    address: Address,
}

impl DataDir {
    /// The data directory of `address` below `base_path`, whether it exists or not.
    #[must_use]
    pub fn new(base_path: &Path, address: Address) -> Self {
        Self {
            root: base_path.join(address.to_string()),
            address,
        }
    }

    /// The data directory at `path`, whose last part must be an address.
    ///
    /// # Errors
    /// [`DataDirError::Name`] for any other name.
    pub fn at(path: &Path) -> Result<Self, DataDirError> {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        match name.parse() {
            Ok(address) => Ok(Self {
                root: path.to_owned(),
                address,
            }),
            Err(_) => Err(DataDirError::Name(path.to_owned())),
        }
    }

    /// Creates the directory and its `.keys`, for the owner alone.
    ///
    /// # Errors
    /// [`DataDirError::Create`] with the path.
    pub fn create(&self) -> Result<(), DataDirError> {
        let path = self.keys();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|source| DataDirError::Create { path, source })
    }

    /// Its account.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Everything that belongs to the key.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.root.join(".keys")
    }

    /// The private key, PKCS#8 PEM.
    #[must_use]
    pub fn private_key(&self) -> PathBuf {
        self.keys().join("id_rsa")
    }

    /// The public key, SubjectPublicKeyInfo PEM.
    #[must_use]
    pub fn public_key(&self) -> PathBuf {
        self.keys().join("id_rsa.pub")
    }

    /// The record of what the key has signed.
    #[must_use]
    pub fn votes(&self) -> PathBuf {
        self.keys().join("votes")
    }

    /// Locked by the process that uses the key.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.keys().join("lock")
    }

    /// The name that people gave the account.
    #[must_use]
    pub fn name(&self) -> PathBuf {
        self.keys().join("name")
    }

    /// The blocks.
    #[must_use]
    pub fn chain(&self) -> PathBuf {
        self.root.join("chain")
    }

    /// The index over the blocks.
    #[must_use]
    pub fn index(&self) -> PathBuf {
        self.chain().join("index")
    }

    /// The token of the wallet path.
    #[must_use]
    pub fn token(&self) -> PathBuf {
        self.root.join("api.token")
    }

    /// The addresses of the running node.
    #[must_use]
    pub fn node_file(&self) -> PathBuf {
        self.root.join("node.json")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_layout_is_the_documented_one() {
        let address = Address::new([0xab; 20]);
        let dir = DataDir::new(Path::new("/base"), address);
        let root = format!("/base/{}", "ab".repeat(20));
        for (path, expected) in [
            (dir.root().to_owned(), ""),
            (dir.private_key(), "/.keys/id_rsa"),
            (dir.public_key(), "/.keys/id_rsa.pub"),
            (dir.votes(), "/.keys/votes"),
            (dir.lock(), "/.keys/lock"),
            (dir.name(), "/.keys/name"),
            (dir.chain(), "/chain"),
            (dir.index(), "/chain/index"),
            (dir.token(), "/api.token"),
            (dir.node_file(), "/node.json"),
        ] {
            assert_eq!(path.to_str().unwrap(), format!("{root}{expected}"));
        }
        assert_eq!(DataDir::at(Path::new(&format!("{root}/"))).unwrap(), dir);
        let error = Failure::from(DataDir::at(Path::new("/base/chain")).unwrap_err());
        assert_eq!(error.code, ExitCode::BadConfig);
    }

    #[test]
    fn directories_are_for_the_owner_alone() {
        let base = tempfile::tempdir().unwrap();
        let dir = DataDir::new(&base.path().join("deep"), Address::ZERO);
        dir.create().unwrap();
        dir.create().unwrap();
        for path in [base.path().join("deep"), dir.root().to_owned(), dir.keys()] {
            assert_eq!(
                fs::metadata(path).unwrap().permissions().mode() & 0o777,
                0o700
            );
        }
        fs::write(base.path().join("file"), "").unwrap();
        let error = DataDir::new(&base.path().join("file"), Address::ZERO)
            .create()
            .unwrap_err();
        assert!(error.to_string().contains("file"), "{error}");
    }
}
