//! `devnet.json`: the members of a network, written once when all of them exist, so that
//! the network can be continued. It says nothing about processes and ports.

use std::time::Duration;

use ccoin_core::{Address, BlockId};
use ccoin_home::{ExitCode, Failure};
use serde::{Deserialize, Serialize};

use super::NewDevnet;
use super::layout::Layout;
use crate::files::{read_json, write};

/// Names of accounts, in their order.
pub(super) const NAMES: [&str; 20] = [
    "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory",
    "niaj", "olivia", "peggy", "rupert", "sybil", "trent", "victor", "walter", "wendy",
];

/// Most validators, most basic nodes and most accounts of a network.
pub(super) const MAX_MEMBERS: usize = 20;

/// The members of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) genesis_id: BlockId,
    /// `block_mining.interval` of the genesis.
    pub(super) block_time_ms: u64,
    /// Blocks are made by hand.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) manual: bool,
    /// Addresses of `validator-1` and so on.
    pub(super) validators: Vec<Address>,
    /// Addresses of `basic-1` and so on.
    pub(super) basics: Vec<Address>,
    /// Addresses of `alice` and so on.
    pub(super) accounts: Vec<Address>,
}

impl Manifest {
    /// Reads the manifest of a directory; `None` for a new network.
    ///
    /// # Errors
    /// [`Failure`] 3 if it is damaged.
    pub(super) fn read(layout: &Layout) -> Result<Option<Self>, Failure> {
        let path = layout.manifest();
        let hint = "nothing was changed; name another directory with --data-dir";
        let found: Option<Self> = read_json(&path).map_err(|failure| failure.hint(hint))?;
        let fits = |manifest: &Self| {
            let lists = [&manifest.validators, &manifest.basics, &manifest.accounts];
            !lists[0].is_empty() && lists.iter().all(|list| list.len() <= MAX_MEMBERS)
        };
        if found.as_ref().is_none_or(fits) {
            return Ok(found);
        }
        let path = path.display();
        let expected = format!("1 to {MAX_MEMBERS} validators, up to {MAX_MEMBERS} others");
        let message = format!("{path} describes no devnet: expected {expected}");
        Err(Failure::new(ExitCode::BadConfig, message).hint(hint))
    }

    /// Writes the manifest.
    ///
    /// # Errors
    /// [`Failure`] 3 with the reason of the system.
    pub(super) fn write(&self, layout: &Layout) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self)
            .expect("addresses and numbers can always be written");
        write(&layout.manifest(), &format!("{text}\n"), 0o600)
    }

    /// Compares the network with the options that continue it.
    ///
    /// # Errors
    /// [`Failure`] 2 with the first difference.
    pub(super) fn check(&self, new: &NewDevnet, layout: &Layout) -> Result<(), Failure> {
        if new.manual && !self.manual {
            let dir = layout.root().display();
            let message = format!("the blocks of the devnet in {dir} are not made by hand");
            return Err(Failure::new(ExitCode::Usage, message)
                .hint("leave --manual out to continue it, or name another --data-dir"));
        }
        let count = |list: &[Address]| list.len() as u64;
        let asked = |count: Option<u16>| count.map(u64::from);
        for (unit, got, expected) in [
            ("validators", count(&self.validators), asked(new.validators)),
            ("basic nodes", count(&self.basics), asked(new.basics)),
            ("accounts", count(&self.accounts), asked(new.accounts)),
            (
                "ms of block time",
                self.block_time_ms,
                new.block_time.map(millis),
            ),
        ] {
            let Some(expected) = expected.filter(|expected| *expected != got) else {
                continue;
            };
            let dir = layout.root().display();
            let message = format!("the devnet in {dir} has {got} {unit}, not {expected}");
            return Err(Failure::new(ExitCode::Usage, message)
                .hint("leave the option out to continue it, or name another --data-dir"));
        }
        Ok(())
    }
}

/// A time in the unit of the manifest.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_network_is_continued_as_it_was_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path().to_owned());
        assert_eq!(Manifest::read(&layout).unwrap(), None);
        let manifest = Manifest {
            genesis_id: BlockId::new([7; 32]),
            block_time_ms: 1_500,
            manual: false,
            validators: vec![Address::new([1; 20]), Address::new([2; 20])],
            basics: vec![],
            accounts: vec![Address::new([3; 20])],
        };
        manifest.write(&layout).unwrap();
        assert_eq!(Manifest::read(&layout).unwrap().as_ref(), Some(&manifest));

        let new = NewDevnet {
            validators: Some(2),
            block_time: Some(Duration::from_millis(1_500)),
            ..NewDevnet::default()
        };
        manifest.check(&new, &layout).unwrap();
        manifest.check(&NewDevnet::default(), &layout).unwrap();
        let more = NewDevnet {
            basics: Some(1),
            ..new
        };
        let failure = manifest.check(&more, &layout).unwrap_err();
        assert_eq!(failure.code, ExitCode::Usage);
        assert!(
            failure.message.ends_with("has 0 basic nodes, not 1"),
            "{failure}"
        );

        let damaged = |layout: &Layout| {
            let failure = Manifest::read(layout).unwrap_err();
            assert_eq!(failure.code, ExitCode::BadConfig);
            assert!(failure.message.contains("devnet.json"), "{failure}");
        };
        fs::write(layout.manifest(), "{\"genesis_id\": 5}").unwrap();
        damaged(&layout);
        let empty = Manifest {
            validators: vec![],
            ..manifest
        };
        empty.write(&layout).unwrap();
        damaged(&layout);
    }
}
