//! `ccoin devnet`: a whole local network of the real binaries, each in its own process.
//! All of them end when this process ends, for any reason.
//!
//! It makes files, starts processes and asks them over HTTP; it never reads a chain.

mod apply;
mod block_line;
mod command;
mod directory;
mod discovery_process;
mod end_signals;
mod init;
mod layout;
mod manifest;
mod mine;
mod network;
mod node;
mod partition;
mod process;
mod programs;
pub(crate) mod report;
mod run;
mod running;
mod snapshot;
mod traffic;

use std::path::PathBuf;
use std::time::Duration;

pub use command::DevnetCommand;
pub use init::block_time;
pub use mine::MinedBlock;
#[cfg(test)]
pub(crate) use report::tests::example as report_example;
pub use report::{AccountEntry, DevnetReport, DiscoveryEntry, NodeEntry};
pub use run::run;
pub use running::RunningDevnet;

use serde::{Deserialize, Serialize};

/// The network to run; an absent number has its default, or the value of the network that
/// is continued.
#[derive(Clone, Debug, Default)]
pub struct NewDevnet {
    /// 1 to 20; default 2.
    pub validators: Option<u16>,
    /// Up to 20; default 1.
    pub basics: Option<u16>,
    /// Funded accounts, up to 20; default 3.
    pub accounts: Option<u16>,
    /// Longest time between two blocks; default 1 s.
    pub block_time: Option<Duration>,
    /// Blocks are made by hand; goes with one validator, and sets the block time.
    pub manual: bool,
    /// Transfers per second among the accounts.
    pub traffic: Option<u32>,
    /// Directory of all files, made or continued; `None`: a temporary one.
    pub data_dir: Option<PathBuf>,
    /// Print one line of JSON when ready, and nothing else.
    pub json: bool,
    /// Write that line to this file, too; it exists while the network is ready.
    pub ready_file: Option<PathBuf>,
    /// End when standard input closes: a test that holds the other end may be killed.
    pub until_stdin_closes: bool,
}

impl NewDevnet {
    fn accounts(&self) -> usize {
        self.accounts.unwrap_or(3).into()
    }
}

/// The two kinds of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeType {
    /// Makes blocks.
    Validator,
    /// Follows the chain.
    Basic,
}

impl NodeType {
    /// As in `cnode -t`.
    fn word(self) -> &'static str {
        match self {
            Self::Validator => "validator",
            Self::Basic => "basic",
        }
    }

    /// The name of a node; index 0 has number 1.
    fn name(self, index: usize) -> String {
        format!("{}-{}", self.word(), index + 1)
    }
}
