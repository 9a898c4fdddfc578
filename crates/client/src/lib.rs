//! What users do with a node from outside: find it, ask it over HTTP, measure it.
//!
//! Everything that a node answers is bounded and parsed here; no ledger rule
//! and no file of a chain is ever read.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod answers;
pub mod bench;
mod http;
mod node_url;

pub use answers::{AccountAnswer, BlockIds, GenesisAnswer, StatusAnswer};
pub use http::{Connection, HttpError, Refusal};
pub use node_url::{LocalNode, NodeUrl, NodeUrlError};
