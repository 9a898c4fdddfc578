//! The processes of a network in their order: discovery first, then the first validator,
//! which has block 1, then all others, which get it from there; ended the other way round.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ccoin_core::{Address, Amount, BlockId};
use ccoin_home::DataDir;
use serde::Deserialize;
use tokio::sync::mpsc;

use super::founding::{data_dir, make_accounts, mine, name};
use super::layout::{Home, Layout};
use super::manifest::{Manifest, NAMES, Shape};
use super::node::{Node, fresh_log};
use super::order::{Order, Outcome, Verb};
use super::process::{Death, Process, STOPPING};
use super::programs::Programs;
use super::registry::{self, Registry};
use super::report::{AccountEntry, DevnetReport, DiscoveryEntry, NodeEntry};
use super::{DevnetError, NewDevnet, NodeType, unfinished};
use crate::{Connection, NodeUrl};

/// How long discovery may take to end after the last node.
const LAST: Duration = Duration::from_millis(500);

/// A network, running or on its way.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) genesis_id: BlockId,
    programs: Programs,
    layout: Layout,
    registry: Registry,
    registry_address: Option<SocketAddr>,
    nodes: Vec<Node>,
    accounts: Vec<(&'static str, DataDir)>,
    deaths: mpsc::Sender<Death>,
}

/// An account as a node answers.
#[derive(Deserialize)]
struct Balance {
    balance: Amount,
}

impl Network {
    /// Makes or reads the files, while discovery starts already; no node runs yet.
    ///
    /// # Errors
    /// [`DevnetError`] if the files cannot be made, or are of another network.
    pub(super) async fn found(
        programs: Programs,
        home: &Home,
        new: &NewDevnet,
        deaths: mpsc::Sender<Death>,
    ) -> Result<Self, DevnetError> {
        let layout = home.layout.clone();
        let known = Manifest::read(&layout)?;
        if let Some(known) = &known {
            known.check(new, layout.root())?;
        }
        let shape = Shape::of(new);
        let payers = known.as_ref().map(|known| known.accounts.len());
        if new.traffic.is_some() && payers.unwrap_or(shape.accounts.into()) == 0 {
            return Err(DevnetError::NoPayers);
        }
        if known.is_none() {
            unfinished::begin(&layout)?;
        }
        let registry = Registry::spawn(&programs.discovery, &layout, deaths.clone())?;
        let manifest = match known {
            Some(known) => known,
            None => {
                let place = layout.clone();
                let making = tokio::task::spawn_blocking(move || make_accounts(&place, shape));
                let keys = making.await.expect("making keys does not panic")?;
                mine(&programs, &layout, keys, shape).await?
            }
        };
        unfinished::end(&layout)?;
        let mut nodes = Vec::new();
        for (node_type, addresses) in [
            (NodeType::Validator, &manifest.validators),
            (NodeType::Basic, &manifest.basics),
        ] {
            for (index, address) in addresses.iter().enumerate() {
                let name = name(node_type.word(), index);
                let dir = layout.member(&name);
                let data_dir = data_dir(&dir, *address);
                nodes.push(Node::new(name, node_type, dir, data_dir));
            }
        }
        let account = |(name, address): (&&'static str, &Address)| {
            (*name, data_dir(&layout.account(name), *address))
        };
        let accounts = NAMES.iter().zip(&manifest.accounts).map(account).collect();
        Ok(Self {
            genesis_id: manifest.genesis_id,
            programs,
            layout,
            registry,
            registry_address: None,
            nodes,
            accounts,
            deaths,
        })
    }

    /// Starts all nodes and waits until each of them works.
    ///
    /// # Errors
    /// [`DevnetError`] of the first that does not.
    pub(super) async fn start(&mut self) -> Result<(), DevnetError> {
        let discovery = self.registry.listen().await?;
        self.registry_address = Some(discovery);
        for node in &self.nodes {
            fresh_log(&node.log())?;
            node.configure(&self.genesis_id, discovery)?;
        }
        let (first, others) = self
            .nodes
            .split_first_mut()
            .expect("one validator at least");
        let cnode = &self.programs.cnode;
        first.spawn(cnode, &[], self.deaths.clone()).await?;
        let peers = [first.listen().await?.p2p];
        for node in others {
            node.spawn(cnode, &peers, self.deaths.clone()).await?;
        }
        for node in &mut self.nodes {
            node.ready(&self.genesis_id).await?;
        }
        Ok(())
    }

