//! `ccoin`: the client of a node. Reads options, calls the `client` crate, prints. It makes
//! no decision of its own.

mod account;
mod audit;
mod bench;
mod chain;
mod chain_file;
mod check;
mod devnet;
mod manual;
mod offline;
mod payment;
mod place;
mod receipts;
mod send;
mod sim;
mod wallet;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use ccoin_client::plain;
use ccoin_home::run;
use clap::{Parser, Subcommand};

/// Heading of the options that stand before or after any command.
const EVERYWHERE: &str = "Options of every command";

/// Talk to a node
#[derive(Debug, Parser)]
#[command(name = "ccoin", version)]
struct Options {
    /// The node [default: the running node of the account in -c, else of the newest devnet, else
    /// http://127.0.0.1:4002]
    #[arg(long, value_name = "URL", env = "CCOIN_URL", global = true, help_heading = EVERYWHERE)]
    url: Option<String>,
    /// Configuration that names the account [default: ccoin.json, if it is there]
    #[arg(short, long, value_name = "FILE", env = "CCOIN_CONFIG", global = true, help_heading = EVERYWHERE)]
    config: Option<PathBuf>,
    /// Print one line of JSON
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Receipts(receipts::Receipts),
    #[command(flatten)]
    Wallet(wallet::Wallet),
    #[command(flatten)]
    Pay(send::Pay),
    #[command(flatten)]
    Chain(chain::Chain),
    Audit(audit::AuditOptions),
    /// Make, list and move the keys on this host
    #[command(subcommand)]
    Account(account::Account),
    /// Run a whole local network of real nodes, or change one that runs
    Devnet(devnet::Devnet),
    /// Measure how many signed transfers a node commits, how fast and at what cost
    Bench(Box<bench::Bench>),
    /// Simulate a network with faults: is it safe, how long does finality wait
    Sim(sim::Sim),
    #[command(flatten)]
    Manual(manual::Manual),
}

fn main() -> ExitCode {
    let options: Options = ccoin_home::options();
    run(|| match &options.command {
        Command::Audit(audit) => Ok(audit.run(&options)?),
        Command::Account(account) => account.run(&options),
        Command::Bench(bench) => bench.run(&options),
        Command::Chain(chain) => Ok(chain.run(&options)?),
        Command::Devnet(devnet) => devnet.run(&options),
        Command::Receipts(receipts) => receipts.run(&options),
        Command::Manual(manual) => manual.run(),
        Command::Pay(pay) => pay.run(&options),
        Command::Sim(sim) => sim.run(&options),
        Command::Wallet(wallet) => wallet.run(&options),
    })
}

/// Prints a result; false: its reader has gone, as `head` does.
fn print(line: &str) -> bool {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", plain(line))
        .and_then(|()| out.flush())
        .is_ok()
}

/// Prints a remark for people; a closed stderr is no failure.
fn tell(line: &str) {
    drop(writeln!(io::stderr(), "{}", plain(line)));
}
