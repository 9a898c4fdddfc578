//! `ccoin.json`: the settings of one node. Options of the command line and
//! `CCOIN_*` variables go before them; that is the business of the binaries.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use ccoin_core::jsonc::{Document, JsoncError, MAX_DOCUMENT_BYTES, Node, Section, UnknownKeys};
use ccoin_core::{Address, BlockId};

use crate::atomic_file::read_text;
use crate::{DataDir, ExitCode, Failure};

/// Longest data of a block, in bytes.
const MAX_BLOCK_DATA_BYTES: usize = 1_024;

/// Where the registry of nodes is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Always `http`.
    pub proto: String,
}

/// The HTTP API; what is absent has the default of the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

/// The peer-to-peer side; what is absent has the default of the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct P2pConfig {
    /// Address to listen on.
    pub host: Option<String>,
    /// TCP port.
    pub port: Option<u16>,
    /// `host:port` under which others reach this node.
    pub advertise: Option<String>,
    /// Addresses of the accounts that may connect; empty: all.
    pub allow: Vec<Address>,
}

/// The settings of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file, as messages name it.
    pub file: String,
    /// Where the data directories are.
    pub base_path: PathBuf,
    /// The account of this node, once there is one.
    pub account_address: Option<Address>,
    /// Where the registry of nodes is, if one is used.
    pub discovery: Option<Discovery>,
    /// Nodes to connect to in any case, `host:port`.
    pub peers: Vec<String>,
    /// The network to join.
    pub genesis_id: Option<BlockId>,
    /// The HTTP API.
    pub http: HttpConfig,
    /// The peer-to-peer side.
    pub p2p: P2pConfig,
    /// What this miner writes into its blocks, at most 1,024 bytes.
    pub block_data: Option<String>,
    /// A name for people.
    pub name: Option<String>,
    /// What was odd but readable.
    pub warnings: Vec<String>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// What the system says.
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
            ConfigError::Document(error) => failure.hint(error.advice),
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

    /// Reads the text of a configuration; `file` stands in messages.
    ///
    /// # Errors
    /// [`JsoncError`] with the place, the value and what to write instead.
    pub fn parse(
        text: &str,
        file: &str,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, JsoncError> {
        let document = Document::parse(text, file, UnknownKeys::Warn)?;
        let mut root = document.root()?;
        let reader = Reader { variable };
        let base_path = match root.section("app")? {
            Some(app) => reader.base_path(app)?,
            None => None,
        };
        let base_path = match base_path {
            Some(base_path) => base_path,
            None => reader
                .home("~/.ccoin")
                .map_err(|(fault, advice)| root.error(fault, advice))?,
        };
        let mut config = Self {
            file: file.to_owned(),
            base_path: base_path.into(),
            account_address: None,
            discovery: None,
            peers: root.read_or("peers", Vec::new(), |node| reader.texts(&node))?,
            genesis_id: root.read_or("genesis_id", None, |node| reader.genesis_id(&node))?,
            http: HttpConfig::default(),
            p2p: P2pConfig::default(),
            block_data: None,
            name: None,
            warnings: Vec::new(),
        };
        if let Some(section) = root.section("client")? {
            config.read_client(&reader, section)?;
        }
        if let Some(section) = root.section("discovery_service")? {
            config.discovery = Some(reader.discovery(section)?);
        }
        if let Some(section) = root.section("http")? {
            config.http = reader.http(section)?;
        }
        if let Some(section) = root.section("p2p")? {
            config.p2p = reader.p2p(section)?;
        }
        root.finish()?;
        config.warnings = document.into_warnings();
        Ok(config)
    }

    /// The data directory of the configured account.
    ///
    /// # Errors
    /// [`ConfigError::NoAccount`] before `create-account` has run.
    pub fn data_dir(&self) -> Result<DataDir, ConfigError> {
        match self.account_address {
            Some(address) => Ok(DataDir::new(&self.base_path, address)),
            None => Err(ConfigError::NoAccount {
                file: self.file.clone(),
            }),
        }
    }

    fn read_client(
        &mut self,
        reader: &Reader<'_>,
        mut section: Section<'_>,
    ) -> Result<(), JsoncError> {
        self.account_address =
            section.read_or("account_address", None, |node| match node.text()? {
                "" => Ok(None),
                _ => node.address().map(Some),
            })?;
        self.name = reader.optional(&mut section, "name")?;
        if let Some(node) = section.get("block_data") {
            let text = reader.text(&node)?;
            if text.len() > MAX_BLOCK_DATA_BYTES {
                let fault = format!("has {} bytes", text.len());
                return Err(node.error(fault, format!("at most {MAX_BLOCK_DATA_BYTES} bytes")));
            }
            self.block_data = Some(text).filter(|text| !text.is_empty());
        }
        section.finish()
    }
}

