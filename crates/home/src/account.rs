//! Makes an account: key, vote file, name, and the edits of the users' files.
//! Everything that can be wrong is found before the first file is written.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ccoin_core::Address;
use ccoin_crypto::{PublicKey, SecretKey};
use ccoin_storage::VoteFile;
use zeroize::Zeroizing;

use crate::atomic_file::{read_text, replace, write_new};
use crate::config_edit::{add_miner, set_account_address};
use crate::genesis_file::GenesisDocument;
use crate::jsonc::{JsoncError, MAX_DOCUMENT_BYTES};
use crate::key_files::KeyFileError;
use crate::{
    Config, DataDir, ExitCode, Failure, PassphraseSource, read_public_key, write_key,
    write_public_key,
};

/// Longest name of an account, in characters.
const MAX_NAME_CHARS: usize = 64;

/// The account to make.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// The configuration whose `app.base_path` is used.
    pub config: PathBuf,
    /// A name for people.
    pub name: Option<String>,
    /// Size of the RSA key: 2048, 3072 or 4096 bits.
    pub bits: usize,
    /// The source of its passphrase.
    pub passphrase: PassphraseSource,
    /// The public key of a key that a signer holds and that has signed no vote yet; `None`: a key
    /// is made here.
    pub public_key: Option<PathBuf>,
    /// Write the address into the configuration?
    pub update_config: bool,
    /// The genesis.json to list the address in.
    pub update_genesis: Option<PathBuf>,
}

/// An account that exists now.
#[derive(Clone, Debug)]
pub struct CreatedAccount {
    /// Its address.
    pub address: Address,
    /// Its files.
    pub data_dir: DataDir,
    /// Remarks for the user, one line each.
    pub remarks: Vec<String>,
}

