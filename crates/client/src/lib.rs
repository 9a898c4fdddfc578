//! The outside of a node: finds one, asks it over HTTP, measures it, and runs a local network
//! of nodes.
//!
//! It bounds and parses every answer of a node. It holds no rule of the ledger and reads no
//! file of a chain.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod answers;
pub mod audit;
pub mod bench;
mod block_line;
mod blocks;
mod cores;
pub mod devnet;
mod documents;
mod files;
mod http;
mod node_url;
mod progress;
pub mod receipts;
#[cfg(test)]
mod sdk_vectors;
mod signed_txn;
pub mod sim;
pub mod wallet;
mod words;

pub use answers::{AccountAnswer, BlockIds, FinalAnswer, GenesisAnswer, StatusAnswer};
pub use http::{Connection, HttpError, Refusal};
pub use node_url::{LocalNode, NodeUrl, NodeUrlError};
pub use progress::Progress;
pub use words::plain;

/// A runtime of one thread: the client nearly always waits, and a node on the same host needs
/// the cores.
fn runtime() -> Result<tokio::runtime::Runtime, ccoin_home::Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(|error| {
        ccoin_home::Failure::new(ccoin_home::ExitCode::Unexpected, error.to_string())
    })
}
