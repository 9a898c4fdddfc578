//! Which node is asked: `--url` (or `CCOIN_URL`), else the running node of the
//! configured account, else the newest local network, else the default port on this
//! host. Never asks the node itself.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use ccoin_home::{Config, DataDir, ExitCode, Failure, NodeFile};
use hyper::Uri;

/// The default address of a node.
const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4002);

/// The ports of `http` and `https`.
const DEFAULT_PORTS: [u16; 2] = [80, 443];

/// Why a text is not the URL of a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeUrlError {
    /// Not `http://HOST[:PORT]`, or `https`, with or without a path.
    #[error("{got:?} is not the URL of a node, expected http://HOST:PORT or https://HOST")]
    Form {
        /// The text.
        got: String,
    },
}

impl From<NodeUrlError> for Failure {
    fn from(error: NodeUrlError) -> Self {
        Self::new(ExitCode::Usage, error.to_string()).hint("try: --url http://127.0.0.1:4002")
    }
}

/// Host and port of a node's HTTP API, and its place behind a reverse proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeUrl {
    tls: bool,
    host: String,
    port: u16,
    /// Empty, or a path that begins with a slash and ends without.
    prefix: String,
}

impl NodeUrl {
    /// The node to ask: `url` if given, else `local`, else that of `devnet`, else
    /// `http://127.0.0.1:4002`.
    ///
    /// # Errors
    /// [`NodeUrlError`] if `url` is not one.
    pub fn choose(
        url: Option<&str>,
        local: Option<&LocalNode>,
        devnet: impl FnOnce() -> Option<Self>,
    ) -> Result<Self, NodeUrlError> {
        match (url, local) {
            (Some(url), _) => url.parse(),
            (None, Some(local)) => Ok(reachable(local.file.http).into()),
            (None, None) => Ok(devnet().unwrap_or_else(|| DEFAULT.into())),
        }
    }

    /// Host name or IP literal without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Is it `https`?
    #[must_use]
    pub fn tls(&self) -> bool {
        self.tls
    }

    /// The path below which the API lies: empty, or `/...` without a slash at the end.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl From<SocketAddr> for NodeUrl {
    fn from(address: SocketAddr) -> Self {
        Self {
            tls: false,
            host: address.ip().to_string(),
            port: address.port(),
            prefix: String::new(),
        }
    }
}

impl FromStr for NodeUrl {
    type Err = NodeUrlError;

