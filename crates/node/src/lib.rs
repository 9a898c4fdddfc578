//! A running node: the shell around the machine.
//!
//! | long-lived thing | what it owns | ends when |
//! |---|---|---|
//! | thread `chain` | the machine | told to stop |
//! | thread `storage` | block log, pool log, vote file | `chain` has ended, all is written |
//! | thread `index` | the index | `storage` has ended |
//! | thread `miner` (validators) | the key, one order at a time | `storage` has ended |
//! | threads `verifier-N`, one per core | a cache of parsed keys each | the last handle is dropped |
//! | thread `reads`, of low priority | one read for a user at a time | the last handle is dropped |
//! | tasks of `ccoin_p2p::Network` | the connections | the network is stopped |
//! | task for each peer | its frames, requests and feed of transactions | its connection ends |
//! | task for remembered peers | the file `peers` | the network is stopped |
//! | task for discovery | the record of this node | the node leaves |
//! | task for the disk reserve | none; looks at the free room | the chain thread has ended |
//! | thread `checkpoint`, now and then | a snapshot of the state | it is written |
//!
//! Inputs flow `verifier -> chain -> storage -> view`; no part waits for the index.
//! It knows nothing of HTTP and makes no decision that the machine could make.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod accounts;
mod answer_certificate;
mod certified_headers;
mod chain_check;
mod chain_paths;
mod chain_thread;
mod checked_signatures;
mod checkpoints;
pub mod clock;
mod commit_batch;
mod commit_thread;
mod disk_reserve;
mod dropped_txns;
mod error;
mod future_blocks;
pub mod genesis_mining;
mod handle;
mod index_handle;
mod indexer;
mod lane_watch;
mod log_lines;
mod maintenance;
mod metrics;
mod miner;
mod node;
mod open_block;
mod peers;
mod publication;
mod read_thread;
mod reader;
mod receipts;
mod recovered_queue;
mod recovery;
mod replay;
mod replayer;
mod returned_txns;
mod sender_numbers;
mod threads;
mod tx_status;
mod verifier;
mod view;
mod vote_recovery;
mod vote_signer;

pub use accounts::AccountsPage;
pub use chain_check::ChainSummary;
pub use chain_paths::ChainPaths;
pub use error::NodeError;
pub use future_blocks::FutureBlocks;
pub use handle::{AccountNow, NodeHandle, SubmitError};
pub use index_handle::IndexBehind;
pub use maintenance::{BadChain, ChainReport, Exported, Imported, abstain, genesis_of_file};
pub use node::{Node, NodeSetup};
pub use open_block::{BlockHead, OpenBlock};
pub use peers::{PeerSetup, fetch_genesis};
pub use reader::{ChainReader, ReadError};
pub use receipts::ReceiptError;
pub use threads::Ending;
pub use tx_status::{NewsPlace, TxStatus, TxTracker};
pub use view::{FinalBlock, QueueSize, Recent, View};
pub use vote_recovery::IntactValidator;
