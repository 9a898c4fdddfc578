//! `create-account`: makes a key and, if asked, writes its address into the
//! configuration and the genesis file. The work is done in the `home` crate.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use ccoin_home::{NewAccount, PassphraseSource, create_account, environment, run};
use clap::Parser;

/// Make a key for an account or a miner
#[derive(Debug, Parser)]
#[command(name = "create-account", version)]
struct Options {
    /// Configuration whose app.base_path holds the data directories
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "ccoin.json",
        env = "CCOIN_CONFIG"
    )]
    config: PathBuf,
    /// A name for people
    #[arg(long)]
    name: Option<String>,
    /// Size of the RSA key
    #[arg(long, default_value = "2048", value_parser = ["2048", "3072", "4096"])]
    bits: String,
    /// Encrypt the key with the first line of FILE
    #[arg(long, value_name = "FILE", env = "CCOIN_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
    /// Do not encrypt the key and do not ask
    #[arg(long, conflicts_with = "passphrase_file")]
    no_passphrase: bool,
    /// The public key (PEM) of a new key that a signer holds: no key is made here
    #[arg(long, value_name = "FILE", conflicts_with_all = ["bits", "passphrase_file", "no_passphrase"])]
    public_key: Option<PathBuf>,
    /// Write the address into the configuration; comments stay
    #[arg(long)]
    update_config: bool,
    /// Add the address to miners and, with 1000 coins, to alloc of FILE; comments stay
    #[arg(long, value_name = "FILE")]
    update_genesis: Option<PathBuf>,
    /// Does nothing: for habits from servers
    #[arg(short, long, hide = true)]
    nodaemon: bool,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let options: Options = ccoin_home::options();
    run(|| print_new_account(options))
}

fn print_new_account(options: Options) -> anyhow::Result<()> {
    let passphrase = match options.passphrase_file {
        Some(path) => PassphraseSource::File(path),
        None if options.no_passphrase => PassphraseSource::Absent,
        None => PassphraseSource::Terminal,
    };
    let request = NewAccount {
        config: options.config,
        name: options.name,
        bits: options.bits.parse().context("--bits")?,
        passphrase,
        public_key: options.public_key,
        update_config: options.update_config,
        update_genesis: options.update_genesis,
    };
    let account = create_account(&request, &environment)?;
    for remark in &account.remarks {
        eprintln!("{remark}");
    }
    if options.json {
        let line = serde_json::json!({
            "address": account.address,
            "data_dir": account.data_dir.root(),
            "key_file": Some(account.data_dir.private_key()).filter(|file| file.exists()),
        });
        println!("{line}");
    } else {
        println!("Created account with address={}", account.address);
    }
    Ok(())
}