    fn from_str(text: &str) -> Result<Self, NodeUrlError> {
        let wrong = || NodeUrlError::Form {
            got: text.to_owned(),
        };
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().filter(|_| uri.query().is_none());
        let authority = authority.ok_or_else(wrong)?;
        let host = authority.host();
        // A user part or a port that is no number is in the authority, but not in its parts.
        let port = match authority.as_str().strip_prefix(host) {
            Some("") => DEFAULT_PORTS[usize::from(tls)],
            Some(rest) => rest
                .strip_prefix(':')
                .and_then(|port| port.parse().ok())
                .ok_or_else(wrong)?,
            None => return Err(wrong()),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(wrong());
        }
        Ok(Self {
            tls,
            host: host.to_owned(),
            port,
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

impl fmt::Display for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        f.write_str(if self.tls { "https://" } else { "http://" })?;
        match host.contains(':') {
            true => write!(f, "[{host}]")?,
            false => f.write_str(host)?,
        }
        if *port != DEFAULT_PORTS[usize::from(self.tls)] {
            write!(f, ":{port}")?;
        }
        f.write_str(&self.prefix)
    }
}

/// A node that listens everywhere is reached through the loopback address.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// The running node of the configured account on this host.
#[derive(Clone, Debug)]
pub struct LocalNode {
    /// Process and sockets.
    pub file: NodeFile,
    /// Its files.
    pub data_dir: DataDir,
}

impl LocalNode {
    /// The node of the account of `config`; `None` if none runs.
    ///
    /// # Errors
    /// [`Failure`] 3 if no account is configured or its `node.json` cannot be read.
    pub fn of(config: &Config) -> Result<Option<Self>, Failure> {
        let data_dir = config.data_dir()?;
        let path = data_dir.node_file();
        let file = NodeFile::read(&path).map_err(|error| {
            let message = format!("cannot read {}: {error}", path.display());
            Failure::new(ExitCode::BadConfig, message)
        })?;
        Ok(file.map(|file| Self { file, data_dir }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccoin_core::Address;
    use std::path::Path;

    #[test]
    fn a_url_has_a_host_a_port_and_perhaps_a_path() {
        for (text, host, port, prefix, shown) in [
            ("http://127.0.0.1:4002", "127.0.0.1", 4002, "", ""),
            ("http://a.example/", "a.example", 80, "", "http://a.example"),
            ("http://[::1]:9", "::1", 9, "", ""),
            (
                "https://a.example:443",
                "a.example",
                443,
                "",
                "https://a.example",
            ),
            ("https://a:1/x/y/", "a", 1, "/x/y", "https://a:1/x/y"),
        ] {
            let url: NodeUrl = text.parse().unwrap();
            assert_eq!((url.host(), url.port(), url.prefix()), (host, port, prefix));
            assert_eq!(url.tls(), text.starts_with("https"));
            let shown = if shown.is_empty() { text } else { shown };
            assert_eq!(url.to_string(), shown);
        }
        for text in [
            "",
            "127.0.0.1:4002",
            "ftp://a:1",
            "http://a:1/?x",
            "http://a:x",
            "http://a:70000",
            "http://u@a:1",
            "http://:1",
            "http://a:",
        ] {
            assert!(text.parse::<NodeUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_flag_comes_before_the_running_node_a_devnet_and_the_default() {
        let local = LocalNode {
            file: NodeFile {
                pid: 1,
                p2p: "0.0.0.0:5001".parse().unwrap(),
                http: "0.0.0.0:5002".parse().unwrap(),
            },
            data_dir: DataDir::new(Path::new("/base"), Address::ZERO),
        };
        let devnet = NodeUrl::from_str("http://127.0.0.1:2").unwrap();
        let chosen = |url, local, devnet: Option<&NodeUrl>| {
            let chosen = NodeUrl::choose(url, local, || devnet.cloned());
            chosen.unwrap().to_string()
        };
        let (local, devnet) = (Some(&local), Some(&devnet));
        assert_eq!(chosen(Some("http://a:1"), local, devnet), "http://a:1");
        assert_eq!(chosen(None, local, devnet), "http://127.0.0.1:5002");
        assert_eq!(chosen(None, None, devnet), "http://127.0.0.1:2");
        assert_eq!(chosen(None, None, None), "http://127.0.0.1:4002");
    }

    #[test]
    fn the_running_node_is_read_from_the_data_directory() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().display();
        let parse = |address: &str| {
            let text = format!(
                r#"{{"app": {{"base_path": "{base}"}}, "client": {{"account_address": "{address}"}}}}"#
            );
            Config::parse(&text, "ccoin.json", &|_| None).unwrap()
        };
        assert_eq!(
            LocalNode::of(&parse("")).unwrap_err().code,
            ExitCode::BadConfig
        );
        let config = parse(&Address::ZERO.to_string());
        assert!(LocalNode::of(&config).unwrap().is_none());
        let data_dir = config.data_dir().unwrap();
        data_dir.create().unwrap();
        std::fs::write(data_dir.node_file(), "{").unwrap();
        assert_eq!(
            LocalNode::of(&config).unwrap_err().code,
            ExitCode::BadConfig
        );
        let file = NodeFile {
            pid: 9,
            p2p: "127.0.0.1:1".parse().unwrap(),
            http: "127.0.0.1:2".parse().unwrap(),
        };
        file.write(&data_dir.node_file()).unwrap();
        assert_eq!(LocalNode::of(&config).unwrap().unwrap().file, file);
    }
}
