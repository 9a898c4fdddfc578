//! `ccoin send`, `sign` and `publish`: payments.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use ccoin_client::wallet::{self, Account, Goal, Transfer, Wait};
use ccoin_core::{AccountNonce, Amount, BlockId};
use ccoin_crypto::SecretKey;
use ccoin_home::{ExitCode, Failure, PassphraseSource, unlock_key};
use clap::{Args, Subcommand, ValueEnum};

use crate::offline::print_signed;
use crate::place::{known_accounts, node};
use crate::{Options, print, tell};

/// Bytes of the longest text that is read from a file or from stdin.
const MAX_DATA: u64 = 1 << 20;

/// Bytes of the longest list of signed transactions: as many as a node reads.
const MAX_SIGNED: u64 = 4 << 20;

#[derive(Debug, Subcommand)]
pub(crate) enum Pay {
    /// Send coins, and wait until a block holds the transaction, or is final
    Send {
        #[command(flatten)]
        payment: Payment,
        /// What to wait for
        #[arg(long, value_enum, default_value_t = Until::Included, num_args = 0..=1, default_missing_value = "included")]
        wait: Until,
        /// Do not wait
        #[arg(long, conflicts_with_all = ["timeout", "wait"])]
        no_wait: bool,
        #[command(flatten)]
        patience: Patience,
    },
    /// Sign a payment without a node: prints what `publish` takes
    Sign {
        #[command(flatten)]
        payment: Payment,
        /// Number of this transaction (required): `ccoin nonce FROM` tells it
        #[arg(long, value_name = "N", value_parser = number)]
        number: Option<AccountNonce>,
        /// The network [default: that of the devnet of FROM, else genesis_id of the configuration,
        /// else that of the newest devnet]
        #[arg(long, value_name = "ID", env = "CCOIN_GENESIS")]
        genesis: Option<BlockId>,
    },
    /// Hand signed transactions to a node
    Publish {
        /// One, an array, or one behind the other; - reads stdin
        file: PathBuf,
        /// Wait until a block holds each, or is final
        #[arg(long, value_enum, num_args = 0..=1, default_missing_value = "included")]
        wait: Option<Until>,
        #[command(flatten)]
        patience: Patience,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Payment {
    /// The account that pays: a name or an address whose key lies on this host
    pub(crate) from: String,
    /// The account that is paid: a name or an address
    pub(crate) to: String,
    /// Whole coins
    #[arg(value_parser = amount, allow_negative_numbers = true)]
    pub(crate) amount: Amount,
    /// A text that goes with the payment; @FILE reads a file, - reads stdin
    #[arg(long, value_name = "TEXT")]
    data: Option<String>,
    /// File whose first line unlocks the key of FROM
    #[arg(long, value_name = "FILE", env = "CCOIN_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Patience {
    /// Longest wait [default: interval, two slots and 10 s]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Until {
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

fn number(text: &str) -> Result<AccountNonce, String> {
    let number: u64 = text
        .parse()
        .map_err(|_| "expected a whole number from 1".to_owned())?;
    match number {
        0 => Err("the first transaction of an account has number 1".to_owned()),
        _ => AccountNonce::new(number).map_err(|error| error.to_string()),
    }
}

impl Pay {
    /// Does what the options say.
    pub(crate) fn run(&self, options: &Options) -> anyhow::Result<()> {
        match self {
            Self::Send {
                payment,
                wait,
                no_wait,
                patience,
            } => {
                let url = node(options)?;
                let known = known_accounts(options, &url)?;
                let (from, to) = (known.find(&payment.from)?, known.find(&payment.to)?);
                let transfer = Transfer {
                    url,
                    data: payment.data()?,
                    from: payment.key(&from)?,
                    to: to.address,
                    to_label: known.label(&to.address),
                    amount: payment.amount,
                    wait: (!no_wait).then(|| patience.wait(*wait)),
                };
                print(&wallet::send(&transfer, options.json, tell)?);
            }
            Self::Sign {
                payment,
                number,
                genesis,
            } => print_signed(options, payment, *number, *genesis)?,
            Self::Publish {
                file,
                wait,
                patience,
            } => {
                let text = read(&file.display().to_string(), MAX_SIGNED)?;
                let txns = wallet::parse_signed(&text)?;
                let wait = wait.map(|until| patience.wait(until));
                let say = |line: String| {
                    print(&line);
                };
                wallet::publish(&node(options)?, &txns, wait, options.json, say, tell)?;
            }
        }
        Ok(())
    }
}

impl Patience {
    fn wait(&self, until: Until) -> Wait {
        Wait {
            goal: match until {
                Until::Included => Goal::Included,
                Until::Final => Goal::Final,
            },
            timeout: self.timeout.map(Duration::from_secs),
        }
    }
}

impl Payment {
    pub(crate) fn key(&self, from: &Account) -> Result<SecretKey, Failure> {
        let Some(data_dir) = &from.data_dir else {
            let message = format!("the key of {} is not on this host", from.address);
            return Err(Failure::new(ExitCode::NotFound, message)
                .hint("ccoin account list   shows the keys that are")
                .hint("ccoin account import FILE   adds one"));
        };
        let passphrase = match &self.passphrase_file {
            Some(file) => PassphraseSource::File(file.clone()),
            None => PassphraseSource::Terminal,
        };
        unlock_key(data_dir, &passphrase)
    }

    pub(crate) fn data(&self) -> Result<String, Failure> {
        let Some(given) = self.data.as_deref() else {
            return Ok(String::new());
        };
        match given.strip_prefix('@') {
            Some(file) => read(file, MAX_DATA),
            None if given == "-" => read("-", MAX_DATA),
            None => Ok(given.to_owned()),
        }
    }
}

/// Reads a whole text; `-` is stdin.
fn read(file: &str, max: u64) -> Result<String, Failure> {
    let whole = |from: &mut dyn Read| {
        let mut text = String::new();
        from.take(max + 1).read_to_string(&mut text).map(|_| text)
    };
    let text = match file {
        "-" => whole(&mut std::io::stdin().lock()),
        file => std::fs::File::open(file).and_then(|mut file| whole(&mut file)),
    };
    let text = text.map_err(|error| {
        let message = format!("cannot read the text of {file}: {error}");
        Failure::new(ExitCode::Usage, message)
    })?;
    if text.len() as u64 > max {
        let message = format!("{file} is longer than {max} bytes");
        return Err(Failure::new(ExitCode::Usage, message));
    }
    Ok(text)
}
