//! `ccoin bench`: makes a network to measure, or measures a node.

use std::path::{Path, PathBuf};

use ccoin_client::bench::{self, BenchRun, NewBench};
use clap::{ArgGroup, Args};

use crate::Options;
use crate::place::{local_node, node_url};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("mode").required(true))]
pub(crate) struct Bench {
    /// Make a throw-away network to measure in DIR
    #[arg(long, value_name = "DIR", group = "mode")]
    init: Option<PathBuf>,
    /// Measure the node with the bench keys of DIR
    #[arg(long, value_name = "DIR", group = "mode")]
    keys: Option<PathBuf>,
    #[command(flatten)]
    network: Network,
    #[command(flatten)]
    load: Load,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "With --init")]
struct Network {
    /// Funded accounts
    #[arg(long, value_name = "N", default_value_t = 64, conflicts_with = "keys",
          value_parser = clap::value_parser!(u16).range(1..=20_000))]
    accounts: u16,
    /// A block is due when this many transactions wait
    #[arg(long, value_name = "N", default_value_t = 3, conflicts_with = "keys")]
    min_bound: u32,
    /// Most transactions of a block
    #[arg(
        long,
        value_name = "N",
        default_value_t = 4_000,
        conflicts_with = "keys"
    )]
    max_bound: u32,
    /// Leading zero hex digits of a block id
    #[arg(long, value_name = "N", default_value_t = 3, conflicts_with = "keys",
          value_parser = clap::value_parser!(u8).range(0..=8))]
    difficulty: u8,
    /// Longest time between a waiting transaction and a block, in seconds
    #[arg(long, value_name = "S", default_value_t = 2.0, conflicts_with = "keys")]
    interval: f64,
    /// Length of a miner's turn
    #[arg(long, value_name = "MS", default_value_t = 2_000, conflicts_with = "keys",
          value_parser = clap::value_parser!(u64).range(200..=600_000))]
    slot_ms: u64,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "With --keys")]
struct Load {
    /// Least length of the measurement
    #[arg(long, value_name = "S", default_value_t = 30, conflicts_with = "init",
          value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// Sign this many transfers [default: what --seconds needs, found by a warm-up]
    #[arg(long, value_name = "N", conflicts_with = "init",
          value_parser = clap::value_parser!(u32).range(1..=4_000_000))]
    transfers: Option<u32>,
    /// Send so many per second, whatever the answers [default: as fast as they are answered]
    #[arg(long, value_name = "R", conflicts_with = "init",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// Keep-alive connections
    #[arg(long, value_name = "N", default_value_t = 4, conflicts_with = "init",
          value_parser = clap::value_parser!(u16).range(1..=200))]
    connections: u16,
    /// Transfers of one request [default: 500; with --rate what is due in 10 ms]
    #[arg(long, value_name = "N", conflicts_with = "init",
          value_parser = clap::value_parser!(u16).range(1..=1_000))]
    array: Option<u16>,
    /// Most transfers that are sent and not yet in a block
    #[arg(long, value_name = "N", default_value_t = 20_000, conflicts_with = "init",
          value_parser = clap::value_parser!(u32).range(1..=4_000_000))]
    in_flight: u32,
    /// Process of the node [default: of the running node of the account in -c]
    #[arg(long, conflicts_with = "init")]
    pid: Option<u32>,
    /// Bytes of data in each transfer
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "init",
          value_parser = clap::value_parser!(u32).range(0..=65_536))]
    data_bytes: u32,
}

impl Bench {
    /// Does what the options say.
    pub(crate) fn run(&self, options: &Options) -> anyhow::Result<()> {
        if let Some(dir) = &self.init {
            return make_network(options, dir, &self.network);
        }
        let keys = self.keys.as_deref().expect("clap requires one of the two");
        measure(options, keys, &self.load)
    }
}

fn make_network(options: &Options, dir: &Path, network: &Network) -> anyhow::Result<()> {
    let made = bench::init(&NewBench {
        dir: dir.to_owned(),
        accounts: network.accounts.into(),
        min_bound: network.min_bound,
        max_bound: network.max_bound,
        difficulty: network.difficulty,
        interval: network.interval,
        slot_ms: network.slot_ms,
    })?;
    if options.json {
        println!("{}", serde_json::to_string(&made)?);
        return Ok(());
    }
    let (config, genesis, keys) = (
        made.config.display(),
        made.genesis.display(),
        made.keys.display(),
    );
    println!("Created account with address={}", made.address);
    println!(
        "The genesis allows {} transfers/s. Next:",
        made.cap_per_second
    );
    println!("  initc -c {config} -g {genesis}");
    println!("  cnode -c {config} -t validator -h 127.0.0.1 -p 4001");
    println!("  ccoin bench -c {config} --keys {keys}");
    Ok(())
}

fn measure(options: &Options, keys: &Path, load: &Load) -> anyhow::Result<()> {
    let local = local_node(options)?;
    let url = node_url(options, local.as_ref())?;
    let report = bench::run(&BenchRun {
        keys: keys.to_owned(),
        url,
        pid: load.pid.or(local.as_ref().map(|local| local.file.pid)),
        chain: local.map(|local| local.data_dir.chain()),
        seconds: load.seconds,
        transfers: load.transfers.map(|transfers| transfers as usize),
        rate: load.rate,
        connections: load.connections.into(),
        array: load.array.map(usize::from),
        in_flight: load.in_flight as usize,
        data_bytes: load.data_bytes as usize,
    })?;
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{report}");
    }
    Ok(())
}
