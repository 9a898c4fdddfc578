//! `ccoin notarize`, `proof`, `verify`: record documents, fetch receipts, check one offline.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ccoin_client::{
    NodeUrl,
    receipts::{self, Check, CoseExport, Inputs, Names, Notarization, ProofRequest},
};
use ccoin_core::{BlockId, Hash, Height};
use ccoin_home::{ExitCode, Failure, PassphraseSource, unlock_key};
use clap::{Args, Subcommand};

use crate::{
    Options,
    place::{config, known_accounts, node},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Receipts {
    /// Record documents in one transaction, wait until it is final, and write a receipt for each
    Notarize(Notarize),
    /// Fetch the receipt of a transaction or an account
    Proof(Proof),
    /// Check a receipt without any node
    Verify(Verify),
}

#[derive(Debug, Args)]
pub(crate) struct Notarize {
    /// Documents; - reads names from stdin
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Names on stdin end with NUL, as of find -print0
    #[arg(short = '0')]
    nul: bool,
    /// SHA-256 of a document, in place of a file
    #[arg(long, value_name = "HEX")]
    hash: Vec<Hash>,
    /// Directory of the receipts [default: beside each document]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The account that records: a name or an address whose key lies on this host [default: the
    /// account in -c]
    #[arg(long, value_name = "ACCOUNT")]
    from: Option<String>,
    /// Longest wait [default: interval, two slots and 10 s]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: Option<u64>,
    /// File whose first line unlocks the key
    #[arg(long, value_name = "FILE", env = "CCOIN_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Proof {
    /// Id of a transaction, or name or address of an account
    #[arg(value_name = "TXID|ACCOUNT")]
    of: String,
    /// Of an account: as of this final block [default: the newest]
    #[arg(long, value_name = "NUMBER", value_parser = height)]
    block: Option<Height>,
    /// The file [default: named after the transaction or account]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// In place of the receipt: a COSE Receipt (RFC 9942) of the transaction, signed by one miner
    /// of its certificate. It proves inclusion by the word of that miner, not that it is final
    #[arg(long, value_name = "OUT", conflicts_with_all = ["out", "block"])]
    cose: Option<PathBuf>,
    /// The miner that signs, whose key lies on this host [default: the first such of the
    /// certificate]
    #[arg(long, value_name = "ACCOUNT", requires = "cose")]
    miner: Option<String>,
    /// File whose first line unlocks the miner's key
    #[arg(long, value_name = "FILE", env = "CCOIN_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The receipt
    receipt: PathBuf,
    /// The document that it must be about
    #[arg(long, value_name = "DOCUMENT")]
    file: Option<PathBuf>,
    /// Genesis id of the network; ask a person that you trust for it [default: genesis_id in -c]
    #[arg(long, value_name = "ID", env = "CCOIN_GENESIS")]
    genesis: Option<BlockId>,
    /// Also write a page with the answer that carries the receipt and verifies itself
    #[arg(long, value_name = "OUT.html")]
    report: Option<PathBuf>,
}

fn height(text: &str) -> Result<Height, String> {
    let number: u64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    Height::new(number).map_err(|error| error.to_string())
}

impl Receipts {
    /// Does what the options say.
    pub(crate) fn run(&self, options: &Options) -> anyhow::Result<()> {
        match self {
            Self::Verify(verify) => verify.run(options),
            Self::Notarize(notarize) => {
                let inputs = notarize.inputs()?;
                let url = node(options)?;
                let notarization = notarize.notarization(options, url, inputs)?;
                let tell = |reason: &str| eprintln!("{reason}");
                println!("{}", receipts::notarize(&notarization, options.json, tell)?);
                Ok(())
            }
            Self::Proof(proof) => {
                let url = node(options)?;
                if let Some(out) = &proof.cose {
                    println!("{}", proof.cose(options, url, out)?);
                    return Ok(());
                }
                let request = proof.request(options, &url)?;
                let out = proof.out.as_deref();
                println!("{}", receipts::proof(&url, request, out, options.json)?);
                Ok(())
            }
        }
    }
}

impl Notarize {
    fn inputs(&self) -> Result<Inputs, Failure> {
        let names = Names {
            files: self.files.clone(),
            hashes: self.hash.clone(),
            nul: self.nul,
        };
        Inputs::read(&names, io::stdin().lock(), self.out.as_deref())
    }

    fn notarization(
        &self,
        options: &Options,
        url: NodeUrl,
        inputs: Inputs,
    ) -> Result<Notarization, Failure> {
        let from = match &self.from {
            Some(from) => from.clone(),
            None => own_account(options)?,
        };
        let account = known_accounts(options, &url)?.find(&from)?;
        let Some(data_dir) = &account.data_dir else {
            let message = format!("the key of {} is not on this host", account.address);
            return Err(Failure::new(ExitCode::NotFound, message)
                .hint("record with an account whose data directory lies below app.base_path"));
        };
        Ok(Notarization {
            from: unlock_key(data_dir, &passphrase(self.passphrase_file.as_ref()))?,
            url,
            inputs,
            timeout: self.timeout.map(Duration::from_secs),
        })
    }
}

fn passphrase(file: Option<&PathBuf>) -> PassphraseSource {
    file.map_or(PassphraseSource::Terminal, |file| {
        PassphraseSource::File(file.clone())
    })
}

fn own_account(options: &Options) -> Result<String, Failure> {
    let config = config(options)?;
    let account = config.and_then(|config| config.client.account_address);
    account.map(|account| account.to_string()).ok_or_else(|| {
        Failure::new(ExitCode::Usage, "no account is named or configured")
            .hint("try: --from ACCOUNT, such as alice in a devnet")
    })
}

impl Proof {
    fn request(&self, options: &Options, url: &NodeUrl) -> Result<ProofRequest, Failure> {
        if let Ok(id) = self.of.parse() {
            if self.block.is_some() {
                let message = "--block is for accounts; a transaction is in one block only";
                return Err(Failure::new(ExitCode::Usage, message));
            }
            return Ok(ProofRequest::Transaction(id));
        }
        let account = known_accounts(options, url)?.find(&self.of)?;
        Ok(ProofRequest::Account(account.address, self.block))
    }

    fn cose(&self, options: &Options, url: NodeUrl, out: &Path) -> Result<String, Failure> {
        let txn = self.of.parse().map_err(|_| {
            let message = format!(
                "--cose is for transactions, and {} is no id of one",
                self.of
            );
            Failure::new(ExitCode::Usage, message).hint("ccoin txns   lists ids of transactions")
        })?;
        let known = known_accounts(options, &url)?;
        let miner = self.miner.as_ref().map(|miner| known.find(miner));
        let export = CoseExport {
            url,
            txn,
            out,
            miner: miner.transpose()?,
            known: &known,
            passphrase: passphrase(self.passphrase_file.as_ref()),
        };
        receipts::cose_proof(&export, options.json)
    }
}

impl Verify {
    fn run(&self, options: &Options) -> anyhow::Result<()> {
        let genesis = match self.genesis {
            Some(genesis) => Some(genesis),
            None => config(options)?.and_then(|config| config.genesis_id),
        };
        let check = Check {
            receipt: self.receipt.clone(),
            document: self.file.clone(),
            genesis,
            report: self.report.clone(),
        };
        let outcome = receipts::verify(&check, options.json);
        if let Some(said) = outcome.said {
            println!("{said}");
        }
        outcome
            .failure
            .map_or(Ok(()), |failure| Err(failure.into()))
    }
}
