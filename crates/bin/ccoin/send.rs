//! `ccoin send`, `sign` and `publish`: payments.

use std::path::PathBuf;
use std::time::Duration;

use ccoin_client::wallet::{self, Goal, Transfer, Wait};
use ccoin_core::{AccountNonce, BlockId};
use clap::{Args, Subcommand, ValueEnum};

use crate::offline::print_signed;
use crate::payment::{Payment, read};
use crate::place::{known_accounts, node};
use crate::{Options, print, tell};

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
