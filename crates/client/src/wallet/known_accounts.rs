//! The accounts that have a name here: those of a devnet, and those with a data directory
//! below `app.base_path`.

use std::{fs, path::Path};

use ccoin_core::Address;
use ccoin_home::{DataDir, ExitCode, Failure, read_text};

use crate::devnet::DevnetReport;

/// Names that an error lists, at most.
const MAX_LISTED: usize = 8;

/// Bytes of a name file that are read.
const MAX_NAME: usize = 256;

/// An account that a user names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// `None`: it was given as an address.
    pub name: Option<String>,
    /// Its address.
    pub address: Address,
    /// Where its key lies, if that is on this host.
    pub data_dir: Option<DataDir>,
}

/// Accounts with names or keys on this host.
#[derive(Clone, Debug, Default)]
pub struct KnownAccounts(Vec<Account>);

impl KnownAccounts {
    /// Adds the accounts and nodes of a devnet.
    pub fn add_devnet(&mut self, report: &DevnetReport) {
        let accounts = report.accounts.iter();
        let accounts = accounts.map(|account| (&account.name, account.address, &account.key_file));
        let nodes = report.nodes.iter();
        let nodes = nodes.map(|node| (&node.name, node.address, &node.key_file));
        for (name, address, key_file) in accounts.chain(nodes) {
            // A key file lies in `.keys` of its data directory.
            let data_dir = key_file.ancestors().nth(2).map(DataDir::at);
            self.0.push(Account {
                name: Some(name.clone()),
                address,
                data_dir: data_dir.and_then(Result::ok),
            });
        }
    }

    /// Adds the accounts whose data directories lie in `base_path`, if that can be read.
    pub fn add_base_path(&mut self, base_path: &Path) {
        let entries = fs::read_dir(base_path).into_iter().flatten().flatten();
        for entry in entries {
            let Ok(data_dir) = DataDir::at(&entry.path()) else {
                continue;
            };
            let name = fs::File::open(data_dir.name()).and_then(|file| read_text(file, MAX_NAME));
            let plain = |name: &String| !name.trim().chars().any(char::is_control);
            self.0.push(Account {
                name: name.ok().filter(plain).map(|name| name.trim().to_owned()),
                address: data_dir.address(),
                data_dir: Some(data_dir),
            });
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Account> {
        self.0.iter()
    }

    /// Checks that no account has this name yet.
    ///
    /// # Errors
    /// [`Failure`] 8 with the address of the one that has it.
    pub fn is_free(&self, name: &str) -> Result<(), Failure> {
        let taken = self
            .0
            .iter()
            .find(|known| known.name.as_deref() == Some(name));
        taken.map_or(Ok(()), |known| {
            let message = format!("{} is already named {name:?}", known.address);
            Err(Failure::new(ExitCode::Busy, message).hint("choose another name"))
        })
    }

    /// The name of an account, or its address.
    #[must_use]
    pub fn label(&self, address: &Address) -> String {
        let name = self.name(address);
        name.map_or_else(|| address.to_string(), str::to_owned)
    }

    /// The name of an account, or the end of its address.
    #[must_use]
    pub fn short(&self, address: &Address) -> String {
        let text = address.to_string();
        // The miner of block 1.
        if *address == Address::ZERO && self.name(address).is_none() {
            return "-".to_owned();
        }
        let end = || format!("...{}", &text[text.len() - 8..]);
        self.name(address).map_or_else(end, str::to_owned)
    }

    /// The name of an account, if it has one, and its address.
    #[must_use]
    pub fn long(&self, address: &Address) -> String {
        let name = self.name(address);
        name.map_or_else(|| address.to_string(), |name| format!("{name}  {address}"))
    }

    fn name(&self, address: &Address) -> Option<&str> {
        let mut known = self.0.iter().filter(|known| known.address == *address);
        known.find_map(|known| known.name.as_deref())
    }

    /// The account with this address or name.
    ///
    /// # Errors
    /// [`Failure`] 4 if the name is not known here, 2 if two accounts have it.
    pub fn find(&self, text: &str) -> Result<Account, Failure> {
        if let Ok(address) = text.parse::<Address>() {
            let known = self.0.iter().find(|account| account.address == address);
            return Ok(known.cloned().unwrap_or(Account {
                name: None,
                address,
                data_dir: None,
            }));
        }
        let named = |account: &&Account| account.name.as_deref() == Some(text);
        let mut found: Vec<_> = self.0.iter().filter(named).collect();
        found.dedup_by_key(|account| account.address);
        match found.as_slice() {
            [account] => Ok((*account).clone()),
            [] => Err(self.unknown(text)),
            several => {
                let addresses: Vec<_> = several.iter().map(|a| a.address.to_string()).collect();
                let message = format!("several accounts are named {text:?}");
                Err(Failure::new(ExitCode::Usage, message)
                    .hint(format!("use an address: {}", addresses.join(", "))))
            }
        }
    }

    fn unknown(&self, text: &str) -> Failure {
        let names: Vec<_> = self.0.iter().filter_map(|a| a.name.as_deref()).collect();
        let known = match names.get(..names.len().min(MAX_LISTED)) {
            None | Some([]) => "no account has a name here".to_owned(),
            Some(some) => format!("known names: {}", some.join(", ")),
        };
        let message =
            format!("no account is named {text:?}, and it is no address of 40 hex digits");
        Failure::new(ExitCode::NotFound, message)
            .hint(known)
            .hint("ccoin account list   shows all here; those of a devnet only while it runs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devnet::report_example;

    #[test]
    fn names_come_from_the_devnet_that_is_asked_and_from_data_directories() {
        let dir = tempfile::tempdir().unwrap();
        let own = DataDir::new(dir.path(), Address::new([7; 20]));
        own.create().unwrap();
        fs::write(own.name(), "dora\n").unwrap();
        fs::create_dir(dir.path().join("devnet")).unwrap();

        let mut known = KnownAccounts::default();
        known.add_base_path(dir.path());
        known.add_devnet(&report_example());
        assert_eq!(known.find("alice").unwrap().address, Address::ZERO);
        assert_eq!(known.find("dora").unwrap().data_dir, Some(own));
        let text = Address::new([9; 20]).to_string();
        assert_eq!(known.find(&text).unwrap().data_dir, None);
        assert_eq!(known.label(&Address::ZERO), "alice");
        assert_eq!(known.short(&Address::new([9; 20])), "...09090909");
        assert_eq!(known.is_free("dora").unwrap_err().code, ExitCode::Busy);
        known.is_free("dorothy").unwrap();
        let unknown = known.find("alicia").unwrap_err();
        assert_eq!(unknown.code, ExitCode::NotFound);
        assert_eq!(unknown.hints[0], "known names: dora, alice, validator-1");
        let nobody = KnownAccounts::default().find("alice").unwrap_err();
        assert_eq!(nobody.hints[0], "no account has a name here");
    }

    #[test]
    fn a_name_that_two_accounts_have_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for byte in [1, 2] {
            let own = DataDir::new(dir.path(), Address::new([byte; 20]));
            own.create().unwrap();
            fs::write(own.name(), "dora").unwrap();
        }
        let mut known = KnownAccounts::default();
        known.add_base_path(dir.path());
        assert_eq!(known.find("dora").unwrap_err().code, ExitCode::Usage);
    }
}
