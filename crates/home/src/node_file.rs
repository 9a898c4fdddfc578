//! `node.json`: where the running node of an account listens, for clients on
//! the same host. It says nothing about a node that was killed: ask its port.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::atomic_file::{read_text, replace};

/// Longest file that is read, in bytes.
const MAX_BYTES: usize = 4_096;

/// Process and sockets of a running node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeFile {
    /// The process.
    pub pid: u32,
    /// Its address for peers.
    pub p2p: SocketAddr,
    /// Its address for HTTP.
    pub http: SocketAddr,
}

impl NodeFile {
    /// Writes the file.
    ///
    /// # Errors
    /// The error of the system.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let text = serde_json::to_string(self)?;
        replace(path, format!("{text}\n").as_bytes(), 0o644)
    }

    /// Reads the file; `None` if no node runs.
    ///
    /// # Errors
    /// `InvalidData` for something else in the file; else the error of the system.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        match File::open(path) {
            Ok(file) => match serde_json::from_str(&read_text(file, MAX_BYTES)?) {
                Ok(node) => Ok(Some(node)),
                Err(_) => {
                    let fault =
                        "it holds something else than a node writes; remove it if none runs";
                    Err(io::Error::new(io::ErrorKind::InvalidData, fault))
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes the file; it is fine if there is none.
    ///
    /// # Errors
    /// The error of the system.
    pub fn remove(path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_file_is_read_until_it_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.json");
        assert_eq!(NodeFile::read(&path).unwrap(), None);
        let node = NodeFile {
            pid: 7,
            p2p: "0.0.0.0:4001".parse().unwrap(),
            http: "127.0.0.1:4002".parse().unwrap(),
        };
        node.write(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            "{\"pid\":7,\"p2p\":\"0.0.0.0:4001\",\"http\":\"127.0.0.1:4002\"}\n"
        );
        assert_eq!(NodeFile::read(&path).unwrap(), Some(node));
        NodeFile::remove(&path).unwrap();
        NodeFile::remove(&path).unwrap();
        assert_eq!(NodeFile::read(&path).unwrap(), None);
        fs::write(&path, "{\"pid\":").unwrap();
        let error = NodeFile::read(&path).unwrap_err().to_string();
        assert!(
            error.contains("something else") && !error.contains("EOF"),
            "{error}"
        );
        fs::write(&path, " ".repeat(MAX_BYTES + 1)).unwrap();
        assert!(
            NodeFile::read(&path)
                .unwrap_err()
                .to_string()
                .contains("longer")
        );
    }
}