/// Reads values in which `${VAR}` stands for a variable of the environment.
struct Reader<'e> {
    variable: &'e dyn Fn(&str) -> Option<String>,
}

/// A fault and what to do about it.
type Fault = (String, String);

impl Reader<'_> {
    fn base_path(&self, mut app: Section<'_>) -> Result<Option<String>, JsoncError> {
        let path = app.read_or("base_path", None, |node| {
            let path = self.text(&node)?;
            if path.is_empty() {
                return Err(node.error("is not a path", "write \"~/.ccoin\" or leave it out"));
            }
            let path = self
                .home(&path)
                .map_err(|(fault, advice)| node.error(fault, advice))?;
            Ok(Some(path))
        })?;
        app.finish()?;
        Ok(path)
    }

    fn discovery(&self, mut section: Section<'_>) -> Result<Discovery, JsoncError> {
        let host = self
            .optional(&mut section, "host")?
            .unwrap_or_else(|| "127.0.0.1".to_owned());
        let port = section.read_or("port", 4444, port)?;
        let proto = section.read_or("proto", "http".to_owned(), |node| {
            match self.text(&node)? {
                proto if proto == "http" => Ok(proto),
                _ => Err(node.error(
                    "is not a protocol of the discovery service",
                    "write \"http\"",
                )),
            }
        })?;
        section.finish()?;
        Ok(Discovery { host, port, proto })
    }

    fn http(&self, mut section: Section<'_>) -> Result<HttpConfig, JsoncError> {
        let config = HttpConfig {
            host: self.optional(&mut section, "host")?,
            port: section.get("port").map(port).transpose()?,
            allow_host: section.read_or("allow_host", Vec::new(), |node| self.texts(&node))?,
            allow_origin: section.read_or("allow_origin", Vec::new(), |node| self.texts(&node))?,
        };
        section.finish()?;
        Ok(config)
    }

    fn p2p(&self, mut section: Section<'_>) -> Result<P2pConfig, JsoncError> {
        let config = P2pConfig {
            host: self.optional(&mut section, "host")?,
            port: section.get("port").map(port).transpose()?,
            advertise: self.optional(&mut section, "advertise")?,
            allow: section.read_or("allow", Vec::new(), |node| {
                node.items()?.iter().map(Node::address).collect()
            })?,
        };
        section.finish()?;
        Ok(config)
    }

    fn genesis_id(&self, node: &Node<'_>) -> Result<Option<BlockId>, JsoncError> {
        let text = self.text(node)?;
        if text.is_empty() {
            return Ok(None);
        }
        text.to_ascii_lowercase().parse().map(Some).map_err(|_| {
            node.error(
                "is not a genesis id",
                "write the 64 hex digits that initc printed",
            )
        })
    }

    /// A text that counts as absent when it is empty.
    fn optional(
        &self,
        section: &mut Section<'_>,
        key: &'static str,
    ) -> Result<Option<String>, JsoncError> {
        let text = section.read_or(key, String::new(), |node| self.text(&node))?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    fn texts(&self, node: &Node<'_>) -> Result<Vec<String>, JsoncError> {
        node.items()?.iter().map(|item| self.text(item)).collect()
    }

    fn text(&self, node: &Node<'_>) -> Result<String, JsoncError> {
        self.expand(node.text()?)
            .map_err(|(fault, advice)| node.error(fault, advice))
    }

    /// Replaces each `${VAR}` once; what a variable holds is not looked at again.
    fn expand(&self, text: &str) -> Result<String, Fault> {
        let mut parts = text.split("${");
        let mut expanded = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let Some((name, rest)) = part.split_once('}') else {
                return Err((
                    "has a ${ without }".to_owned(),
                    "write ${VARIABLE}".to_owned(),
                ));
            };
            expanded.push_str(&self.lookup(name)?);
            expanded.push_str(rest);
        }
        Ok(expanded)
    }

    /// Replaces a leading `~` by the home directory.
    fn home(&self, path: &str) -> Result<String, Fault> {
        match path.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                Ok(self.lookup("HOME")? + rest)
            }
            _ => Ok(path.to_owned()),
        }
    }

    fn lookup(&self, name: &str) -> Result<String, Fault> {
        (self.variable)(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| {
                let fault = format!("needs the environment variable {name}, which is not set");
                (
                    fault,
                    format!("export {name}=... or write the value itself"),
                )
            })
    }
}

