//! The command line of `cnode`.

use ccoin_core::{BlockId, Height, HostPort};
use ccoin_home::DaemonOptions;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// The role of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NodeType {
    /// Follows the chain and serves the API.
    Basic,
    /// Also makes blocks.
    Validator,
}

impl NodeType {
    /// As in the API.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Validator => "validator",
        }
    }
}

/// Shown below the options, because they do not say it.
const WITHOUT_CHAIN: &str = "A node without a chain may wait for days until a peer offers one. \
    For --daemon and for systemd it has started as soon as it looks for one; --ready-file and \
    /readyz tell when it works.";

/// Run a node
#[derive(Debug, Parser)]
#[command(name = "cnode", version, disable_help_flag = true, after_help = WITHOUT_CHAIN)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Configuration of the node
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        default_value = "ccoin.json",
        env = "CCOIN_CONFIG"
    )]
    pub(crate) config: PathBuf,
    /// Port for peers, default 0: a free one
    #[arg(short, long, env = "CCOIN_PORT")]
    pub(crate) port: Option<u16>,
    /// Address for peers, default 0.0.0.0
    #[arg(short = 'h', long, env = "CCOIN_HOST")]
    pub(crate) host: Option<String>,
    /// Whether it makes blocks
    #[arg(short = 't', long = "node-type", alias = "node_type", value_enum, default_value_t = NodeType::Basic, env = "CCOIN_NODE_TYPE")]
    pub(crate) node_type: NodeType,
    /// Port of the HTTP API, default: port for peers + 1
    #[arg(long, env = "CCOIN_HTTP_PORT")]
    pub(crate) http_port: Option<u16>,
    /// Address of the HTTP API, default 127.0.0.1
    #[arg(long, env = "CCOIN_HTTP_HOST")]
    pub(crate) http_host: Option<String>,
    /// A node to connect to in any case; may be given more than once
    #[arg(long = "peer", value_name = "HOST:PORT")]
    pub(crate) peers: Vec<HostPort>,
    /// Where others reach this node, if it is not where they see it
    #[arg(long, value_name = "HOST:PORT", env = "CCOIN_ADVERTISE")]
    pub(crate) advertise: Option<HostPort>,
    /// The network to join, for a node without a chain [default: the first one offered]
    #[arg(long, value_name = "ID", env = "CCOIN_GENESIS_ID")]
    pub(crate) genesis_id: Option<BlockId>,
    /// Refuse every other block with this number, also one that enough miners have signed
    #[arg(long, value_name = "N:ID", value_parser = trusted_block)]
    pub(crate) trusted_block: Option<(Height, BlockId)>,
    /// Look at configuration, key, genesis and data directory; change nothing
    #[arg(long)]
    pub(crate) check: bool,
    /// Make a block only for SIGUSR2, as `ccoin devnet --manual` wants it: from no file and no
    /// variable, under a parent, with one miner
    #[arg(long, hide = true, requires = "until_stdin_closes")]
    pub(crate) blocks_by_hand: bool,
    /// Throw the index away and build it from the block log
    #[arg(long)]
    pub(crate) reindex: bool,
    /// Write the process id to FILE when the node is ready: it has caught up with the
    /// chain; removed at the end
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Decrypt the key with the first line of FILE
    #[arg(
        long,
        value_name = "FILE",
        global = true,
        env = "CCOIN_PASSPHRASE_FILE"
    )]
    pub(crate) passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) daemon: DaemonOptions,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    pub(crate) help: Option<bool>,
}

fn trusted_block(text: &str) -> Result<(Height, BlockId), String> {
    let (number, id) = text
        .split_once(':')
        .ok_or_else(|| "expected a number, a colon and a block id".to_owned())?;
    let number: u64 = number
        .parse()
        .map_err(|_| format!("{number} is not a block number"))?;
    let number = Height::new(number).map_err(|error| error.to_string())?;
    let id = id.parse().map_err(|error| format!("{id}: {error}"))?;
    Ok((number, id))
}

/// What `cnode` does instead of running a node.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Give a key votes again whose vote file is lost, when the network cannot do it
    RecoverVotes(RecoverVotes),
    /// Take the blocks out of a chain that its only validator made while its clock was ahead;
    /// they are kept beside it, and their transactions wait again
    DropFutureBlocks(DropFutureBlocks),
}

/// Options of `drop-future-blocks`.
#[derive(Debug, Args)]
pub(crate) struct DropFutureBlocks {
    /// State that no other node has these blocks: it would not follow this one any more
    #[arg(long)]
    pub(crate) no_other_copy: bool,
}

/// Options of `recover-votes`.
#[derive(Debug, Args)]
pub(crate) struct RecoverVotes {
    /// Data directory of another validator, whose vote file is whole and whose node is
    /// stopped; may be given more than once
    #[arg(long = "from", value_name = "DIR", num_args = 1..)]
    pub(crate) from: Vec<PathBuf>,
    /// State that no other machine runs this key, and none will: two machines with one key
    /// can make two chains final
    #[arg(long)]
    pub(crate) no_other_copy: bool,
}
