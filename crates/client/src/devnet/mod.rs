//! `ccoin devnet`: a whole local network of the real binaries, each in a process of its
//! own, that ends when this process ends, however that comes about.
//!
//! It makes files, starts processes and asks them over HTTP; it never reads a chain.

mod control;
mod error;
mod follower;
mod founding;
mod layout;
mod live;
mod manifest;
mod network;
mod node;
mod order;
mod process;
mod programs;
mod ready_file;
mod registry;
pub(crate) mod report;
mod run;
mod temporary;
mod traffic;
mod unfinished;

use std::path::PathBuf;
use std::time::Duration;

pub use control::tell;
pub use error::DevnetError;
pub use founding::block_time;
pub use live::LiveDevnet;
pub use order::{Order, Verb};
pub use report::{AccountEntry, DevnetReport, DiscoveryEntry, NodeEntry};
pub use run::run;

use serde::{Deserialize, Serialize};

/// What network to run; what is absent has the default, or that of the network that is
/// continued.
#[derive(Clone, Debug, Default)]
pub struct NewDevnet {
    /// Nodes that make blocks, 1 to 20; default 2.
    pub validators: Option<u16>,
    /// Nodes that follow, up to 20; default 1.
    pub basics: Option<u16>,
    /// Funded accounts, up to 20; default 3.
    pub accounts: Option<u16>,
    /// Longest time between two blocks; default 1 s.
    pub block_time: Option<Duration>,
    /// Transfers per second among the accounts.
    pub traffic: Option<u32>,
    /// Where everything is, made or continued; `None`: a temporary directory.
    pub data_dir: Option<PathBuf>,
    /// Print one line of JSON when ready, and nothing else.
    pub json: bool,
    /// Write that line here, too; the file is there while the network is ready.
    pub ready_file: Option<PathBuf>,
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeType {
    /// Makes blocks.
    Validator,
    /// Follows the chain.
    Basic,
}

impl NodeType {
    fn word(self) -> &'static str {
        match self {
            Self::Validator => "validator",
            Self::Basic => "basic",
        }
    }
}
