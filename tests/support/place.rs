//! Where a user works: a directory with the shipped configuration, a genesis file and,
//! after the first steps, an account and a chain. It starts binaries in it.

use super::{Node, PATIENCE};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ccoin_core::Address;
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::PathBuf,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};
use tokio::net::TcpSocket;

/// A directory that is HOME and working directory of everything started in it.
pub(crate) struct Place {
    dir: tempfile::TempDir,
    /// Of the configured account, once there is one.
    pub(crate) address: String,
    /// Where no discovery service answers as long as this is kept: bound, not listening.
    nobody: Option<TcpSocket>,
}

/// The port of the discovery service in the shipped configuration.
const SHIPPED_DISCOVERY: &str = "\"port\": 4444";

impl Place {
    /// The shipped configuration as it is and this genesis configuration, no account yet.
    pub(crate) fn shipped(genesis: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let shipped = include_str!("../../ccoin.json");
        fs::write(dir.path().join("ccoin.json"), shipped).unwrap();
        fs::write(dir.path().join("genesis.json"), genesis).unwrap();
        let (address, nobody) = (String::new(), None);
        Self {
            dir,
            address,
            nobody,
        }
    }

    /// The same without anybody at the place of the discovery service, whatever else
    /// runs on this machine.
    pub(crate) fn new(genesis: &str) -> Self {
        let mut place = Self::shipped(genesis);
        let nobody = TcpSocket::new_v4().unwrap();
        nobody.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let port = nobody.local_addr().unwrap().port();
        place.replace_discovery(SHIPPED_DISCOVERY, port);
        place.nobody = Some(nobody);
        place
    }

    /// A directory that `tests/data/pack.py` packed, and what its node answered at the end.
    pub(crate) fn packed(text: &str) -> (Self, Value) {
        let dir = tempfile::tempdir().unwrap();
        let mut packed: Value = serde_json::from_str(text).unwrap();
        for (name, file) in packed["files"].as_object().unwrap() {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mode = file["mode"].as_u64().unwrap() as u32;
            let mut options = fs::OpenOptions::new();
            let target = options.write(true).create_new(true).mode(mode);
            let target = target.open(path).unwrap();
            target.set_len(file["size"].as_u64().unwrap()).unwrap();
            for part in file["parts"].as_array().unwrap() {
                let bytes = STANDARD.decode(part[1].as_str().unwrap()).unwrap();
                target
                    .write_all_at(&bytes, part[0].as_u64().unwrap())
                    .unwrap();
            }
        }
        let answers = packed["answers"].take();
        let address = answers["address"].as_str().unwrap().to_owned();
        let place = Self {
            dir,
            address,
            nobody: None,
        };
        (place, answers)
    }

    /// Sets the discovery service.
    pub(crate) fn set_discovery(&self, port: u16) {
        let closed = self.nobody.as_ref().unwrap().local_addr().unwrap();
        self.replace_discovery(&format!("\"port\": {}", closed.port()), port);
    }

    fn replace_discovery(&self, old: &str, port: u16) {
        let file = self.path("ccoin.json");
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text.matches(old).count(), 1, "{text}");
        let new = format!("\"port\": {port}");
        fs::write(&file, text.replace(old, &new)).unwrap();
    }

    /// A network of one validator, ready to start.
    pub(crate) fn network(genesis: &str) -> Self {
        let mut place = Self::new(genesis);
        place.make_account();
        place.ok("initc", &[]);
        place
    }

    /// The account of the configuration, a miner of the genesis file.
    pub(crate) fn make_account(&mut self) {
        self.make_miner("genesis.json");
    }

    /// The account of the configuration, a miner of this genesis file.
    pub(crate) fn make_miner(&mut self, genesis: &str) {
        self.create_account(&["--update-config", "--update-genesis", genesis]);
    }

    /// The account of the configuration, no miner.
    pub(crate) fn make_account_only(&mut self) {
        self.create_account(&["--update-config"]);
    }

    fn create_account(&mut self, options: &[&str]) {
        let line = self.ok("create-account", options);
        let (_, address) = line.trim_end().split_once("address=").expect(&line);
        self.address = address.to_owned();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A file of the account's data directory.
    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.path(".ccoin").join(&self.address).join(name)
    }

    pub(crate) fn command(&self, program: &str, options: &[&str]) -> Command {
        let mut command = Command::new(match program {
            "create-account" => env!("CARGO_BIN_EXE_create-account"),
            "initc" => env!("CARGO_BIN_EXE_initc"),
            "cnode" => env!("CARGO_BIN_EXE_cnode"),
            "discovery" => env!("CARGO_BIN_EXE_discovery"),
            "ccoin" => env!("CARGO_BIN_EXE_ccoin"),
            other => panic!("there is no binary {other}"),
        });
        let ours = std::env::vars_os().map(|(name, _)| name);
        for name in ours.filter(|name| name.to_string_lossy().starts_with("CCOIN_")) {
            command.env_remove(name);
        }
        command
            .args(options)
            .current_dir(self.dir.path())
            .env("HOME", self.dir.path())
            .env("RUST_BACKTRACE", "1")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null());
        let clock = self.path("clock");
        if clock.exists() {
            command.env("LD_PRELOAD", super::clock::library());
            command.env("CCOIN_TEST_CLOCK", clock);
        }
        command
    }

    /// Makes the clock of what is started here from now on wrong by so many ms; the same again
    /// sets it for what runs.
    pub(crate) fn set_clock(&self, ms: i64) {
        let new = self.path("clock.new");
        fs::write(&new, ms.to_string()).unwrap();
        fs::rename(new, self.path("clock")).unwrap();
    }

    /// A run that must end by itself, well or not.
    pub(crate) fn run(&self, program: &str, options: &[&str]) -> Output {
        let mut command = self.command(program, options);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let deadline = Instant::now() + PATIENCE;
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                child.kill().unwrap();
                let said = child.wait_with_output().unwrap().stderr;
                let said = String::from_utf8_lossy(&said);
                panic!("{program} {options:?} does not end: {said}");
            }
            thread::park_timeout(Duration::from_millis(2));
        }
        child.wait_with_output().unwrap()
    }

    /// What a run printed that must end well.
    pub(crate) fn ok(&self, program: &str, options: &[&str]) -> String {
        let output = self.run(program, options);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{program} {options:?}: {said}"
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// A validator on free ports whose API answers.
    pub(crate) fn start(&self, options: &[&str]) -> Node {
        let mut node = self.spawn(options);
        node.ready();
        node
    }

    /// A validator that has just been started.
    pub(crate) fn spawn(&self, options: &[&str]) -> Node {
        let mut command = self.command("cnode", &["-t", "validator", "-p", "0"]);
        Node::spawn(command.args(options), &self.data(""))
    }
}

/// Text of a genesis configuration; `mining` goes before the defaults of these tests.
pub(crate) fn genesis(mining: &Value, slot_ms: u64, alloc: &[(Address, u64)]) -> String {
    let mut block_mining = json!({"interval": 2, "min_bound": 3, "max_bound": 100, "reward": 10,
        "difficulty": 1, "allow_empty": false});
    for (key, value) in mining.as_object().unwrap() {
        block_mining[key] = value.clone();
    }
    let alloc: serde_json::Map<_, _> = alloc
        .iter()
        .map(|(address, coins)| (address.to_string(), json!({"balance": coins})))
        .collect();
    let text = json!({"network_id": 7, "miners": [], "block_mining": block_mining, "alloc": alloc,
        "genesis_block": {"difficulty": 1}, "consensus": {"slot_ms": slot_ms}});
    format!("// made by a test\n{text:#}\n")
}
