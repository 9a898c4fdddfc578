//! The fuzz targets of ccoin, outside its workspace: they need the nightly compiler.
//!
//! ```text
//! cargo install cargo-fuzz
//! cd tests/fuzz && cargo +nightly fuzz run --fuzz-dir . message
//! ```

pub mod http_body;
pub mod node;
pub mod targets;
