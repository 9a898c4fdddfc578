//! `ccoin`: the client of a node. Reads options, calls the `client` crate, prints. It makes
//! no decision of its own.

mod bench;
mod devnet;
mod receipts;
mod wallet;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ccoin_client::{LocalNode, NodeUrl, devnet::RunningDevnet};
use ccoin_home::{Config, Failure, environment, run};
use clap::{ArgAction, Parser, Subcommand};

/// Configuration that is read, if it exists, without `--config`
const CONFIG: &str = "ccoin.json";

/// Talk to a node
#[derive(Debug, Parser)]
#[command(
    name = "ccoin",
    version,
    disable_help_flag = true,
    disable_help_subcommand = true
)]
struct Options {
    /// The node [default: the running node of the account in -c, else of the newest devnet, else
    /// http://127.0.0.1:4002]
    #[arg(long, value_name = "URL", env = "CCOIN_URL", global = true)]
    url: Option<String>,
    /// Configuration that names the account [default: ccoin.json, if it is there]
    #[arg(short, long, value_name = "FILE", env = "CCOIN_CONFIG", global = true)]
    config: Option<PathBuf>,
    /// Print one line of JSON
    #[arg(long, global = true)]
    json: bool,
    /// Print help
    #[arg(long, action = ArgAction::Help, global = true)]
    help: Option<bool>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure how many signed transfers a node commits, how fast and at what cost
    Bench(Box<bench::Bench>),
    /// Run a whole local network of real nodes, or tell its nodes to stop and start
    Devnet(devnet::Devnet),
    #[command(flatten)]
    Receipts(receipts::Receipts),
    #[command(flatten)]
    Wallet(wallet::Wallet),
}

fn main() -> ExitCode {
    let options: Options = ccoin_home::options();
    run(|| match &options.command {
        Command::Bench(bench) => bench.run(&options),
        Command::Devnet(devnet) => devnet.run(&options),
        Command::Receipts(receipts) => receipts.run(&options),
        Command::Wallet(wallet) => wallet.run(&options),
    })
}

/// The running node of the configured account. The default configuration may be absent or
/// without an account, one that the user names may not.
fn local_node(config: Option<&Path>) -> Result<Option<LocalNode>, Failure> {
    let named = config.is_some();
    let path = config.unwrap_or(Path::new(CONFIG));
    if !named && !path.exists() {
        return Ok(None);
    }
    let config = Config::load(path, &environment)?;
    if !named && config.client.account_address.is_none() {
        return Ok(None);
    }
    LocalNode::of(&config)
}

/// The node that is asked: `--url`, the running node of the account, the newest devnet, or the
/// default address.
fn node_url(url: Option<&str>, local: Option<&LocalNode>) -> Result<NodeUrl, Failure> {
    let newest = || RunningDevnet::newest(&environment).ok()?.url();
    Ok(NodeUrl::choose(url, local, newest)?)
}
