//! Members and addresses of a network: one line of JSON for programs, a table for people.

use std::fmt;
use std::path::PathBuf;

use ccoin_core::{Address, Amount, BlockId};
use serde::{Deserialize, Serialize};

use super::NodeType;
use crate::NodeUrl;

/// A network that is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct DevnetReport {
    pub genesis_id: BlockId,
    pub data_dir: PathBuf,
    /// URL of the first basic node, else of the first validator.
    pub explorer: String,
    pub discovery: DiscoveryEntry,
    /// Validators first.
    pub nodes: Vec<NodeEntry>,
    pub accounts: Vec<AccountEntry>,
}

impl DevnetReport {
    /// Is this the HTTP API of one of its nodes?
    #[must_use]
    pub fn has(&self, url: &NodeUrl) -> bool {
        let url = url.to_string();
        self.nodes.iter().any(|node| node.http == url)
    }
}

/// The discovery service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct DiscoveryEntry {
    pub pid: u32,
    /// URL.
    pub http: String,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct NodeEntry {
    /// `validator-1`, `basic-1` and so on.
    pub name: String,
    #[serde(rename = "type")]
    pub node_type: NodeType,
    pub address: Address,
    /// `None` while it is stopped.
    pub pid: Option<u32>,
    /// URL of its HTTP API.
    pub http: String,
    /// `HOST:PORT` for peers.
    pub p2p: String,
    pub data_dir: PathBuf,
    pub key_file: PathBuf,
}

/// An account with coins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct AccountEntry {
    pub name: String,
    pub address: Address,
    /// Coins when the network was ready.
    pub balance: Amount,
    pub key_file: PathBuf,
}

impl fmt::Display for DevnetReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<13} {:<22}  PEERS", "NODE", "HTTP")?;
        for node in &self.nodes {
            let (name, http, p2p) = (&node.name, &node.http, &node.p2p);
            let stopped = if node.pid.is_none() { "  stopped" } else { "" };
            writeln!(f, "{name:<13} {http:<22}  {p2p}{stopped}")?;
        }
        writeln!(f, "{:<13} {}", "discovery", self.discovery.http)?;
        if !self.accounts.is_empty() {
            writeln!(f, "\n{:<8} {:<40}  COINS", "ACCOUNT", "ADDRESS")?;
        }
        for account in &self.accounts {
            let AccountEntry { name, address, .. } = account;
            writeln!(f, "{name:<8} {address}  {}", account.balance.get())?;
        }
        writeln!(f, "\nexplorer   {}", self.explorer)?;
        write!(f, "files      {}", self.data_dir.display())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn example() -> DevnetReport {
        DevnetReport {
            genesis_id: BlockId::new([0; 32]),
            data_dir: "/d".into(),
            explorer: "http://127.0.0.1:2".into(),
            discovery: DiscoveryEntry {
                pid: 1,
                http: "http://127.0.0.1:3".into(),
            },
            nodes: vec![NodeEntry {
                name: "validator-1".into(),
                node_type: NodeType::Validator,
                address: Address::ZERO,
                pid: Some(2),
                http: "http://127.0.0.1:2".into(),
                p2p: "127.0.0.1:1".into(),
                data_dir: "/d/validator-1/0".into(),
                key_file: "/d/k".into(),
            }],
            accounts: vec![AccountEntry {
                name: "alice".into(),
                address: Address::ZERO,
                balance: Amount::new(1_000_000).unwrap(),
                key_file: "/d/a".into(),
            }],
        }
    }

    #[test]
    fn the_line_of_json_has_exactly_the_documented_fields_in_their_order() {
        let zeros = "0".repeat(40);
        let expected = format!(
            r#"{{"genesis_id":"{}","data_dir":"/d","explorer":"http://127.0.0.1:2","discovery":{{"pid":1,"http":"http://127.0.0.1:3"}},"nodes":[{{"name":"validator-1","type":"validator","address":"{zeros}","pid":2,"http":"http://127.0.0.1:2","p2p":"127.0.0.1:1","data_dir":"/d/validator-1/0","key_file":"/d/k"}}],"accounts":[{{"name":"alice","address":"{zeros}","balance":1000000,"key_file":"/d/a"}}]}}"#,
            "0".repeat(64)
        );
        assert_eq!(serde_json::to_string(&example()).unwrap(), expected);
    }

    #[test]
    fn people_see_every_address_and_url() {
        assert!(example().has(&"http://127.0.0.1:2".parse().unwrap()));
        assert!(!example().has(&"http://127.0.0.1:9".parse().unwrap()));
        let table = example().to_string();
        for word in ["validator-1", "127.0.0.1:1", "alice", "1000000", "explorer"] {
            assert!(table.contains(word), "{table}");
        }
    }

    #[test]
    fn the_table_fits_sixty_columns() {
        let mut report = example();
        report.nodes[0].name = "validator-20".to_owned();
        report.nodes[0].http = "http://127.0.0.1:65535".to_owned();
        report.nodes[0].p2p = "127.0.0.1:65534".to_owned();
        report.accounts[0].name = "mallory".to_owned();
        let table = report.to_string();
        assert!(table.lines().all(|line| line.len() <= 60), "{table}");
    }
}
