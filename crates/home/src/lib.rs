//! What an account keeps on its host: configuration, data directory, key
//! files, vote file, token; and how every binary ends.
//!
//! It opens files and asks for passphrases; it never opens a socket and
//! decides nothing about blocks.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod account;
pub mod atomic_file;
mod config;
mod daemon;
mod data_dir;
mod edits;
mod exit;
mod key_files;
mod key_lock;
mod logging;
mod node_file;
pub mod panics;
mod passphrase;
mod process_file;
mod token;
mod usage;
mod votes;

pub use account::{CreatedAccount, NewAccount, create_account};
pub use atomic_file::{read_text, replace as replace_file, write_new};
pub use config::{Config, ConfigError, Discovery, HttpConfig, P2pConfig, environment};
pub use daemon::{DaemonOptions, announce_ready};
pub use data_dir::{DataDir, DataDirError};
pub use edits::{STARTING_BALANCE, add_miner, set_account_address};
pub use exit::{ExitCode, Failure, run};
pub use key_files::{KeyFileError, load_key, write_key};
pub use key_lock::{KeyLock, KeyLockError};
pub use logging::{LogFormat, LogSink};
pub use node_file::NodeFile;
pub use passphrase::{PassphraseError, PassphraseSource, unlock_key};
pub use process_file::ProcessFile;
pub use token::{ApiToken, TokenError};
pub use usage::options;
