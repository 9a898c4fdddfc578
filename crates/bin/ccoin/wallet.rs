//! `ccoin status`, `balance`, `nonce`, `send`, `block`, `txn`: what a user does with a node.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ccoin_client::{
    NodeUrl,
    devnet::RunningDevnet,
    wallet::{self, Account, Goal, KnownAccounts, Transfer},
};
use ccoin_core::Amount;
use ccoin_home::{Config, ExitCode, Failure, PassphraseSource, environment, unlock_key};
use clap::{Args, Subcommand, ValueEnum};

use crate::{CONFIG, Options, local_node, node_url};

/// Bytes of the longest text that is read from a file or from stdin.
const MAX_DATA: u64 = 1 << 20;

#[derive(Debug, Subcommand)]
pub(crate) enum Wallet {
    /// Show how the node is
    Status,
    /// Say why no block is made, or none becomes final
    Why,
    /// Show the coins of an account
    Balance {
        /// A name or an address
        account: String,
    },
    /// Show the number of the next transaction of an account
    Nonce {
        /// A name or an address
        account: String,
    },
    /// Send coins, and wait until a block holds the transaction, or is final
    Send(Send),
    /// Show a block
    Block {
        /// Its number, its id, head or final
        #[arg(default_value = "head")]
        block: String,
    },
    /// Show a transaction, and what became of it
    Txn {
        /// Its id
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Send {
    /// The account that pays: a name or an address whose key lies on this host
    from: String,
    /// The account that is paid: a name or an address
    to: String,
    /// Whole coins
    #[arg(value_parser = amount)]
    amount: Amount,
    /// A text that goes with the payment; @FILE reads a file, - reads stdin
    #[arg(long, value_name = "TEXT")]
    data: Option<String>,
    /// What to wait for
    #[arg(long, value_enum, default_value_t = Wait::Included, num_args = 0..=1, default_missing_value = "included")]
    wait: Wait,
    /// Do not wait
    #[arg(long, conflicts_with_all = ["timeout", "wait"])]
    no_wait: bool,
    /// Longest wait [default: interval, two slots and 10 s]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: Option<u64>,
    /// File whose first line unlocks the key of FROM
    #[arg(long, value_name = "FILE", env = "CCOIN_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Wait {
    /// A block holds the payment: it can still be undone
    Included,
    /// That block is final
    Final,
}

fn amount(text: &str) -> Result<Amount, String> {
    let number: u64 = text
        .parse()
        .map_err(|_| "expected whole coins".to_owned())?;
    Amount::new(number).map_err(|error| error.to_string())
}

impl Wallet {
    /// Does what the options say.
    pub(crate) fn run(&self, options: &Options) -> anyhow::Result<()> {
        let local = local_node(options.config.as_deref())?;
        let url = node_url(options.url.as_deref(), local.as_ref())?;
        let find = |text: &str| known_accounts(options, &url)?.find(text);
        let json = options.json;
        let said = match self {
            Self::Status => wallet::status(&url, json)?,
            Self::Why => wallet::why(&url, json)?,
            Self::Balance { account } => wallet::balance(&url, &find(account)?, json)?,
            Self::Nonce { account } => wallet::next_number(&url, &find(account)?, json)?,
            Self::Send(send) => {
                let (from, to) = (find(&send.from)?, find(&send.to)?);
                let transfer = send.transfer(&url, &from, &to)?;
                wallet::send(&transfer, json, |reason| eprintln!("{reason}"))?
            }
            Self::Block { block } => wallet::block(&url, block, json)?,
            Self::Txn { id } => wallet::txn(&url, id, json)?,
        };
        println!("{said}");
        Ok(())
    }
}

impl Send {
    fn transfer(&self, url: &NodeUrl, from: &Account, to: &Account) -> Result<Transfer, Failure> {
        let Some(data_dir) = &from.data_dir else {
            let message = format!("the key of {} is not on this host", from.address);
            return Err(Failure::new(ExitCode::NotFound, message)
                .hint("send from an account whose data directory lies below app.base_path"));
        };
        let passphrase = match &self.passphrase_file {
            Some(file) => PassphraseSource::File(file.clone()),
            None => PassphraseSource::Terminal,
        };
        Ok(Transfer {
            url: url.clone(),
            data: self.data.as_deref().map_or(Ok(String::new()), read_data)?,
            from: unlock_key(data_dir, &passphrase)?,
            to: to.address,
            amount: self.amount,
            wait: (!self.no_wait).then_some(match self.wait {
                Wait::Included => Goal::Included,
                Wait::Final => Goal::Final,
            }),
            timeout: self.timeout.map(Duration::from_secs),
        })
    }
}

fn read_data(given: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = match given.strip_prefix('@') {
        Some(file) => {
            std::fs::File::open(file).and_then(|file| file.take(MAX_DATA).read_to_string(&mut text))
        }
        None if given == "-" => std::io::stdin().take(MAX_DATA).read_to_string(&mut text),
        None => return Ok(given.to_owned()),
    };
    read.map(|_| text).map_err(|error| {
        Failure::new(
            ExitCode::Usage,
            format!("cannot read the text of {given}: {error}"),
        )
    })
}

/// The accounts with a name or a key here.
pub(crate) fn known_accounts(options: &Options, url: &NodeUrl) -> Result<KnownAccounts, Failure> {
    let mut known = KnownAccounts::default();
    if let Ok(devnet) = RunningDevnet::newest(&environment) {
        known.add_devnet(&devnet.report, url);
    }
    let path = options.config.as_deref().unwrap_or(Path::new(CONFIG));
    if options.config.is_some() || path.exists() {
        known.add_base_path(&Config::load(path, &environment)?.app.base_path);
    }
    Ok(known)
}
