//! `ccoin account`: the keys on this host. No node is asked.

use std::path::PathBuf;

use ccoin_client::devnet::RunningDevnet;
use ccoin_client::wallet::{self, KnownAccounts};
use ccoin_home::{
    DataDir, ExitCode, Failure, PassphraseSource, change_passphrase, create_account_in,
    environment, export_key, import_key,
};
use clap::{Args, Subcommand};

use crate::place::{base_path, config, known};
use crate::{Options, print, tell};

#[derive(Debug, Subcommand)]
pub(crate) enum Account {
    /// Make a key and its account below app.base_path, by default ~/.ccoin
    New {
        /// A name for people
        name: Option<String>,
        /// Size of the RSA key
        #[arg(long, default_value = "2048", value_parser = ["2048", "3072", "4096"])]
        bits: String,
        #[command(flatten)]
        lock: Lock,
    },
    /// List the accounts on this host; * marks the one of the configuration
    List,
    /// Show an account and where its files are
    Show {
        /// A name or an address
        account: String,
    },
    /// Make an account of a private key: PKCS#8 PEM, with or without passphrase
    Import {
        /// The key; - reads stdin
        file: PathBuf,
        /// A name for people
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        unlock: Unlock,
    },
    /// Write the private key of an account to a new file, with its passphrase if it has one
    Export {
        /// A name or an address
        account: String,
        /// The file
        file: PathBuf,
    },
    /// Change the passphrase of a key, or take it away
    Passwd {
        /// A name or an address
        account: String,
        #[command(flatten)]
        unlock: Unlock,
        /// Lock the key with the first line of FILE
        #[arg(long, value_name = "FILE")]
        new_passphrase_file: Option<PathBuf>,
        /// Leave the key without passphrase
        #[arg(long, conflicts_with = "new_passphrase_file")]
        no_passphrase: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Lock {
    /// Encrypt the key with the first line of FILE
    #[arg(long, value_name = "FILE", env = "CCOIN_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
    /// Do not encrypt the key and do not ask
    #[arg(long, conflicts_with = "passphrase_file")]
    no_passphrase: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Unlock {
    /// File whose first line unlocks the key
    #[arg(long, value_name = "FILE", env = "CCOIN_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
}

fn source(file: Option<&PathBuf>, absent: bool) -> PassphraseSource {
    match file {
        Some(file) => PassphraseSource::File(file.clone()),
        None if absent => PassphraseSource::Absent,
        None => PassphraseSource::Terminal,
    }
}

impl Unlock {
    fn source(&self) -> PassphraseSource {
        source(self.passphrase_file.as_ref(), false)
    }
}

impl Account {
    /// Does what the options say.
    pub(crate) fn run(&self, options: &Options) -> anyhow::Result<()> {
        let devnet = RunningDevnet::newest(&environment).ok();
        let known = known(options, devnet.as_ref())?;
        match self {
            Self::New { name, bits, lock } => {
                free(&known, name.as_deref())?;
                let base_path = base_path(options)?;
                let passphrase = source(lock.passphrase_file.as_ref(), lock.no_passphrase);
                let bits = bits.parse()?;
                let made = create_account_in(&base_path, name.as_deref(), bits, &passphrase)?;
                say_created(options, &made);
            }
            Self::List => {
                let own = config(options)?.and_then(|config| config.client.account_address);
                print(&wallet::accounts(&known, own, options.json));
            }
            Self::Show { account } => {
                print(&wallet::account(&known.find(account)?, options.json)?);
            }
            Self::Import { file, name, unlock } => {
                free(&known, name.as_deref())?;
                let base_path = base_path(options)?;
                let made = import_key(&base_path, file, name.as_deref(), &unlock.source())?;
                say_created(options, &made);
                tell("a validator with this key abstains until it knows what the key has voted");
            }
            Self::Export { account, file } => {
                let dir = here(&known, account)?;
                export_key(&dir, file)?;
                let file = file.display().to_string();
                say(
                    options,
                    serde_json::json!({"address": dir.address(), "file": file}),
                    &format!(
                        "the private key of {} is in {file}",
                        known.label(&dir.address())
                    ),
                );
            }
            Self::Passwd {
                account,
                unlock,
                new_passphrase_file,
                no_passphrase,
            } => {
                let dir = here(&known, account)?;
                let new = source(new_passphrase_file.as_ref(), *no_passphrase);
                let locked = change_passphrase(&dir, &unlock.source(), &new)?;
                let now = if locked { "another" } else { "no" };
                say(
                    options,
                    serde_json::json!({"address": dir.address(), "locked": locked}),
                    &format!(
                        "the key of {} has {now} passphrase now",
                        known.label(&dir.address())
                    ),
                );
            }
        }
        Ok(())
    }
}

fn free(known: &KnownAccounts, name: Option<&str>) -> Result<(), Failure> {
    name.map_or(Ok(()), |name| known.is_free(name))
}

/// The data directory of an account whose key is on this host.
fn here(known: &KnownAccounts, account: &str) -> Result<DataDir, Failure> {
    let found = known.find(account)?;
    found.data_dir.ok_or_else(|| {
        let message = format!("the key of {} is not on this host", found.address);
        Failure::new(ExitCode::NotFound, message).hint("ccoin account list   shows those that are")
    })
}

fn say_created(options: &Options, made: &DataDir) {
    let key_file = made.private_key();
    let document = serde_json::json!({
        "address": made.address(), "data_dir": made.root(), "key_file": key_file,
    });
    say(
        options,
        document,
        &format!("Created account with address={}", made.address()),
    );
    tell(&format!("its key is {}: keep a copy", key_file.display()));
}

fn say(options: &Options, document: serde_json::Value, line: &str) {
    match options.json {
        true => print(&document.to_string()),
        false => print(line),
    };
}
