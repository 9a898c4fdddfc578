//! Commands on the chain in a data directory: they work on its files and open no socket.

use std::path::PathBuf;
use std::time::Instant;

use ccoin_client::Progress;
use ccoin_crypto::PublicKey;
use ccoin_home::{DataDir, ExitCode, Failure, read_text};
use ccoin_node::{BadChain, ChainPaths};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::{Options, place::config, print};

/// Bytes of the longest public key file.
const MAX_KEY: usize = 4_096;

#[derive(Debug, Subcommand)]
pub(crate) enum Chain {
    /// Check every block, signature, certificate and root of a chain whose node is stopped
    Check(Check),
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    place: Directory,
}

/// Where the chain is.
#[derive(Debug, Args)]
struct Directory {
    /// Data directory, <base_path>/<address> [default: that of the account in -c]
    #[arg(long, value_name = "DIR", env = "CCOIN_DATA_DIR")]
    data_dir: Option<PathBuf>,
}

impl Chain {
    /// Does what the options say.
    pub(crate) fn run(&self, options: &Options) -> anyhow::Result<()> {
        match self {
            Self::Check(check) => check.run(options),
        }
    }
}

impl Directory {
    fn find(&self, options: &Options) -> Result<DataDir, Failure> {
        if let Some(path) = &self.data_dir {
            return Ok(DataDir::at(path)?);
        }
        match config(options)? {
            Some(config) => Ok(config.data_dir()?),
            None => Err(Failure::new(ExitCode::Usage, "no data directory is named")
                .hint("name one: --data-dir DIR, or -c FILE with its account")),
        }
    }

    /// The chain that is there.
    fn chain(&self, options: &Options) -> Result<(DataDir, ChainPaths), Failure> {
        let dir = self.find(options)?;
        let chain = ChainPaths::new(dir.chain());
        if chain.exist()? {
            return Ok((dir, chain));
        }
        let message = format!("there is no chain in {}", dir.root().display());
        Err(Failure::new(ExitCode::NotFound, message)
            .hint("a data directory is <base_path>/<address>: ccoin account list   shows them"))
    }
}

/// The public key of the account, if its file is whole: its own chain may hold no copy.
fn own_key(dir: &DataDir) -> Vec<PublicKey> {
    let file = std::fs::File::open(dir.public_key());
    let text = file.and_then(|file| read_text(file, MAX_KEY));
    let key = text.ok().and_then(|text| PublicKey::from_text(&text).ok());
    key.into_iter().collect()
}

impl Check {
    fn run(&self, options: &Options) -> anyhow::Result<()> {
        let (dir, chain) = self.place.chain(options)?;
        let begun = Instant::now();
        let mut progress = Progress::of_bytes("check", chain.log_bytes()?);
        let checked = chain.verify(&own_key(&dir), &mut |done| progress.tell(done));
        let report = match checked {
            Ok(report) => report,
            Err(bad) => {
                drop(progress);
                return Err(refused(options, bad).into());
            }
        };
        progress.finish();
        let seconds = begun.elapsed().as_secs_f64();
        if options.json {
            let line = json!({
                "good": true,
                "height": report.height,
                "final": report.last_final,
                "blocks": report.blocks,
                "transactions": report.transactions,
                "certificates": report.certificates,
                "evidence": report.evidence,
                "waiting": report.waiting,
                "seconds": (seconds * 1e3).round() / 1e3,
            });
            print(&line.to_string());
            return Ok(());
        }
        print(&format!(
            "the chain is good up to block {}, final up to block {}",
            report.height, report.last_final
        ));
        print(&format!(
            "{} blocks with {} transactions, {} certificates: every signature and root is right",
            report.blocks, report.transactions, report.certificates
        ));
        if report.evidence > 0 {
            print(&format!(
                "{} proofs that a validator signed twice: GET /v1/evidence shows them",
                report.evidence
            ));
        }
        Ok(())
    }
}

/// Shows programs where a chain goes wrong; the failure tells people.
fn refused(options: &Options, bad: BadChain) -> Failure {
    let number = bad.number;
    let failure = Failure::from(bad);
    let is_verdict = matches!(failure.code, ExitCode::No | ExitCode::Damaged);
    if options.json && is_verdict {
        let line = json!({"good": false, "first_bad": number, "reason": failure.message});
        print(&line.to_string());
    }
    failure
}