    /// Does what a user says to one node.
    ///
    /// # Errors
    /// [`DevnetError::Refused`] if the order does not fit; how the node failed otherwise.
    pub(super) async fn obey(&mut self, order: &Order) -> Outcome {
        let peers = self.peers_of(&order.node);
        let Some(node) = self.nodes.iter_mut().find(|node| node.name == order.node) else {
            let names: Vec<_> = self.nodes.iter().map(|node| node.name.as_str()).collect();
            let reason = format!("there is no {}, only {}", order.node, names.join(", "));
            return Err(DevnetError::Refused(reason));
        };
        let name = order.node.clone();
        match (order.verb, &mut node.process) {
            (Verb::Start, Some(process)) => Err(DevnetError::Refused(format!(
                "{name} runs already (process {})",
                process.pid()
            ))),
            (Verb::Start, None) => {
                let cnode = &self.programs.cnode;
                node.spawn(cnode, &peers, self.deaths.clone()).await?;
                let ready = node.ready(&self.genesis_id).await;
                if ready.is_err() {
                    node.process = None;
                }
                ready.map(|()| format!("{name} is ready"))
            }
            (_, None) => Err(DevnetError::Refused(format!("{name} does not run"))),
            (Verb::Stop, Some(process)) => {
                process.stop().await;
                node.process = None;
                Ok(format!("{name} is stopped"))
            }
            (Verb::Kill, Some(process)) => {
                process.kill().await;
                node.process = None;
                Ok(format!("{name} is killed"))
            }
        }
    }

    /// One other node that a node finds without discovery.
    fn peers_of(&self, name: &str) -> Vec<SocketAddr> {
        let others = self.nodes.iter().filter(|node| node.name != name);
        let running = others.filter(|node| node.process.is_some());
        let sockets = running.filter_map(|node| node.sockets);
        sockets.map(|sockets| sockets.p2p).take(1).collect()
    }

    /// What to tell people when a process has ended without having been told to.
    pub(super) fn mourn(&mut self, death: &Death) -> Option<String> {
        let is_dead = |process: &Process| process.pid() == death.pid;
        let node = self.nodes.iter_mut();
        let mut node = node.filter(|node| node.process.as_ref().is_some_and(is_dead));
        match node.next() {
            Some(node) => node.process = None,
            None if is_dead(&self.registry.process) => {}
            None => return None,
        }
        let Death { name, how, .. } = death;
        let log = self.log_of(name);
        Some(format!("{name} ended: {how}, log {}", log.display()))
    }

    /// The log of a process.
    pub(super) fn log_of(&self, name: &str) -> PathBuf {
        self.layout.member(name).join("log")
    }

    /// Ends all nodes at once, then discovery, so that they can say goodbye to it; all of
    /// them by the same time.
    pub(super) async fn stop(&mut self) {
        let mut processes: Vec<_> = self
            .nodes
            .iter_mut()
            .filter_map(|node| node.process.as_mut())
            .collect();
        processes.iter_mut().for_each(|process| process.close());
        let deadline = Instant::now() + STOPPING;
        for process in processes {
            process.stop_by(deadline).await;
        }
        // It has nothing to do any more; one that hangs is not worth the rest of the time.
        let deadline = deadline.min(Instant::now() + LAST);
        self.registry.process.stop_by(deadline).await;
    }

    /// The APIs of all nodes.
    pub(super) fn urls(&self) -> Vec<NodeUrl> {
        self.nodes.iter().filter_map(Node::url).collect()
    }

    /// The files of the accounts.
    pub(super) fn accounts(&self) -> impl Iterator<Item = &DataDir> {
        self.accounts.iter().map(|(_, dir)| dir)
    }

    /// What runs where, and who has what.
    ///
    /// # Errors
    /// [`DevnetError`] if the node that is asked does not answer.
    pub(super) async fn report(&self) -> Result<DevnetReport, DevnetError> {
        let first_basic = |node: &&Node| node.node_type == NodeType::Basic;
        let shown = self.nodes.iter().find(first_basic).or(self.nodes.first());
        let url = shown.and_then(Node::url);
        let url = url.expect("a network is shown when its nodes have run");
        let mut connection = Connection::new(url.clone());
        let mut accounts = Vec::new();
        for (name, dir) in &self.accounts {
            let path = format!("/v1/accounts/{}", dir.address());
            let answer = connection.get::<Balance>(&path).await;
            let answer = answer.map_err(|error| DevnetError::Failed(error.into()))?;
            accounts.push(AccountEntry {
                name: (*name).to_owned(),
                address: dir.address(),
                balance: answer.balance,
                key_file: dir.private_key(),
            });
        }
        let discovery = self.registry_address.map(NodeUrl::from);
        Ok(DevnetReport {
            genesis_id: self.genesis_id,
            data_dir: self.layout.root().to_owned(),
            explorer: url.to_string(),
            discovery: DiscoveryEntry {
                pid: self.registry.process.pid(),
                http: discovery.map_or(registry::NAME.to_owned(), |url| url.to_string()),
            },
            nodes: self.entries(),
            accounts,
        })
    }

    /// The nodes as they are now.
    pub(super) fn entries(&self) -> Vec<NodeEntry> {
        let entry = |node: &Node| {
            let sockets = node.sockets?;
            Some(NodeEntry {
                name: node.name.clone(),
                node_type: node.node_type,
                address: node.data_dir.address(),
                pid: node.process.as_ref().map(Process::pid),
                http: NodeUrl::from(sockets.http).to_string(),
                p2p: sockets.p2p.to_string(),
                data_dir: node.data_dir.root().to_owned(),
                key_file: node.data_dir.private_key(),
            })
        };
        self.nodes.iter().filter_map(entry).collect()
    }
}
