//! The files of an account on its host: configuration, data directory, key
//! files, vote file, token; and how every binary ends.
//!
//! It opens files and asks for passphrases; it never opens a socket and
//! decides nothing about blocks.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod account;
mod args;
pub mod atomic_file;
mod config;
mod config_edit;
mod daemon;
mod data_dir;
mod exit;
mod genesis_file;
mod jsonc;
mod key_files;
mod key_transfer;
mod lanes;
mod lock_file;
mod logging;
mod miners;
mod node_file;
mod open_files;
pub mod panics;
mod passphrase;
mod pid_file;
mod signer;
mod token;
mod variables;
mod votes;

pub use ccoin_storage::{LockFile, LockFileError};

pub use account::{CreatedAccount, NewAccount, create_account, create_account_in};
pub use args::options;
pub use atomic_file::{read_text, replace as replace_file, write_new};
pub use config::{
    AppConfig, ClientConfig, Config, ConfigError, DiscoveryConfig, HttpConfig, P2pConfig,
    environment,
};
pub use config_edit::{STARTING_BALANCE, add_miner, set_account_address};
pub use daemon::{DaemonOptions, announce_ready, when_stdin_closes};
pub use data_dir::{DataDir, DataDirError};
pub use exit::{ExitCode, Failure, run};
pub use genesis_file::GenesisDocument;
pub use jsonc::JsoncError;
pub use key_files::{
    KeyFileError, ensure_key, key_pem, load_key, load_public_key, read_public_key, write_key,
    write_public_key,
};
pub use key_transfer::{KeyState, change_passphrase, export_key, import_key, key_state};
pub use lanes::lanes;
pub use logging::{LogFormat, LogSink};
pub use miners::miner_warnings;
pub use node_file::NodeFile;
pub use open_files::raise_open_files;
pub use passphrase::{PassphraseError, PassphraseSource, unlock_key};
pub use pid_file::PidFile;
pub use signer::{CommandSigner, SignerConfig, key_left_behind};
pub use token::{ApiToken, TokenError};
