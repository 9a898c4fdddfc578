//! A running node: the shell around the machine.
//!
//! | long-lived thing | what it owns | ends when |
//! |---|---|---|
//! | thread `chain` | the machine | told to stop |
//! | thread `storage` | block log, pool log, vote file | `chain` has ended, all is written |
//! | thread `index` | the index | `storage` has ended |
//! | thread `miner` (validators) | the key, one order at a time | `storage` has ended |
//! | threads `verifier-N`, one per core | a cache of parsed keys each | the last handle is dropped |
//! | tasks of `ccoin_p2p::Network` | the connections | the network is stopped |
//! | task for each peer | what it sends, one frame at a time | its connection ends |
//! | task for each new peer | showing it what waits here | all is shown |
//! | tasks for remembered peers | the file `peers` | the network is stopped |
//! | thread `checkpoint`, now and then | a snapshot of the state | it is written |
//!
//! Inputs flow `verifier -> chain -> storage -> view`; nobody waits for the index.
//! It knows nothing of HTTP and makes no decision that the machine could make.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod chain_thread;
mod tx_tracker;
mod checkpoints;
pub mod clock;
mod error;
pub mod genesis_mining;
mod handle;
mod reader;
mod indexer;
mod miner;
mod peers;
mod node;
mod recovery;
mod verifier;
mod view;
mod commit_thread;

pub use tx_tracker::{TxTracker, Fate};
pub use error::NodeError;
pub use handle::{AccountNow, NodeHandle, SubmitError};
pub use reader::{AccountsPage, ChainReader, ReadError, Status};
pub use indexer::IndexBehind;
pub use peers::{PeerSetup, genesis_sync::fetch_genesis};
pub use node::{Ending, NodeSetup, Node};
pub use recovery::ChainPaths;
pub use view::{QueueSize, Recent, View};
