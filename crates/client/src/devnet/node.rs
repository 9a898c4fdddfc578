//! The files and the command line of one node. A later start gets the ports of the first.

use std::path::Path;

use ccoin_core::{Address, BlockId};
use ccoin_home::{DataDir, Failure};
use serde_json::json;

use super::NodeType;
use super::layout::Layout;
use super::process::{Process, command, wait_until_free};
use super::report::NodeEntry;
use crate::NodeUrl;
use crate::documents::{base_path, config_file};
use crate::files::{remove, write};

/// A node that has never run.
pub(super) fn entry(
    layout: &Layout,
    node_type: NodeType,
    index: usize,
    address: Address,
) -> NodeEntry {
    let name = node_type.name(index);
    let data_dir = DataDir::new(&layout.member(&name), address);
    NodeEntry {
        name,
        node_type,
        address,
        pid: None,
        http: String::new(),
        p2p: String::new(),
        data_dir: data_dir.root().to_owned(),
        key_file: data_dir.private_key(),
    }
}

/// Writes the configuration of a node; `discovery` is a URL, and only the accounts in `allow`
/// may connect, unless it is empty.
///
/// # Errors
/// [`Failure`] 3 with the reason of the system.
pub(super) fn configure(
    node: &NodeEntry,
    layout: &Layout,
    genesis_id: &BlockId,
    discovery: &NodeUrl,
    allow: &[Address],
) -> Result<(), Failure> {
    let dir = layout.member(&node.name);
    let document = json!({
        "app": {"base_path": base_path(&dir)?},
        "client": {"account_address": node.address, "name": node.name},
        "discovery_service": {
            "host": discovery.host(), "port": discovery.port(), "proto": "http",
        },
        "genesis_id": genesis_id,
        "p2p": {"allow": allow},
    });
    write(&config_file(&dir), &format!("{document:#}\n"), 0o600)
}

/// Starts the process of a node; `peer` is a node that it connects to without discovery;
/// `by_hand`: it makes a block only for [`Process::make_block`].
///
/// # Errors
/// [`Failure`] if the process does not start.
pub(super) async fn spawn(
    node: &NodeEntry,
    layout: &Layout,
    cnode: &Path,
    peer: Option<&str>,
    by_hand: bool,
) -> Result<Process, Failure> {
    let dir = layout.member(&node.name);
    let data_dir = DataDir::new(&dir, node.address);
    wait_until_free(&data_dir.lock()).await?;
    remove(&data_dir.node_file())?;
    let port = |address: &str| Some(address.rsplit_once(':')?.1.to_owned());
    let mut command = command(cnode);
    command
        .arg("-c")
        .arg(config_file(&dir))
        .args(["-t", node.node_type.word(), "-h", "127.0.0.1"])
        .args(["-p", port(&node.p2p).as_deref().unwrap_or("0")])
        .args(["--http-host", "127.0.0.1"]);
    if let Some(port) = port(&node.http) {
        command.args(["--http-port", &port]);
    }
    if by_hand {
        command.arg("--blocks-by-hand");
    }
    if let Some(peer) = peer {
        command.args(["--peer", peer]);
    }
    Process::spawn(&node.name, &dir, command)
}

/// Waits until the sockets of a node are open, and fills in their addresses.
///
/// # Errors
/// [`Failure`] if the process ends or does not listen.
pub(super) async fn listen(node: &mut NodeEntry, process: &mut Process) -> Result<(), Failure> {
    let addresses = process.listen(&node.data_dir.join("node.json")).await?;
    node.http = NodeUrl::from(addresses.http).to_string();
    node.p2p = addresses
        .p2p
        .map_or_else(String::new, |p2p| p2p.to_string());
    node.pid = Some(process.pid());
    Ok(())
}
