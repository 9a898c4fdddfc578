//! The processes of a network in their order: discovery first, then the first validator,
//! which has block 1, then all others, which get it from there; ended in reverse.

use std::time::{Duration, Instant};

use ccoin_core::Amount;
use ccoin_home::{DataDir, ExitCode, Failure};

use super::init::init;
use super::layout::Layout;
use super::manifest::{Manifest, NAMES};
use super::process::{Process, STOPPING};
use super::programs::Programs;
use super::report::{AccountEntry, DevnetReport, DiscoveryEntry, NodeEntry};
use super::{NewDevnet, NodeType, discovery_process, node};
use crate::files::remove;
use crate::{AccountAnswer, Connection, NodeUrl};

/// Time that discovery gets to end after the last node.
const LAST: Duration = Duration::from_millis(500);

/// A network, starting or running.
#[derive(Debug)]
pub(super) struct Network {
    /// A node without a process has no `pid`; balances and explorer are those of the start.
    pub(super) report: DevnetReport,
    programs: Programs,
    pub(super) layout: Layout,
    /// Its blocks are made by hand.
    pub(super) manual: bool,
    /// All that run.
    processes: Vec<Process>,
    /// The two sides of a partition, as places in the report.
    pub(super) cut: Option<(Vec<usize>, Vec<usize>)>,
}

impl Network {
    /// Makes or reads the files while discovery starts; no node runs yet.
    ///
    /// # Errors
    /// [`Failure`] if the files cannot be made, or differ from the options.
    pub(super) async fn open(
        programs: Programs,
        layout: &Layout,
        new: &NewDevnet,
    ) -> Result<Self, Failure> {
        let known = Manifest::read(layout)?;
        if let Some(known) = &known {
            known.check(new, layout)?;
        }
        let payers = known.as_ref().map(|known| known.accounts.len());
        if new.traffic.is_some() && payers.unwrap_or(new.accounts()) == 0 {
            let message = "--traffic needs accounts, and this network has none";
            return Err(Failure::new(ExitCode::Usage, message)
                .hint("leave --traffic out, or make a network with --accounts N"));
        }
        let mut discovery = discovery_process::spawn(&programs.discovery, layout).await?;
        let manifest = match known {
            Some(known) => known,
            None => init(&programs, layout, new).await?,
        };
        remove(&layout.init_marker())?;
        let url = discovery_process::url(&mut discovery, layout).await?;
        let manual = manifest.manual;
        Ok(Self {
            manual,
            report: report(layout, manifest, discovery.pid(), &url),
            programs,
            layout: layout.clone(),
            processes: vec![discovery],
            cut: None,
        })
    }

    /// Starts all nodes and waits until each of them works.
    ///
    /// # Errors
    /// [`Failure`] of the first that does not.
    pub(super) async fn start(&mut self) -> Result<(), Failure> {
        let discovery = self.report.discovery.http.parse()?;
        for node in &self.report.nodes {
            node::configure(node, &self.layout, &self.report.genesis_id, &discovery, &[])?;
            remove(&self.layout.log(&node.name))?;
        }
        for index in 0..self.report.nodes.len() {
            self.spawn(index).await?;
            if index == 0 {
                self.listen(index).await?;
            }
        }
        for index in 0..self.report.nodes.len() {
            self.ready(index).await?;
        }
        let nodes = &self.report.nodes;
        let basic = nodes.iter().find(|node| node.node_type == NodeType::Basic);
        let shown = basic.unwrap_or(&nodes[0]);
        self.report.explorer.clone_from(&shown.http);
        let mut connection = Connection::new(shown.http.parse()?);
        for account in &mut self.report.accounts {
            let path = format!("/v1/accounts/{}", account.address);
            account.balance = connection.get::<AccountAnswer>(&path).await?.balance;
        }
        Ok(())
    }

    /// Starts a node beside any other that runs.
    pub(super) async fn spawn(&mut self, index: usize) -> Result<(), Failure> {
        let (nodes, cnode) = (&self.report.nodes, &self.programs.cnode);
        let peer = nodes.iter().find(|node| node.pid.is_some());
        let peer = peer.map(|node| node.p2p.as_str());
        let process = node::spawn(&nodes[index], &self.layout, cnode, peer, self.manual).await?;
        self.processes.push(process);
        Ok(())
    }

