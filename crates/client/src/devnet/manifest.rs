//! `devnet.json`: what network a directory holds, written once when it is complete, so
//! that it can be continued. It says nothing about processes and ports.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use ccoin_core::{Address, BlockId};
use ccoin_home::{read_text, replace_file};
use serde::{Deserialize, Serialize};

use super::layout::{Layout, file_error};
use super::{DevnetError, NewDevnet};

/// Longest file that is read, in bytes: 60 addresses have about 3,000.
const MAX_BYTES: usize = 64 << 10;

/// Names of accounts, in their order.
pub(super) const NAMES: [&str; 20] = [
    "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory",
    "niaj", "olivia", "peggy", "rupert", "sybil", "trent", "victor", "walter", "wendy",
];

/// Most validators, most basic nodes and most accounts of a network.
pub(super) const MOST: u16 = 20;

/// What a network consists of, beside its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) validators: u16,
    pub(super) basics: u16,
    pub(super) accounts: u16,
    pub(super) block_time: Duration,
}

impl Shape {
    /// What the options say, else the defaults.
    pub(super) fn of(new: &NewDevnet) -> Self {
        Self {
            validators: new.validators.unwrap_or(2),
            basics: new.basics.unwrap_or(1),
            accounts: new.accounts.unwrap_or(3),
            block_time: new.block_time.unwrap_or(Duration::from_secs(1)),
        }
    }
}

/// The network of a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) genesis_id: BlockId,
    /// `block_mining.interval` of the genesis.
    pub(super) block_time_ms: u64,
    /// Addresses of `validator-1` and so on.
    pub(super) validators: Vec<Address>,
    /// Addresses of `basic-1` and so on.
    pub(super) basics: Vec<Address>,
    /// Addresses of `alice` and so on.
    pub(super) accounts: Vec<Address>,
}

impl Manifest {
    /// The network of a directory; `None` for a new one.
    ///
    /// # Errors
    /// [`DevnetError::Stranger`] if there is something else; [`DevnetError::Manifest`] for
    /// a description that is damaged.
    pub(super) fn read(layout: &Layout) -> Result<Option<Self>, DevnetError> {
        let path = layout.manifest();
        let wrong = |reason: String| DevnetError::Manifest {
            path: path.clone(),
            reason,
        };
        let text = match File::open(&path) {
            Ok(file) => read_text(file, MAX_BYTES).map_err(file_error(&path))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return layout.check().map(|()| None);
            }
            Err(source) => return Err(DevnetError::File { path, source }),
        };
        let manifest: Self =
            serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let lists = [&manifest.validators, &manifest.basics, &manifest.accounts];
        if lists.iter().any(|list| list.len() > usize::from(MOST)) || lists[0].is_empty() {
            return Err(wrong(format!(
                "1 to {MOST} validators, up to {MOST} others"
            )));
        }
        Ok(Some(manifest))
    }

    /// Writes the description.
    ///
    /// # Errors
    /// [`DevnetError::File`] with what the system says.
    pub(super) fn write(&self, layout: &Layout) -> Result<(), DevnetError> {
        let path = layout.manifest();
        let text = serde_json::to_string_pretty(self)
            .expect("addresses and numbers can always be written");
        replace_file(&path, format!("{text}\n").as_bytes(), 0o600).map_err(file_error(&path))
    }

    /// Is it the network that the options ask for?
    ///
    /// # Errors
    /// [`DevnetError::Different`] names the first difference.
    pub(super) fn check(&self, new: &NewDevnet, dir: &Path) -> Result<(), DevnetError> {
        let count = |list: &[Address]| list.len() as u64;
        let asked = |count: Option<u16>| count.map(u64::from);
        let time = new.block_time.map(|time| time.as_millis() as u64);
        for (unit, got, expected) in [
            ("validators", count(&self.validators), asked(new.validators)),
            ("basic nodes", count(&self.basics), asked(new.basics)),
            ("accounts", count(&self.accounts), asked(new.accounts)),
            ("ms of block time", self.block_time_ms, time),
        ] {
            if expected.is_some_and(|expected| expected != got) {
                return Err(DevnetError::Different {
                    dir: dir.to_owned(),
                    got: format!("{got} {unit}"),
                    expected: expected.unwrap_or_default().to_string(),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devnet::layout::Home;
    use std::fs;

    #[test]
    fn a_network_is_continued_as_it_was_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(Some(dir.path())).unwrap();
        assert_eq!(Manifest::read(&home.layout).unwrap(), None);
        let manifest = Manifest {
            genesis_id: BlockId::new([7; 32]),
            block_time_ms: 1_500,
            validators: vec![Address::new([1; 20]), Address::new([2; 20])],
            basics: vec![],
            accounts: vec![Address::new([3; 20])],
        };
        manifest.write(&home.layout).unwrap();
        assert_eq!(
            Manifest::read(&home.layout).unwrap(),
            Some(manifest.clone())
        );

        let new = NewDevnet {
            validators: Some(2),
            block_time: Some(Duration::from_millis(1_500)),
            ..NewDevnet::default()
        };
        manifest.check(&new, dir.path()).unwrap();
        manifest.check(&NewDevnet::default(), dir.path()).unwrap();
        let more = NewDevnet {
            basics: Some(1),
            ..new
        };
        let error = manifest.check(&more, dir.path()).unwrap_err().to_string();
        assert!(error.ends_with("has 0 basic nodes, not 1"), "{error}");

        fs::write(home.layout.manifest(), "{\"genesis_id\": 5}").unwrap();
        assert!(matches!(
            Manifest::read(&home.layout),
            Err(DevnetError::Manifest { .. })
        ));
        let nobody = Manifest {
            validators: vec![],
            ..manifest
        };
        nobody.write(&home.layout).unwrap();
        assert!(matches!(
            Manifest::read(&home.layout),
            Err(DevnetError::Manifest { .. })
        ));
    }

    #[test]
    fn what_others_have_put_there_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("thesis.tex"), "").unwrap();
        let error = Home::open(Some(dir.path())).unwrap_err();
        assert!(matches!(error, DevnetError::Stranger(_)), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        fs::write(dir.path().join("lock"), "").unwrap();
        let error = Home::open(Some(dir.path())).unwrap_err();
        assert!(matches!(error, DevnetError::Stranger(_)), "{error}");
        assert_eq!(fs::read(dir.path().join("lock")).unwrap(), b"");
    }
}
