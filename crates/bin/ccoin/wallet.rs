//! `ccoin status`, `balance`, `blocks` and so on: what a user asks a node.

use ccoin_client::wallet::{self, Page};
use clap::{Args, Subcommand};

use crate::place::{known_accounts, node};
use crate::{Options, print, tell};

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
    /// Show a block
    Block {
        /// Its number, its id, head or final
        #[arg(default_value = "head", allow_negative_numbers = true)]
        block: String,
    },
    /// List blocks, the newest first
    Blocks {
        #[command(flatten)]
        limit: Limit,
        /// Only blocks below this number
        #[arg(long, value_name = "N")]
        before: Option<u64>,
    },
    /// Show a transaction, and what became of it
    Txn {
        /// Its id
        id: String,
    },
    /// List the transactions of an account, the newest first, or those that wait for a block
    Txns {
        /// A name or an address [default: those that wait]
        account: Option<String>,
        #[command(flatten)]
        limit: Limit,
        /// Go on where the list before ended
        #[arg(long, value_name = "NEXT", value_parser = cursor)]
        next: Option<String>,
    },
    /// Print a line for each new block, and for each that becomes final
    Watch,
}

#[derive(Debug, Args)]
pub(crate) struct Limit {
    /// Most rows
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u8).range(1..=100))]
    limit: u8,
}

/// A cursor is put into a URL as it is.
fn cursor(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
    match text.chars().all(plain) && (1..=200).contains(&text.len()) {
        true => Ok(text.to_owned()),
        false => Err("expected what the list before says behind --next".to_owned()),
    }
}

impl Wallet {
    /// Does what the options say.
    pub(crate) fn run(&self, options: &Options) -> anyhow::Result<()> {
        let url = node(options)?;
        let known = known_accounts(options, &url)?;
        let json = options.json;
        let said = match self {
            Self::Status => wallet::status(&url, &known, json)?,
            Self::Why => wallet::why(&url, json)?,
            Self::Balance { account } => wallet::balance(&url, &known.find(account)?, json)?,
            Self::Nonce { account } => wallet::next_number(&url, &known.find(account)?, json)?,
            Self::Block { block } => wallet::block(&url, block, &known, json)?,
            Self::Blocks { limit, before } => {
                let page = limit.page(before.map(|before| before.to_string()));
                wallet::blocks(&url, &page, &known, json)?
            }
            Self::Txn { id } => wallet::txn(&url, id, &known, json)?,
            Self::Txns {
                account,
                limit,
                next,
            } => {
                let page = limit.page(next.clone());
                match account {
                    None => wallet::waiting_txns(&url, &page, &known, json)?,
                    Some(account) => {
                        wallet::history(&url, &known.find(account)?, &page, &known, json)?
                    }
                }
            }
            Self::Watch => {
                return Ok(wallet::watch(
                    &url,
                    &known,
                    json,
                    |line| print(&line),
                    tell,
                )?);
            }
        };
        print(&said);
        Ok(())
    }
}

impl Limit {
    fn page(&self, next: Option<String>) -> Page {
        let limit = self.limit;
        Page { limit, next }
    }
}
