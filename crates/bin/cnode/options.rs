//! The command line of `cnode`.

use ccoin_home::DaemonOptions;
use clap::{ArgAction, Parser, ValueEnum};
use std::path::PathBuf;

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NodeType {
    /// Follows the chain and serves the API.
    Basic,
    /// Also makes blocks.
    Validator,
}

/// Run a node
#[derive(Debug, Parser)]
#[command(name = "cnode", version, disable_help_flag = true)]
pub(crate) struct Options {
    /// Configuration of the node
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "ccoin.json",
        env = "CCOIN_CONFIG"
    )]
    pub(crate) config: PathBuf,
    /// Port for peers, reserved until this version speaks with peers; 0 (default): a free one
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
    /// Look at configuration, key, genesis and data directory; change nothing
    #[arg(long)]
    pub(crate) check: bool,
    /// Throw the index away and build it from the block log
    #[arg(long)]
    pub(crate) reindex: bool,
    /// Write FILE when the node is ready
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Decrypt the key with the first line of FILE
    #[arg(long, value_name = "FILE", env = "CCOIN_PASSPHRASE_FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) daemon: DaemonOptions,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    pub(crate) help: Option<bool>,
}
