//! Cuts a network in two and joins it again, with what operators of real nodes use: each node
//! allows only the accounts of its own side (`p2p.allow`), and reads that again on SIGHUP.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ccoin_core::Address;
use ccoin_home::{ExitCode, Failure};
use serde::Deserialize;

use super::apply::refused;
use super::network::Network;
use super::node;
use crate::Connection;

/// Longest wait until no connection, or one, crosses the cut.
const PATIENCE: Duration = Duration::from_secs(60);

/// Time between two looks at the peers of the nodes.
const LOOK: Duration = Duration::from_millis(50);

/// `GET /v1/peers`.
#[derive(Deserialize)]
struct Peers {
    items: Vec<Peer>,
}

#[derive(Deserialize)]
struct Peer {
    address: Address,
}

impl Network {
    /// Cuts nodes off from all others; an earlier cut ends.
    ///
    /// # Errors
    /// [`Failure`] 4 for an unknown node, 6 if one side would be empty.
    pub(super) async fn partition(&mut self, names: &[String]) -> Result<String, Failure> {
        let mut side = BTreeSet::new();
        for name in names {
            side.insert(self.position(name)?);
        }
        let all = 0..self.report.nodes.len();
        let (these, others): (Vec<_>, Vec<_>) = all.partition(|index| side.contains(index));
        if these.is_empty() || others.is_empty() {
            return Err(refused("a partition needs a node on each side".to_owned()));
        }
        for part in [&these, &others] {
            let addresses = part.iter().map(|index| self.report.nodes[*index].address);
            self.allow(part, &addresses.collect::<Vec<_>>())?;
        }
        self.reload();
        let crossing = "a connection crosses the partition";
        self.until(&these, &others, crossing, |crosses| !crosses)
            .await?;
        Ok(format!(
            "cut: {} | {}",
            self.names(&these),
            self.names(&others)
        ))
    }

    /// Lets all nodes meet again.
    ///
    /// # Errors
    /// [`Failure`] 6 if nothing is cut.
    pub(super) async fn heal(&mut self) -> Result<String, Failure> {
        let Some((these, others)) = self.cut.take() else {
            return Err(refused("nothing is cut: the network is whole".to_owned()));
        };
        let all: Vec<_> = (0..self.report.nodes.len()).collect();
        self.allow(&all, &[])?;
        self.reload();
        let apart = "the sides do not connect";
        self.until(&these, &others, apart, |crosses| crosses)
            .await?;
        Ok("the network is whole".to_owned())
    }

    /// Writes the configurations of some nodes.
    fn allow(&self, nodes: &[usize], allow: &[Address]) -> Result<(), Failure> {
        let discovery = self.report.discovery.http.parse()?;
        for index in nodes {
            let (node, genesis_id) = (&self.report.nodes[*index], &self.report.genesis_id);
            node::configure(node, &self.layout, genesis_id, &discovery, allow)?;
        }
        Ok(())
    }

    fn reload(&self) {
        self.node_processes().for_each(|process| process.reload());
    }

    /// Waits until `wanted` says yes to whether a connection crosses the cut. Without a running
    /// node on each side nothing is waited for.
    async fn until(
        &mut self,
        these: &[usize],
        others: &[usize],
        missing: &str,
        wanted: impl Fn(bool) -> bool,
    ) -> Result<(), Failure> {
        if wanted(false) {
            self.cut = Some((these.to_vec(), others.to_vec()));
        }
        let running = |side: &[usize]| {
            let nodes = side.iter().map(|index| &self.report.nodes[*index]);
            nodes.filter(|node| node.pid.is_some()).count()
        };
        if running(these) == 0 || running(others) == 0 {
            return Ok(());
        }
        let deadline = Instant::now() + PATIENCE;
        while !wanted(self.crosses(these, others).await? || self.crosses(others, these).await?) {
            if Instant::now() > deadline {
                let seconds = PATIENCE.as_secs();
                let message = format!("{missing} after {seconds} s");
                return Err(Failure::new(ExitCode::Connect, message));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Does a node of `from` have a peer in `to`?
    async fn crosses(&self, from: &[usize], to: &[usize]) -> Result<bool, Failure> {
        let to = to.iter().map(|index| self.report.nodes[*index].address);
        let to: BTreeSet<_> = to.collect();
        let nodes = from.iter().map(|index| &self.report.nodes[*index]);
        for node in nodes.filter(|node| node.pid.is_some()) {
            let mut connection = Connection::new(node.http.parse()?);
            let peers: Peers = connection.get("/v1/peers").await?;
            if peers.items.iter().any(|peer| to.contains(&peer.address)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn names(&self, side: &[usize]) -> String {
        let names = side
            .iter()
            .map(|index| self.report.nodes[*index].name.as_str());
        names.collect::<Vec<_>>().join(" ")
    }
}
