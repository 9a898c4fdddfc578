//! Commands on the chain in a data directory: they work on its files and open no socket.

use std::path::PathBuf;

use ccoin_core::BlockId;
use ccoin_crypto::PublicKey;
use ccoin_home::{DataDir, ExitCode, Failure, read_text};
use ccoin_node::ChainPaths;
use clap::{Args, Subcommand};

use crate::{Options, place::config};

/// Bytes of the longest public key file.
pub(crate) const MAX_KEY: usize = 4_096;

#[derive(Debug, Subcommand)]
pub(crate) enum Chain {
    /// Check every block, signature, certificate and root of a chain whose node is stopped
    Check(Directory),
    /// Write the final blocks of a chain whose node is stopped to a file
    Export(Out),
    /// Bring the blocks of a file into a chain whose node is stopped, or begin one with them
    Import(In),
    /// Write the final blocks of a chain to a file while its node runs
    Backup(Out),
    /// Make the chain of a file in a data directory without one, once all of it is checked
    Restore(In),
}

/// Where the chain is.
#[derive(Debug, Args)]
pub(crate) struct Directory {
    /// Data directory, a path below base_path [default: that of the account in -c]
    #[arg(long, value_name = "DIR", env = "CCOIN_DATA_DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Out {
    /// The file, which must not exist
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) place: Directory,
}

#[derive(Debug, Args)]
pub(crate) struct In {
    /// The file
    pub(crate) file: PathBuf,
    /// The network that it must hold [default: genesis_id in -c, else any]
    #[arg(long, value_name = "ID", env = "CCOIN_GENESIS")]
    pub(crate) genesis: Option<BlockId>,
    #[command(flatten)]
    pub(crate) place: Directory,
}

impl Chain {
    /// Does what the options say.
    pub(crate) fn run(&self, options: &Options) -> Result<(), Failure> {
        match self {
            Self::Check(place) => place.check(options),
            Self::Export(out) => out.export(options),
            Self::Backup(out) => out.backup(options),
            Self::Import(file) => file.import(options),
            Self::Restore(file) => file.restore(options),
        }
    }
}

impl Directory {
    /// The data directory that is meant.
    pub(crate) fn find(&self, options: &Options) -> Result<DataDir, Failure> {
        if let Some(path) = &self.data_dir {
            return Ok(DataDir::at(path)?);
        }
        match config(options)? {
            Some(config) => Ok(config.data_dir()?),
            None => Err(Failure::new(ExitCode::Usage, "no data directory is named")
                .hint("name one: --data-dir DIR, or -c FILE with its account")),
        }
    }

    /// The chain that is there, with the key of its account.
    pub(crate) fn chain(&self, options: &Options) -> Result<(ChainPaths, Vec<PublicKey>), Failure> {
        let dir = self.find(options)?;
        let chain = ChainPaths::new(dir.chain());
        if chain.exist()? {
            return Ok((chain, own_key(&dir)));
        }
        let message = format!("there is no chain in {}", dir.root().display());
        Err(Failure::new(ExitCode::NotFound, message)
            .hint("a data directory is <base_path>/<address>: ccoin account list   shows them"))
    }
}

/// The public key of the account, if its file is whole: its own chain may hold no copy.
pub(crate) fn own_key(dir: &DataDir) -> Vec<PublicKey> {
    let file = std::fs::File::open(dir.public_key());
    let text = file.and_then(|file| read_text(file, MAX_KEY));
    let key = text.ok().and_then(|text| PublicKey::from_text(&text).ok());
    key.into_iter().collect()
}
