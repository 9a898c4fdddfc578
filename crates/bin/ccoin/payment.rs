//! A payment as a command names it: two accounts, coins, and a text.

use std::io::Read;
use std::path::PathBuf;

use ccoin_client::wallet::Account;
use ccoin_core::Amount;
use ccoin_crypto::SecretKey;
use ccoin_home::{ExitCode, Failure, PassphraseSource, unlock_key};
use clap::Args;

/// Bytes of the longest text that is read from a file or from stdin.
const MAX_DATA: u64 = 1 << 20;

#[derive(Debug, Args)]
pub(crate) struct Payment {
    /// The account that pays: a name or an address whose key lies on this host
    pub(crate) from: String,
    /// The account that is paid: a name or an address
    pub(crate) to: String,
    /// Whole coins
    #[arg(value_parser = amount, allow_negative_numbers = true)]
    pub(crate) amount: Amount,
    /// A text that goes with the payment; @FILE reads a file, - reads stdin
    #[arg(long, value_name = "TEXT")]
    data: Option<String>,
    /// File whose first line unlocks the key of FROM
    #[arg(long, value_name = "FILE", env = "CCOIN_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
}

fn amount(text: &str) -> Result<Amount, String> {
    let number: u64 = text
        .parse()
        .map_err(|_| "expected whole coins".to_owned())?;
    Amount::new(number).map_err(|error| error.to_string())
}

impl Payment {
    pub(crate) fn key(&self, from: &Account) -> Result<SecretKey, Failure> {
        let Some(data_dir) = &from.data_dir else {
            let message = format!("the key of {} is not on this host", from.address);
            return Err(Failure::new(ExitCode::NotFound, message)
                .hint("ccoin account list   shows the keys that are")
                .hint("ccoin account import FILE   adds one"));
        };
        let passphrase = match &self.passphrase_file {
            Some(file) => PassphraseSource::File(file.clone()),
            None => PassphraseSource::Terminal,
        };
        unlock_key(data_dir, &passphrase)
    }

    pub(crate) fn data(&self) -> Result<String, Failure> {
        let Some(given) = self.data.as_deref() else {
            return Ok(String::new());
        };
        match given.strip_prefix('@') {
            Some(file) => read(file, MAX_DATA),
            None if given == "-" => read("-", MAX_DATA),
            None => Ok(given.to_owned()),
        }
    }
}

/// Reads a whole text; `-` is stdin.
pub(crate) fn read(file: &str, max: u64) -> Result<String, Failure> {
    let whole = |from: &mut dyn Read| {
        let mut text = String::new();
        from.take(max + 1).read_to_string(&mut text).map(|_| text)
    };
    let text = match file {
        "-" => whole(&mut std::io::stdin().lock()),
        file => std::fs::File::open(file).and_then(|mut file| whole(&mut file)),
    };
    let text = text.map_err(|error| {
        let message = format!("cannot read the text of {file}: {error}");
        Failure::new(ExitCode::Usage, message)
    })?;
    if text.len() as u64 > max {
        let message = format!("{file} is longer than {max} bytes");
        return Err(Failure::new(ExitCode::Usage, message));
    }
    Ok(text)
}
