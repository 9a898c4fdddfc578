//! `ccoin.json`: the settings of one node. Options of the command line and
//! `CCOIN_*` variables take precedence; the binaries see to that.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use ccoin_core::{Address, BlockId, HostPort};
use serde::Deserialize;

use crate::atomic_file::read_text;
use crate::jsonc::{
    Document, JsoncError, MAX_DOCUMENT_BYTES, UnknownKeys, any_case, any_case_list,
};
use crate::variables::Variables;
use crate::{DataDir, ExitCode, Failure, SignerConfig};

/// Longest data of a block, in bytes.
const MAX_BLOCK_DATA_BYTES: usize = 1_024;

/// The settings of one node; what is absent has the default of the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Config {
    /// The data directories.
    pub app: AppConfig,
    /// The account.
    pub client: ClientConfig,
    /// The discovery service, if one is used.
    pub discovery_service: Option<DiscoveryConfig>,
    /// Peers that the node connects to in any case.
    pub peers: Vec<HostPort>,
    /// The network to join.
    #[serde(deserialize_with = "any_case")]
    pub genesis_id: Option<BlockId>,
    /// The HTTP API.
    pub http: HttpConfig,
    /// The peer-to-peer side.
    pub p2p: P2pConfig,
    /// The program that holds the account's key, if it is not in a file.
    pub signer: Option<SignerConfig>,
    /// The file, as messages name it.
    #[serde(skip)]
    pub file: String,
    /// Remarks on odd but readable places.
    #[serde(skip)]
    pub warnings: Vec<String>,
}

/// The place of the data directories.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AppConfig {
    /// The directory that holds them.
    pub base_path: PathBuf,
}

/// The account of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ClientConfig {
    /// Its address, once there is one.
    #[serde(deserialize_with = "any_case")]
    pub account_address: Option<Address>,
    /// A name for people.
    pub name: Option<String>,
    /// The data of this miner's blocks, at most 1,024 bytes.
    pub block_data: Option<String>,
}

/// The discovery service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct DiscoveryConfig {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Always `http`.
    pub proto: String,
}

/// The HTTP API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct HttpConfig {
    /// Address to listen on.
    pub host: Option<String>,
    /// TCP port.
    pub port: Option<u16>,
    /// Host names that may reach the wallet path.
    pub allow_host: Vec<String>,
    /// Origins of pages that may use the wallet path.
    pub allow_origin: Vec<String>,
}

/// The peer-to-peer side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct P2pConfig {
    /// Address to listen on.
    pub host: Option<String>,
    /// TCP port.
    pub port: Option<u16>,
    /// The address under which peers reach this node.
    pub advertise: Option<HostPort>,
    /// Addresses of the accounts that may connect; empty: all.
    #[serde(deserialize_with = "any_case_list")]
    pub allow: Vec<Address>,
}

impl Default for AppConfig {
    fn default() -> Self {
        Self {
            base_path: "~/.ccoin".into(),
        }
    }
}

impl Default for DiscoveryConfig {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 4444,
            proto: "http".to_owned(),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// The error of the system.
        source: io::Error,
    },
    /// A fault at a place of the file.
    #[error(transparent)]
    Document(#[from] JsoncError),
    /// No account is configured yet.
    #[error("client.account_address in {file} is empty")]
    NoAccount {
        /// The file.
        file: String,
    },
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let failure = Self::new(ExitCode::BadConfig, error.to_string());
        match error {
            ConfigError::Read { .. } => failure.hint("name another one with --config FILE"),
            ConfigError::Document(error) => error.into(),
            ConfigError::NoAccount { file } => failure.hint(format!(
                "create-account -c {file} --update-config   makes an account"
            )),
        }
    }
}

/// A variable of the process environment, for [`Config::load`].
#[must_use]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Config {
    /// Reads a file; `variable` gives the value of an environment variable.
    ///
    /// # Errors
    /// [`ConfigError`] if it cannot be read or holds a fault.
    pub fn load(
        path: &Path,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let file = path.display().to_string();
        let read = File::open(path).and_then(|file| read_text(file, MAX_DOCUMENT_BYTES));
        match read {
            Ok(text) => Ok(Self::parse(&text, &file, variable)?),
            Err(source) => Err(ConfigError::Read { file, source }),
        }
    }

    /// Reads the text of a configuration; `file` stands in messages, and a relative
    /// `app.base_path` counts from its directory.
    ///
    /// # Errors
    /// [`JsoncError`] with the place, the value and what to write instead.
    pub fn parse(
        text: &str,
        file: &str,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, JsoncError> {
        let variables = Variables(variable);
        let document = Document::parse(text, file, UnknownKeys::Warn, Some(variables))?;
        document.refuse(
            &["miners", "alloc"],
            "a genesis file: this is no configuration",
            "name the configuration, by default ccoin.json, with -c FILE",
        )?;
        let mut config: Self = document.read()?;
        let fault = |key: &str, fault: &str| {
            let (fault, advice) = fault.split_once(": ").unwrap_or((fault, ""));
            document.error_at(key, fault, advice)
        };
        let base_path = variables
            .home(&config.app.base_path)
            .map_err(|error| fault("app.base_path", &error))?;
        if base_path.as_os_str().is_empty() {
            let advice = "is not a path: write \"~/.ccoin\" or leave it out";
            return Err(fault("app.base_path", advice));
        }
        let directory = Path::new(file).parent().unwrap_or(Path::new(""));
        config.app.base_path = directory.join(base_path);
        let service = config.discovery_service.as_ref();
        if service.is_some_and(|service| service.proto != "http") {
            let advice = "is not a protocol of the discovery service: write \"http\"";
            return Err(fault("discovery_service.proto", advice));
        }
        match config.client.block_data.as_ref().map_or(0, String::len) {
            0..=MAX_BLOCK_DATA_BYTES => {}
            got => {
                let advice = format!("has {got} bytes: at most {MAX_BLOCK_DATA_BYTES} bytes");
                return Err(fault("client.block_data", &advice));
            }
        }
        if let Some((key, advice)) = config.signer.as_ref().and_then(SignerConfig::fault) {
            return Err(fault(key, &advice));
        }
        file.clone_into(&mut config.file);
        config.warnings = document.into_warnings();
        Ok(config)
    }

    /// Says on stderr what was odd in the file. Call it before anything that a misspelt key
    /// can make fail.
    pub fn print_warnings(&self) {
        for warning in &self.warnings {
            eprintln!("warning: {warning}");
        }
    }

    /// The data directory of the configured account.
    ///
    /// # Errors
    /// [`ConfigError::NoAccount`] before `create-account` has run.
    pub fn data_dir(&self) -> Result<DataDir, ConfigError> {
        match self.client.account_address {
            Some(address) => Ok(DataDir::new(&self.app.base_path, address)),
            None => Err(ConfigError::NoAccount {
                file: self.file.clone(),
            }),
        }
    }
}