/// Makes an account; `variable` gives the value of an environment variable.
///
/// # Errors
/// [`Failure`] with its exit code; the files of the user are unchanged then.
pub fn create_account(
    request: &NewAccount,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<CreatedAccount, Failure> {
    let config = Config::load(&request.config, variable)?;
    // A misspelt key may be the reason.
    create_in(&config, request).inspect_err(|_| config.print_warnings())
}

fn create_in(config: &Config, request: &NewAccount) -> Result<CreatedAccount, Failure> {
    if let Some(name) = &request.name {
        check_name(name)?;
    }
    let genesis_file = match &request.update_genesis {
        Some(path) => Some(UserFile::read(path, |text, name| {
            GenesisDocument::parse_draft(text, name).map(drop)
        })?),
        None => None,
    };
    let config_file = match request.update_config {
        true => Some(UserFile::read(&request.config, |_, _| Ok(()))?),
        false => None,
    };
    let key = match &request.public_key {
        Some(path) => NewKey::Elsewhere(read_public_key(path)?),
        None => {
            let passphrase = request.passphrase.choose()?;
            NewKey::Here(Box::new(generate(request.bits)?), passphrase)
        }
    };
    let address = key.public_key().address();
    let config_edit = config_file
        .map(|file| file.edit(set_account_address, &address))
        .transpose()?;
    let genesis_edit = genesis_file
        .map(|file| file.edit(add_miner, &address))
        .transpose()?;
    if let Some(edit) = &genesis_edit {
        GenesisDocument::parse(&edit.text, &edit.name())?;
    }

    let data_dir = DataDir::new(&config.app.base_path, address);
    write_account(&data_dir, request.name.as_deref(), &key)?;
    for edit in [config_edit, genesis_edit].into_iter().flatten() {
        edit.write().map_err(|failure| {
            failure.hint(format!("the account {address} was created all the same"))
        })?;
    }
    let remarks = remarks(config, request);
    Ok(CreatedAccount {
        address,
        data_dir,
        remarks,
    })
}

/// Makes an account below `base_path` and changes no other file; `bits` as in [`NewAccount`].
///
/// # Errors
/// [`Failure`] with its exit code; there is no account then.
pub fn create_account_in(
    base_path: &Path,
    name: Option<&str>,
    bits: usize,
    passphrase: &PassphraseSource,
) -> Result<DataDir, Failure> {
    name.map_or(Ok(()), check_name)?;
    let passphrase = passphrase.choose()?;
    let key = generate(bits)?;
    let data_dir = DataDir::new(base_path, key.public_key().address());
    write_account(&data_dir, name, &NewKey::Here(Box::new(key), passphrase))?;
    Ok(data_dir)
}

fn generate(bits: usize) -> Result<SecretKey, Failure> {
    SecretKey::generate(bits)
        .map_err(|error| Failure::new(ExitCode::Unexpected, format!("no key was made: {error}")))
}

/// The key of a new account.
enum NewKey {
    /// It is made here, with its passphrase.
    Here(Box<SecretKey>, Option<Zeroizing<String>>),
    /// A signer holds it.
    Elsewhere(PublicKey),
}

impl NewKey {
    fn public_key(&self) -> &PublicKey {
        match self {
            Self::Here(key, _) => key.public_key(),
            Self::Elsewhere(key) => key,
        }
    }
}

/// Writes the files of a key that has never signed.
fn write_account(data_dir: &DataDir, name: Option<&str>, key: &NewKey) -> Result<(), Failure> {
    if data_dir.public_key().exists() {
        return Err(KeyFileError::Exists(data_dir.public_key()).into());
    }
    data_dir.create()?;
    VoteFile::create(&data_dir.votes())?;
    match key {
        NewKey::Here(key, passphrase) => {
            let passphrase = passphrase.as_deref().map(String::as_str);
            write_named_key(data_dir, name, key, passphrase)
        }
        NewKey::Elsewhere(key) => {
            write_name(data_dir, name)?;
            Ok(write_public_key(data_dir, key)?)
        }
    }
}

/// Writes the name and the key of an account.
pub(crate) fn write_named_key(
    data_dir: &DataDir,
    name: Option<&str>,
    key: &SecretKey,
    passphrase: Option<&str>,
) -> Result<(), Failure> {
    write_name(data_dir, name)?;
    Ok(write_key(data_dir, key, passphrase)?)
}

fn write_name(data_dir: &DataDir, name: Option<&str>) -> Result<(), Failure> {
    let Some(name) = name else { return Ok(()) };
    write_new(&data_dir.name(), format!("{name}\n").as_bytes(), 0o644)
        .map_err(|error| cannot_write(&data_dir.name(), &error))
}

fn remarks(config: &Config, request: &NewAccount) -> Vec<String> {
    let mut remarks: Vec<_> = config
        .warnings
        .iter()
        .map(|warning| format!("warning: {warning}"))
        .collect();
    match config.client.account_address {
        Some(former) if request.update_config => {
            remarks.push(format!("note: client.account_address was {former} before"));
        }
        _ => {}
    }
    remarks
}

pub(crate) fn check_name(name: &str) -> Result<(), Failure> {
    let fits = (1..=MAX_NAME_CHARS).contains(&name.chars().count());
    // Users name accounts by either.
    let is_address = name.parse::<Address>().is_ok();
    if fits
        && !is_address
        && !name.chars().any(|c| c.is_control() || c == '/')
        && name.trim() == name
    {
        return Ok(());
    }
    let message = format!("{name:?} cannot be the name of an account");
    let hint = format!(
        "use 1 to {MAX_NAME_CHARS} characters without / and control characters, no address"
    );
    Err(Failure::new(ExitCode::Usage, message).hint(hint))
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        ExitCode::Unexpected,
        format!("cannot write {}: {error}", path.display()),
    )
}

/// A file of the user's and what is, or will be, in it.
struct UserFile {
    path: PathBuf,
    text: String,
    mode: u32,
}

impl UserFile {
    fn read(
        path: &Path,
        check: impl FnOnce(&str, &str) -> Result<(), JsoncError>,
    ) -> Result<Self, Failure> {
        let read = || {
            let file = File::open(path)?;
            let mode = file.metadata()?.permissions().mode() & 0o777;
            Ok((read_text(file, MAX_DOCUMENT_BYTES)?, mode))
        };
        let (text, mode) = read().map_err(|error: io::Error| {
            let message = format!("cannot read {}: {error}", path.display());
            Failure::new(ExitCode::BadConfig, message)
        })?;
        check(&text, &path.display().to_string())?;
        Ok(Self {
            path: path.to_owned(),
            text,
            mode,
        })
    }

    fn edit(
        self,
        edit: fn(&str, &str, &Address) -> Result<String, JsoncError>,
        address: &Address,
    ) -> Result<Self, Failure> {
        let text = edit(&self.text, &self.name(), address)?;
        Ok(Self { text, ..self })
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn write(&self) -> Result<(), Failure> {
        // The file behind a link is replaced, not the link.
        fs::canonicalize(&self.path)
            .and_then(|path| replace(&path, self.text.as_bytes(), self.mode))
            .map_err(|error| cannot_write(&self.path, &error))
    }
}
