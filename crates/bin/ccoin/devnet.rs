//! `ccoin devnet`: runs a local network, or sends a command to the newest one that runs.

use std::path::PathBuf;
use std::time::Duration;

use ccoin_client::devnet::{self, DevnetCommand, MinedBlock, NewDevnet, RunningDevnet, block_time};
use ccoin_home::{ExitCode, Failure, environment};
use clap::{Args, Subcommand};

use crate::{Options, print};

#[derive(Debug, Args)]
pub(crate) struct Devnet {
    /// Nodes that make blocks [default: 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=20))]
    validators: Option<u16>,
    /// Nodes that follow the chain [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=20))]
    basics: Option<u16>,
    /// Accounts with 1,000,000 coins each: alice, bob, carol ... [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=20))]
    accounts: Option<u16>,
    /// Longest time between two blocks, with unit or in seconds [default: 1s]
    #[arg(long, value_name = "TIME", value_parser = block_time)]
    block_time: Option<Duration>,
    /// Make blocks only with `ccoin devnet mine`; goes with one validator, and no other nodes
    /// unless --basics says so
    #[arg(long, conflicts_with = "block_time")]
    manual: bool,
    /// Send N transfers per second among the accounts
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=5_000))]
    traffic: Option<u32>,
    /// Keep everything in DIR, and continue the network that is there [default: a
    /// temporary directory]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Write the line of --json to FILE when ready
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// End when standard input closes: a test holds the other end
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
    #[command(subcommand)]
    change: Option<Change>,
}

#[derive(Debug, Subcommand)]
enum Change {
    /// Show the networks that run on this host
    List,
    /// End a node in order
    Stop {
        /// Its name: validator-1, basic-1 ...
        node: String,
    },
    /// Start a node again, with the same addresses
    Start {
        /// Its name: validator-1, basic-1 ...
        node: String,
    },
    /// End a node as a power cut would
    Kill {
        /// Its name: validator-1, basic-1 ...
        node: String,
    },
    /// Make blocks of a network with --manual, with the transactions that wait
    Mine {
        /// How many, one after the other
        #[arg(value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        count: u32,
    },
    /// Cut nodes off from all others; both sides go on
    Partition {
        /// Their names
        #[arg(required = true, value_name = "NODE")]
        nodes: Vec<String>,
    },
    /// Let all nodes meet again
    Heal,
    /// Keep the chains of all nodes under a name; they stand still meanwhile
    Snapshot {
        /// Letters, digits, - _ and .
        name: String,
    },
    /// Put all nodes back to a snapshot
    Revert {
        /// Its name
        name: String,
    },
}

impl Change {
    /// What a running network is told; `None`: it is only looked at.
    fn command(&self) -> Option<DevnetCommand> {
        Some(match self {
            Self::List => return None,
            Self::Stop { node } => DevnetCommand::Stop { node: node.clone() },
            Self::Start { node } => DevnetCommand::Start { node: node.clone() },
            Self::Kill { node } => DevnetCommand::Kill { node: node.clone() },
            Self::Partition { nodes } => DevnetCommand::Partition {
                nodes: nodes.clone(),
            },
            Self::Mine { .. } => DevnetCommand::Mine,
            Self::Heal => DevnetCommand::Heal,
            Self::Snapshot { name } => DevnetCommand::Snapshot { name: name.clone() },
            Self::Revert { name } => DevnetCommand::Revert { name: name.clone() },
        })
    }
}

impl Devnet {
    /// Does what the options say.
    pub(crate) fn run(&self, options: &Options) -> anyhow::Result<()> {
        let Some(change) = &self.change else {
            self.refuse_many_by_hand()?;
            return Ok(devnet::run(&NewDevnet {
                validators: self.validators,
                basics: self.basics,
                accounts: self.accounts,
                block_time: self.block_time,
                manual: self.manual,
                traffic: self.traffic,
                data_dir: self.data_dir.clone(),
                json: options.json,
                ready_file: self.ready_file.clone(),
                until_stdin_closes: self.until_stdin_closes,
            })?);
        };
        self.refuse_settings()?;
        let Some(command) = change.command() else {
            list(options.json);
            return Ok(());
        };
        let running = RunningDevnet::newest(&environment)?;
        if let Change::Mine { count } = change {
            return Ok(mine(&running, *count, options.json)?);
        }
        let done = running.send(&command)?;
        match options.json {
            true => print(&serde_json::json!({"done": done}).to_string()),
            false => print(&done),
        };
        Ok(())
    }

    /// Several miners would have to be told one after the other, each in its turn.
    fn refuse_many_by_hand(&self) -> Result<(), Failure> {
        match self.validators {
            Some(count) if self.manual && count != 1 => {
                let message = format!("--manual goes with one validator, not {count}");
                Err(Failure::new(ExitCode::Usage, message)
                    .hint("leave --validators out, or --manual"))
            }
            _ => Ok(()),
        }
    }

    /// Options of a new network do not go with a command to a running one. The parser
    /// would also refuse `--json` and `--config`.
    fn refuse_settings(&self) -> Result<(), Failure> {
        let settings = [
            (self.validators.is_some(), "--validators"),
            (self.basics.is_some(), "--basics"),
            (self.accounts.is_some(), "--accounts"),
            (self.block_time.is_some(), "--block-time"),
            (self.manual, "--manual"),
            (self.traffic.is_some(), "--traffic"),
            (self.data_dir.is_some(), "--data-dir"),
            (self.ready_file.is_some(), "--ready-file"),
        ];
        let Some((_, option)) = settings.iter().find(|(given, _)| *given) else {
            return Ok(());
        };
        let message = format!("{option} is for a new network");
        Err(Failure::new(ExitCode::Usage, message)
            .hint("commands are for a network that runs")
            .hint("try: ccoin devnet --help"))
    }
}

/// Makes blocks one after the other, and prints the last.
fn mine(running: &RunningDevnet, count: u32, json: bool) -> Result<(), Failure> {
    let mut last = String::new();
    for _ in 0..count {
        last = running.send(&DevnetCommand::Mine)?;
    }
    if json {
        print(&last);
        return Ok(());
    }
    let block: MinedBlock = serde_json::from_str(&last).map_err(|error| {
        let message = format!("the answer of the devnet is not understood: {error}");
        Failure::new(ExitCode::Unexpected, message)
    })?;
    let transactions = if block.txns == 1 {
        "transaction"
    } else {
        "transactions"
    };
    print(&format!(
        "block {} {}, {} {transactions}, reward {}",
        block.number, block.id, block.txns, block.reward
    ));
    Ok(())
}

/// The newest one last, as it is the one that commands find.
fn list(json: bool) {
    let running = RunningDevnet::all(&environment);
    if json {
        print(&serde_json::json!(running).to_string());
        return;
    }
    if running.is_empty() {
        print("no devnet runs; ccoin devnet   starts one");
    }
    for (position, network) in running.iter().enumerate() {
        let gap = if position == 0 { "" } else { "\n" };
        print(&format!(
            "{gap}process    {}\n{}",
            network.pid, network.report
        ));
    }
}