    /// Waits until a node that was started listens.
    pub(super) async fn listen(&mut self, index: usize) -> Result<(), Failure> {
        let (node, process) = self.started(index);
        node::listen(node, process).await
    }

    /// Waits until a node that was started works.
    pub(super) async fn ready(&mut self, index: usize) -> Result<(), Failure> {
        self.listen(index).await?;
        self.started(index).1.ready().await
    }

    pub(super) fn started(&mut self, index: usize) -> (&mut NodeEntry, &mut Process) {
        let node = &mut self.report.nodes[index];
        let mut processes = self.processes.iter_mut();
        let process = processes.find(|process| process.name() == node.name);
        (node, process.expect("it was started"))
    }

    /// Drops the process of a node.
    pub(super) fn forget(&mut self, index: usize) {
        let node = &mut self.report.nodes[index];
        node.pid = None;
        self.processes.retain(|process| process.name() != node.name);
    }

    /// The processes of nodes that run.
    pub(super) fn node_processes(&self) -> impl Iterator<Item = &Process> {
        let processes = self.processes.iter();
        processes.filter(|process| process.name() != discovery_process::NAME)
    }

    /// One line for each process that has ended without a command.
    pub(super) fn take_ended(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        self.processes.retain_mut(|process| {
            let Some(status) = process.exit_status() else {
                return true;
            };
            let (name, log) = (process.name(), self.layout.log(process.name()));
            lines.push(format!("{name} ended: {status}, log {}", log.display()));
            let mut nodes = self.report.nodes.iter_mut();
            if let Some(node) = nodes.find(|node| node.name == name) {
                node.pid = None;
            }
            false
        });
        lines
    }

    /// Ends all nodes at once, then discovery, so that they can leave it; all of them by
    /// the same deadline.
    pub(super) async fn stop(&mut self) {
        let deadline = Instant::now() + STOPPING;
        self.stop_nodes(deadline).await;
        let deadline = deadline.min(Instant::now() + LAST);
        for process in &mut self.processes {
            process.stop_by(deadline).await;
        }
    }

    pub(super) async fn stop_nodes(&mut self, deadline: Instant) {
        let nodes = self.processes.iter_mut();
        let mut nodes: Vec<_> = nodes
            .filter(|process| process.name() != discovery_process::NAME)
            .collect();
        nodes.iter_mut().for_each(|process| process.close());
        for process in nodes {
            process.stop_by(deadline).await;
        }
    }

    /// The HTTP APIs of all nodes.
    pub(super) fn urls(&self) -> Vec<NodeUrl> {
        let urls = self.report.nodes.iter().map(|node| node.http.parse());
        urls.filter_map(Result::ok).collect()
    }

    /// The files of the accounts.
    pub(super) fn accounts(&self) -> impl Iterator<Item = DataDir> {
        let accounts = self.report.accounts.iter();
        accounts.map(|account| DataDir::new(&self.layout.account(&account.name), account.address))
    }
}

/// The report of a network that is not ready yet.
fn report(
    layout: &Layout,
    manifest: Manifest,
    discovery_pid: u32,
    discovery: &NodeUrl,
) -> DevnetReport {
    let entries = |node_type, addresses: Vec<_>| -> Vec<NodeEntry> {
        let members = addresses.into_iter().enumerate();
        members
            .map(|(index, address)| node::entry(layout, node_type, index, address))
            .collect()
    };
    let mut nodes = entries(NodeType::Validator, manifest.validators);
    nodes.extend(entries(NodeType::Basic, manifest.basics));
    let accounts = NAMES.into_iter().zip(manifest.accounts);
    DevnetReport {
        genesis_id: manifest.genesis_id,
        data_dir: layout.root().to_owned(),
        explorer: String::new(),
        discovery: DiscoveryEntry {
            pid: discovery_pid,
            http: discovery.to_string(),
        },
        nodes,
        accounts: accounts
            .map(|(name, address)| AccountEntry {
                name: name.to_owned(),
                address,
                balance: Amount::ZERO,
                key_file: DataDir::new(&layout.account(name), address).private_key(),
            })
            .collect(),
    }
}