fn port(node: Node<'_>) -> Result<u16, JsoncError> {
    let port = node.integer(1, u16::MAX.into())?;
    Ok(u16::try_from(port).expect("the range was checked"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../../ccoin.json");

    fn variable(name: &str) -> Option<String> {
        match name {
            "HOME" => Some("/home/alice".to_owned()),
            "PORT" => Some("${HOME}".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    fn parse(text: &str) -> Result<Config, JsoncError> {
        Config::parse(text, "ccoin.json", &variable)
    }

    fn defaults() -> Config {
        parse("{}").unwrap()
    }

    #[test]
    fn the_example_with_its_comments_loads_and_says_the_defaults() {
        let example = parse(EXAMPLE).unwrap();
        let discovery = Discovery {
            host: "127.0.0.1".into(),
            port: 4444,
            proto: "http".into(),
        };
        let http = HttpConfig {
            host: Some("127.0.0.1".into()),
            ..HttpConfig::default()
        };
        let p2p = P2pConfig {
            host: Some("0.0.0.0".into()),
            ..P2pConfig::default()
        };
        assert_eq!(
            example,
            Config {
                discovery: Some(discovery),
                http,
                p2p,
                ..defaults()
            }
        );
        // What is only explained there must be right as well.
        let uncommented = EXAMPLE
            .lines()
            .map(|line| {
                if line.contains("// \"") {
                    line.replace("// ", "")
                } else {
                    line.into()
                }
            })
            .collect::<Vec<_>>()
            .join("\n")
            .replace("0000...", &"0".repeat(64));
        let all = parse(&uncommented).unwrap();
        assert_eq!(all.warnings, Vec::<String>::new());
        assert_eq!(all.name.as_deref(), Some("alice"));
        assert_eq!(all.block_data.as_deref(), Some("made by alice"));
        assert_eq!(all.genesis_id, Some(BlockId::ZERO));
        assert_eq!((all.http.port, all.p2p.port), (Some(4002), Some(4001)));
        assert_eq!(
            all.p2p.advertise.as_deref(),
            Some("ledger.example.org:4001")
        );
    }

    #[test]
    fn files_of_the_earlier_program_load_unchanged() {
        let config = parse(
            r#"{ "app": { "base_path": "~/.chain" }, // data
                "client": { "account_address": "ABCDEF0000000000000000000000000000000001" },
                "discovery_service": { "host": "localhost", "port": 4444, "proto": "http" } }"#,
        )
        .unwrap();
        assert_eq!(config.base_path, Path::new("/home/alice/.chain"));
        assert_eq!(
            config.data_dir().unwrap().root(),
            Path::new("/home/alice/.chain/abcdef0000000000000000000000000000000001")
        );
        assert_eq!(config.warnings, Vec::<String>::new());
        assert_eq!(defaults().discovery, None);
    }

    #[test]
    fn variables_are_expanded_once_and_must_be_set() {
        let path = |text: &str| parse(&format!("{{\"app\": {{\"base_path\": \"{text}\"}}}}"));
        assert_eq!(
            path("${HOME}/x").unwrap().base_path,
            Path::new("/home/alice/x")
        );
        assert_eq!(
            path("/x/${PORT}").unwrap().base_path,
            Path::new("/x/${HOME}")
        );
        assert_eq!(path("~").unwrap().base_path, Path::new("/home/alice"));
        assert_eq!(path("~bob/x").unwrap().base_path, Path::new("~bob/x"));
        for (text, fault) in [
            (
                "${NOPE}/x",
                "app.base_path \"${NOPE}/x\" needs the environment variable NOPE",
            ),
            (
                "${EMPTY}",
                "needs the environment variable EMPTY, which is not set",
            ),
            ("${HOME", "has a ${ without }"),
            ("", "is not a path"),
        ] {
            let error = path(text).unwrap_err().to_string();
            assert!(
                error.starts_with("ccoin.json:1:") && error.contains(fault),
                "{error}"
            );
        }
        let homeless = Config::parse("{}", "ccoin.json", &|_| None).unwrap_err();
        assert!(homeless.to_string().contains("variable HOME"), "{homeless}");
    }

    #[test]
    fn every_fault_says_where_and_what_to_write() {
        for (text, fault, advice) in [
            (
                r#"{"client": {"account_address": "12"}}"#,
                "12 is not an address",
                "40 hex",
            ),
            (
                r#"{"discovery_service": {"port": 0}}"#,
                "port 0 is out of range",
                "1 to 65535",
            ),
            (
                r#"{"discovery_service": {"port": "4444"}}"#,
                "is not a number",
                "write 4444",
            ),
            (
                r#"{"discovery_service": {"proto": "ftp"}}"#,
                "is not a protocol",
                "\"http\"",
            ),
            (
                r#"{"genesis_id": "00"}"#,
                "\"00\" is not a genesis id",
                "64 hex digits",
            ),
            (
                r#"{"peers": "a:1"}"#,
                "peers \"a:1\" is not a list",
                "write [ ]",
            ),
            (r#"{"peers": [1]}"#, "peers 1 is not text", "double quotes"),
            (r#"{"http": []}"#, "http a list is not an object", "{ }"),
            (
                r#"{"http": {"port": 65536}}"#,
                "http.port 65536 is out of range",
                "65535",
            ),
            (
                r#"{"p2p": {"allow": ["me"]}}"#,
                "p2p.allow: me is not an address",
                "40 hex",
            ),
            (
                r#"{"app": {}, "app": {}}"#,
                "the key app stands here again",
                "keep one",
            ),
        ] {
            let failure = Failure::from(ConfigError::from(parse(text).unwrap_err()));
            assert_eq!(failure.code, ExitCode::BadConfig);
            assert!(failure.message.starts_with("ccoin.json:1:"), "{failure}");
            assert!(
                failure.message.contains(fault),
                "got {failure}, not {fault}"
            );
            assert!(failure.hints[0].contains(advice), "got {:?}", failure.hints);
        }
        let long = format!(
            "{{\"client\": {{\"block_data\": \"{}\"}}}}",
            "x".repeat(1_025)
        );
        assert!(parse(&long).unwrap_err().fault.contains("has 1025 bytes"));
    }

    #[test]
    fn unknown_keys_are_warnings() {
        let config = parse("{\"cleint\": {}, \"http\": {\"prot\": 1}}").unwrap();
        assert_eq!(
            config.warnings,
            [
                "ccoin.json:1:25: unknown key http.prot; did you mean \"port\"?",
                "ccoin.json:1:2: unknown key cleint; did you mean \"client\"?"
            ]
        );
        let config = parse("{\"wallet\": {}}").unwrap();
        assert!(
            config.warnings[0].contains("known here: app, peers"),
            "{:?}",
            config.warnings
        );
        let config = parse("{\"Peer\": []}").unwrap();
        assert!(
            config.warnings[0].contains("did you mean \"peers\"?"),
            "{:?}",
            config.warnings
        );
    }

    #[test]
    fn a_missing_file_and_a_missing_account_name_the_next_command() {
        let missing = Config::load(Path::new("/nowhere/ccoin.json"), &variable).unwrap_err();
        let failure = Failure::from(missing);
        assert_eq!(failure.code, ExitCode::BadConfig);
        assert!(
            failure
                .message
                .contains("/nowhere/ccoin.json: No such file"),
            "{failure}"
        );
        let failure = Failure::from(defaults().data_dir().unwrap_err());
        assert_eq!(failure.code, ExitCode::BadConfig);
        assert_eq!(
            failure.message,
            "client.account_address in ccoin.json is empty"
        );
        assert!(failure.hints[0].starts_with("create-account -c ccoin.json --update-config"));
    }
}
