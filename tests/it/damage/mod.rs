//! Files that are gone, torn, or hold something else, and a disk that is full: a node
//! starts again with everything it acknowledged, or it refuses and names the file.

mod blocks;
mod chain_files;
mod full_disk;
mod index;
mod queue;
mod tools;
mod votes;

use crate::support::{Node, Place, Sender, genesis, in_a_block, request, wait_for};
use ccoin_core::{
    AccountNonce, Amount, Timestamp, TxId,
    encoding::encode,
    transaction::{Payment, Transaction},
};
use ccoin_crypto::SecretKey;
use ccoin_storage::{BlockLog, PoolLog, Position, StorageError, VoteFile};
use serde_json::{Value, json};
use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

const SLOT_MS: u64 = 1_000;

/// A network with blocks 2 to 4 of three transactions each and two that wait.
struct Settled {
    place: Place,
    sender: Sender,
    ids: Vec<String>,
}

impl Settled {
    fn new() -> (Self, Node) {
        let sender = Sender::new();
        let mining = json!({"interval": 600, "max_bound": 3});
        let place = Place::network(&genesis(&mining, SLOT_MS, &[(sender.address(), 1_000)]));
        let node = place.start(&[]);
        let ids = Vec::new();
        let mut settled = Self { place, sender, ids };
        settled.send(&node, 11);
        node.reach(4);
        wait_for("block 4 to be final", || {
            (node.get("/v1/status")["final"]["number"] == 4).then_some(())
        });
        (settled, node)
    }

    /// Submits further transactions.
    fn send(&mut self, node: &Node, count: u64) {
        let net = node.genesis_id();
        let first = self.ids.len() as u64 + 1;
        for number in first..first + count {
            let to = format!("{number:040x}").parse().unwrap();
            let (id, body) = self.sender.sign(&net, number, to, 1, "kept");
            let answer = node.post("/v1/txns", &body);
            assert_eq!(answer.status, 202, "{}", answer.body);
            self.ids.push(id.to_string());
        }
    }

    /// Everything that is asked of history and of the queue.
    fn answers(&self, node: &Node) -> Vec<Value> {
        let txns = self.ids.iter().map(|id| format!("/v1/txns/{id}"));
        let blocks = (1..=4).map(|n| format!("/{}/blk/{n}/", node.address));
        let stranger = format!("/v1/accounts/{:040x}?block=2", 2);
        txns.chain(blocks)
            .chain([stranger])
            .map(|path| node.get(&path))
            .collect()
    }

    /// A start and a check end with 10 and say these words, and neither changes a file.
    fn refused(&self, words: &[&str]) -> String {
        let logs = || {
            let dirs = ["chain/blocks", "chain/pool"].map(|dir| self.place.data(dir));
            let paths = dirs.iter().flat_map(|dir| files(dir));
            let read = |path: PathBuf| (fs::read(&path).unwrap(), path);
            paths.map(read).collect::<Vec<_>>()
        };
        let before = logs();
        let mut told = String::new();
        for options in [&["--check"][..], &["-t", "validator", "-p", "0"]] {
            let output = self.place.run("cnode", options);
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(10), "{options:?}: {said}");
            let at = said.find("error: ").expect(&said);
            assert!(said[at..].lines().count() <= 5, "{said}");
            for word in words {
                assert!(said[at..].contains(word), "no {word} in {said}");
            }
            assert!(logs() == before, "{options:?} has changed a log");
            told = said[at..].to_owned();
        }
        told
    }
}

fn slot_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap() / SLOT_MS
}

fn slot_of(node: &Node, number: u64) -> u64 {
    let block = node.get(&format!("/{}/blk/{number}/", node.address));
    (block["time"].as_f64().unwrap() * 1000.0).round() as u64 / SLOT_MS
}

/// Files of a directory, by name.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.collect();
    files.sort();
    files
}

/// Overwrites a file with as many other bytes.
fn garbage(path: &Path) {
    let length = fs::metadata(path).unwrap().len() as usize;
    fs::write(path, vec![0x5a; length]).unwrap();
}

/// Where a text stands in a file.
fn offset(path: &Path, text: &str) -> u64 {
    let bytes = fs::read(path).unwrap();
    let at = bytes
        .windows(text.len())
        .position(|window| window == text.as_bytes());
    at.unwrap() as u64
}

fn flip(path: &Path, at: u64) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
}
