//! `ccoin audit`: the verdict on the chain of a node that is not trusted.

use std::path::{Path, PathBuf};

use ccoin_client::audit::Audit;
use ccoin_core::{BlockId, Height};
use ccoin_crypto::PublicKey;
use ccoin_home::{ExitCode, Failure, read_text};
use clap::Args;
use serde_json::json;

use crate::{
    Options,
    chain::MAX_KEY,
    place::{config, node},
    print,
};

/// Check the whole chain of a node that is not trusted, over HTTP
#[derive(Debug, Args)]
pub(crate) struct AuditOptions {
    /// Genesis id of the network; ask a person that you trust for it [default: genesis_id in -c]
    #[arg(long, value_name = "ID", env = "CCOIN_GENESIS")]
    genesis: Option<BlockId>,
    /// Begin behind this block, which you trust
    #[arg(long, value_name = "N:ID", value_parser = block)]
    trusted_block: Option<(Height, BlockId)>,
    /// Public key of a miner, where the node does not show it
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
}

impl AuditOptions {
    /// Does what the options say.
    pub(crate) fn run(&self, options: &Options) -> Result<(), Failure> {
        let genesis = match self.genesis {
            Some(genesis) => Some(genesis),
            None => config(options)?.and_then(|config| config.genesis_id),
        };
        let keys = self.key.iter().map(|file| key(file));
        let audit = Audit {
            url: node(options)?,
            genesis,
            trusted: self.trusted_block,
            keys: keys.collect::<Result<_, _>>()?,
        };
        match audit.run() {
            Ok(report) if options.json => {
                print(&report.json().to_string());
                Ok(())
            }
            Ok(report) => {
                print(&report.lines().join("\n"));
                Ok(())
            }
            Err(error) => {
                if options.json && error.verdict {
                    let reason = &error.failure.message;
                    let line = json!({"good": false, "first_bad": error.number, "reason": reason});
                    print(&line.to_string());
                }
                Err(error.failure)
            }
        }
    }
}

fn key(path: &Path) -> Result<PublicKey, Failure> {
    let unusable = |reason: &dyn std::fmt::Display| {
        let message = format!("cannot read the public key {}: {reason}", path.display());
        Failure::new(ExitCode::NotFound, message)
    };
    let text = std::fs::File::open(path).and_then(|file| read_text(file, MAX_KEY));
    let text = text.map_err(|error| unusable(&error))?;
    PublicKey::from_text(&text).map_err(|error| unusable(&error))
}

fn block(text: &str) -> Result<(Height, BlockId), String> {
    let parts = text.split_once(':');
    let (number, id) =
        parts.ok_or_else(|| "expected a number, a colon and a block id".to_owned())?;
    let number: u64 = number
        .parse()
        .map_err(|_| format!("{number} is not a block number"))?;
    let number = Height::new(number).map_err(|error| error.to_string())?;
    let id = id.parse().map_err(|error| format!("{id}: {error}"))?;
    Ok((number, id))
}
