//! What users do with nodes from outside: find one, ask it over HTTP, measure it, and
//! run a whole local network of them.
//!
//! Everything that a node answers is bounded and parsed here; no ledger rule
//! and no file of a chain is ever read.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod answers;
pub mod bench;
mod blocks;
mod cores;
pub mod devnet;
mod documents;
mod files;
mod http;
mod node_url;
mod progress;
mod signed_txn;

pub use answers::{AccountAnswer, BlockIds, GenesisAnswer, StatusAnswer};
pub use http::{Connection, HttpError, Refusal};
pub use node_url::{LocalNode, NodeUrl, NodeUrlError};

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
