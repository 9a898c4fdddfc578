//! A network to be measured: made by `ccoin bench --init`, loaded by `ccoin bench --keys`.

use crate::support::{Node, Place, wait_up_to};
use ccoin_crypto::SecretKey;
use serde_json::Value;
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

/// Nothing that is measured takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// The first validator, which `bench --init` has made, and a place for each other node.
pub(crate) struct BenchNet {
    /// Holds everything of the first one in `bench/`.
    first: Place,
    others: Vec<Place>,
    keys: PathBuf,
}

impl BenchNet {
    /// Block 1 is mined; `validators` counts the first one.
    pub(crate) fn found(validators: usize, options: &[&str]) -> Self {
        Self::found_with(validators, options, |_| {})
    }

    /// The same with a changed genesis.json.
    pub(crate) fn found_with(
        validators: usize,
        options: &[&str],
        change: impl FnOnce(&mut Value),
    ) -> Self {
        let mut first = Place::new("");
        let init = ["bench", "--init", "bench", "--json"];
        let made = first.ok("ccoin", &[&init, options].concat());
        let made: Value = serde_json::from_str(&made).unwrap();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        first.address = text("address");
        let (config, genesis) = (text("config"), text("genesis"));
        let mut document: Value = serde_json::from_slice(&fs::read(&genesis).unwrap()).unwrap();
        change(&mut document);
        fs::write(&genesis, document.to_string()).unwrap();
        let mut others = Vec::new();
        for _ in 1..validators {
            let mut place = Place::new("");
            place.make_miner(&genesis);
            others.push(place);
        }
        first.ok("initc", &["-c", &config, "-g", &genesis]);
        let keys = text("keys").into();
        Self {
            first,
            others,
            keys,
        }
    }

    /// Starts all validators, each knowing those before it.
    pub(crate) fn start(&self) -> Vec<Node> {
        let config = self.first.path("bench/ccoin.json");
        let config = config.to_str().unwrap();
        let mut command = self.first.command("cnode", &["-c", config]);
        command.args(["-t", "validator", "-h", "127.0.0.1", "-p", "0"]);
        let data_dir = self.first.path("bench").join(&self.first.address);
        let mut nodes = vec![Node::spawn(&mut command, &data_dir)];
        nodes[0].http_port();
        for place in &self.others {
            let node = start(place, "validator", &nodes.iter().collect::<Vec<_>>());
            nodes.push(node);
        }
        nodes.iter_mut().for_each(Node::ready);
        nodes
    }

    /// A file beside the first validator's.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.first.path(name)
    }

    /// The keys of the accounts with coins, in the order of their use.
    pub(crate) fn keys(&self) -> Vec<SecretKey> {
        let entries = fs::read_dir(&self.keys).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let key = |file: &PathBuf| {
            let pem = fs::read_to_string(file).unwrap();
            SecretKey::from_pem(&pem, None).unwrap()
        };
        files.iter().map(key).collect()
    }

    /// What `ccoin bench` measures at a node.
    pub(crate) fn load(&self, node: &Node, options: &[&str]) -> Value {
        self.try_load(node, options).unwrap()
    }

    /// The same; an error is what it says of a node that does not answer.
    pub(crate) fn try_load(&self, node: &Node, options: &[&str]) -> Result<Value, String> {
        let url = format!("http://{}", node.http);
        let keys = self.keys.to_str().unwrap();
        let mut command = self.first.command("ccoin", &["bench", "--json"]);
        command.args(["--url", &url, "--keys", keys]).args(options);
        let output = command.output().unwrap();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    }
}

/// Starts a node at a place that calls these.
pub(crate) fn start(place: &Place, node_type: &str, peers: &[&Node]) -> Node {
    let mut command = place.command("cnode", &["-t", node_type, "-h", "127.0.0.1", "-p", "0"]);
    for peer in peers {
        command.args(["--peer", &peer.p2p()]);
    }
    let mut node = Node::spawn(&mut command, &place.data(""));
    node.http_port();
    node
}

/// A place with an account that mines nothing.
pub(crate) fn newcomer() -> Place {
    let mut place = Place::new("");
    place.make_account_only();
    place
}

/// How long it takes from `since` until the node has this height.
pub(crate) fn reached(node: &Node, height: u64, since: Instant) -> Duration {
    wait_up_to(PATIENCE, "the height of the others", || {
        (node.height() >= height).then_some(())
    });
    since.elapsed()
}

/// The middle one of an odd number of values.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
