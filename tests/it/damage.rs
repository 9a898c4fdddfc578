//! Files that are gone, torn, or hold something else, and a disk that is full: a node
//! starts again with everything it acknowledged, or it refuses and names the file.

use crate::support::{Node, Place, Sender, genesis, request, wait_for};
use ccoin_core::{
    AccountNonce, Amount, Timestamp, TxId,
    encoding::encode,
    transaction::{Payment, Transaction},
};
use ccoin_crypto::SecretKey;
use ccoin_storage::{PoolLog, VoteFile, VoteRecord};
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

/// As after a kill between the two: the mark is on disk, the block is not.
#[test]
fn a_turn_that_was_signed_for_is_never_signed_again() {
    let (mut settled, mut node) = Settled::new();
    let genesis_id = node.genesis_id();
    node.kill();
    let mut votes = VoteFile::open(&settled.place.data(".keys/votes")).unwrap();
    let last_sealed_slot = slot_now() + 1;
    votes
        .store(VoteRecord {
            genesis_id,
            last_sealed_slot,
            last_sealed_number: 5,
        })
        .unwrap();
    let node = settled.place.start(&[]);
    settled.send(&node, 1);
    node.reach(5);
    let slot = slot_of(&node, 5);
    assert!(slot > last_sealed_slot, "{slot} {last_sealed_slot}");
}

#[test]
fn without_a_sound_vote_file_blocks_are_signed_from_the_next_slot_on() {
    let votes = |settled: &Settled| settled.place.data(".keys/votes");
    for damaged in [false, true] {
        let (mut settled, mut node) = Settled::new();
        node.kill();
        if damaged {
            garbage(&votes(&settled));
        } else {
            fs::remove_file(votes(&settled)).unwrap();
        }
        // Early in a slot, so that a block in it would be possible.
        wait_for("the start of a slot", || {
            let since = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_millis() as u64;
            (since % SLOT_MS < SLOT_MS / 4).then_some(())
        });
        let before = slot_now();
        let mut node = settled.place.spawn(&[]);
        let line = node.line("the vote file");
        assert!(
            line.contains("makes no block before the slot after the next"),
            "{line}"
        );
        node.ready();
        settled.send(&node, 1);
        node.reach(5);
        assert!(slot_of(&node, 5) > before);
        assert_eq!(settled.place.data(".keys/votes.damaged").exists(), damaged);
        assert_eq!(node.stop().0, Some(0));
        VoteFile::open(&votes(&settled)).unwrap();
    }
}

#[test]
fn a_lost_or_damaged_index_is_built_again() {
    let (settled, mut node) = Settled::new();
    let answers = settled.answers(&node);
    let index = settled.place.data("chain/index");
    node.kill();
    fs::remove_dir_all(&index).unwrap();
    node = settled.place.start(&[]);
    assert_eq!(settled.answers(&node), answers);
    for round in 0.. {
        // Once by kill and once in order: the files differ.
        if round % 2 == 0 {
            node.kill();
        } else {
            assert_eq!(node.stop().0, Some(0));
        }
        let files = files(&index);
        let Some(file) = files.get(round / 2) else {
            break;
        };
        garbage(file);
        node = settled.place.start(&[]);
        assert_eq!(settled.answers(&node), answers, "{}", file.display());
    }
    files(&index).iter().for_each(|file| garbage(file));
    node = settled.place.spawn(&[]);
    node.line("the index is built again");
    node.ready();
    assert_eq!(settled.answers(&node), answers);
    node.kill();
    node = settled.place.start(&["--reindex"]);
    assert_eq!(settled.answers(&node), answers);
}

/// Damage that an open does not see: it used to end the node at the next read, again after
/// every restart.
#[test]
fn a_table_of_the_index_that_rots_is_built_again_while_the_node_goes_on() {
    let mining = json!({"interval": 600, "max_bound": 50});
    let sender = Sender::new();
    let place = Place::network(&genesis(&mining, SLOT_MS, &[(sender.address(), 1_000)]));
    let mut node = place.start(&[]);
    let ids = Vec::new();
    let mut settled = Settled { place, sender, ids };
    settled.send(&node, 300);
    let last = format!("/v1/txns/{}", settled.ids[199]);
    wait_for("200 transactions in blocks", || {
        (node.get(&last)["status"] == "included").then_some(())
    });
    // The second start makes a table of what the first one has logged.
    for _ in 0..2 {
        assert_eq!(node.stop().0, Some(0));
        node = settled.place.start(&[]);
    }
    let paths: Vec<_> = settled.ids[..200]
        .iter()
        .map(|id| format!("/v1/txns/{id}"))
        .collect();
    let answers: Vec<_> = paths.iter().map(|path| node.get(path)).collect();
    assert_eq!(node.stop().0, Some(0));
    let flipped = rot(&settled.place.data("chain/index"), &settled.ids[..200]);

    let mut node = settled.place.start(&[]);
    let before = node.pid();
    let path = format!("/v1/txns/{flipped}");
    wait_for("an answer from the new index", || {
        let answer = request(node.http, "GET", &path, &[], "").unwrap();
        if answer.status == 200 {
            return Some(());
        }
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert_eq!(answer.json()["code"], "not-ready");
        assert!(answer.header("Retry-After").is_some());
        None
    });
    let line = node.said("the index is built again: ");
    assert!(line.contains(" WARN ") && line.contains(".ldb"), "{line}");
    node.line("the index is complete again");
    let again: Vec<_> = paths.iter().map(|path| node.get(path)).collect();
    assert_eq!(again, answers);
    let height = node.height();
    settled.send(&node, 50);
    node.reach(height + 1);
    assert_eq!(node.pid(), before);
    assert_eq!(node.stop().0, Some(0));
    let said = node.rest();
    assert_eq!(
        said.matches("the index is built again").count(),
        1,
        "{said}"
    );
    assert!(!said.contains(" ERROR "), "{said}");

    let mut node = settled.place.start(&[]);
    assert_eq!(node.get(&paths[0]), answers[0]);
    assert_eq!(node.stop().0, Some(0));
    assert!(!node.rest().contains("the index is"));
}

/// Flips a byte of the index where an open does not look; the id of the transaction there.
fn rot(index: &Path, ids: &[String]) -> String {
    let mut ids = ids.to_vec();
    ids.sort();
    // Keys are in order: around the middle there are only transactions.
    let middle = &ids[ids.len() / 4..ids.len() * 3 / 4];
    for table in files(index) {
        if table.extension().is_none_or(|end| end != "ldb") {
            continue;
        }
        let bytes = fs::read(&table).unwrap();
        for id in middle {
            let wanted = id.parse::<TxId>().unwrap();
            let wanted = wanted.as_bytes();
            if let Some(at) = bytes.windows(32).position(|window| window == wanted) {
                flip(&table, at as u64);
                return id.clone();
            }
        }
    }
    panic!("no transaction in {}", index.display());
}

#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let (settled, mut node) = Settled::new();
    let answers = settled.answers(&node);
    assert_eq!(node.stop().0, Some(0));
    let checkpoints = files(&settled.place.data("chain/state"));
    assert_eq!(checkpoints.len(), 1, "a stop in order leaves one");
    let length = fs::metadata(&checkpoints[0]).unwrap().len();
    let whole = fs::read(&checkpoints[0]).unwrap();
    for step in 0..4 {
        match step {
            0 => flip(&checkpoints[0], length / 2),
            1 => fs::write(&checkpoints[0], &whole[..whole.len() / 2]).unwrap(),
            2 => garbage(&checkpoints[0]),
            _ => fs::remove_file(&checkpoints[0]).unwrap(),
        }
        node = settled.place.start(&[]);
        assert_eq!(settled.answers(&node), answers);
        node.kill();
        assert!(step == 3 || !node.rest().contains("panicked"));
    }
}

#[test]
fn a_pool_log_torn_at_its_end_keeps_what_was_acknowledged() {
    let (mut settled, mut node) = Settled::new();
    let answers = settled.answers(&node);
    let pool = |settled: &Settled| {
        let mut logs = files(&settled.place.data("chain/pool"));
        logs.sort_by_key(|path| fs::read(path).unwrap().get(12..20).map(<[u8]>::to_vec));
        logs.pop().unwrap()
    };
    node.kill();
    let mut log = OpenOptions::new()
        .append(true)
        .open(pool(&settled))
        .unwrap();
    log.write_all(&[0xa7; 100]).unwrap();
    node = settled.place.start(&[]);
    assert_eq!(settled.answers(&node), answers);
    assert_eq!(node.get("/v1/queue")["txns"], 2);

    // What waits still finds its way into a block.
    settled.send(&node, 1);
    node.reach(5);
    settled.send(&node, 2);
    node.kill();

    // In the middle of what was acknowledged there can be no tear: that is damage.
    let path = pool(&settled);
    flip(&path, offset(&path, "kept"));
    let told = settled.refused(&[path.to_str().unwrap(), "is damaged at byte"]);
    // The advice costs what waited, and no block.
    let (pool, aside) = (path.parent().unwrap(), settled.place.data("chain/aside"));
    assert!(
        told.contains(&format!("move {} away", pool.display())),
        "{told}"
    );
    assert!(!told.contains(&format!("move {} away", pool.parent().unwrap().display())));
    fs::rename(pool, aside).unwrap();
    let mut node = settled.place.start(&[]);
    assert_eq!(node.height(), 5);
    let line = node.said("transactions that waited here");
    assert!(
        line.contains(" WARN ") && line.contains("is empty"),
        "{line}"
    );
    node.kill();
}

#[test]
fn a_pool_log_that_is_gone_or_old_is_told() {
    let (mut settled, mut node) = Settled::new();
    const LOST: &str = "transactions that waited here";
    node.kill();
    assert!(!node.rest().contains(LOST));
    let pool = settled.place.data("chain/pool");
    for gone in ["b", "a"] {
        let checked = settled.place.ok("cnode", &["--check"]);
        assert!(checked.contains("2 waiting"), "{checked}");
        // Another start between the two turns the files.
        node = settled.place.start(&[]);
        node.kill();
        assert!(!node.rest().contains(LOST));
        fs::remove_file(pool.join(gone)).unwrap();
        node = settled.place.start(&[]);
        let line = node.said(LOST);
        let missing = format!("pool/{gone} is missing or old");
        assert!(line.contains(" WARN ") && line.contains(&missing), "{line}");
        node.kill();
    }
    // A backup of the whole directory is sound in itself; the checkpoint knows better.
    let old: Vec<_> = files(&pool)
        .into_iter()
        .map(|path| (fs::read(&path).unwrap(), path))
        .collect();
    node = settled.place.start(&[]);
    settled.send(&node, 1);
    node.reach(5);
    assert_eq!(node.stop().0, Some(0));
    old.iter()
        .for_each(|(bytes, path)| fs::write(path, bytes).unwrap());
    node = settled.place.start(&[]);
    let line = node.said(LOST);
    assert!(line.contains("is older than the blocks"), "{line}");
    node.kill();
}

/// An acknowledged transaction never becomes unknown.
#[test]
fn a_dropped_transaction_keeps_its_reason_over_restarts() {
    let key = SecretKey::generate(2048).unwrap();
    let (mining, owner) = (json!({"interval": 600}), key.public_key().address());
    let place = Place::network(&genesis(&mining, SLOT_MS, &[(owner, 1_000)]));
    let mut node = place.start(&[]);
    let net = node.genesis_id();
    node.kill();
    let sign = |number, data: &str| {
        let payment = Payment {
            number: AccountNonce::new(number).unwrap(),
            to: owner,
            amount: Amount::new(1).unwrap(),
            data: data.to_owned(),
            time: Timestamp::new(1_700_000_000_000).unwrap(),
        };
        Transaction::sign(payment, &key, &net).unwrap()
    };
    // As a node leaves them that was killed between a block and its next start.
    let [first, rival, dropped] = [sign(1, "first"), sign(1, "rival"), sign(2, "dropped")];
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = Timestamp::new(now.as_millis() as u64).unwrap();
    let id_of = |bytes: &[u8]| Some(Transaction::decode(bytes, 4_096).ok()?.id(&net));
    let (mut log, _) = PoolLog::open(&place.data("chain/pool"), &id_of).unwrap();
    for txn in [&first, &rival, &dropped] {
        log.append(now, &encode(txn)).unwrap();
    }
    log.append_dropped(now, "it was overtaken", &encode(&dropped))
        .unwrap();
    log.sync().unwrap();
    drop(log);
    for stop in ["KILL", "TERM", "KILL"] {
        node = place.start(&[]);
        let status = |txn: &Transaction| node.get(&format!("/v1/txns/{}", txn.id(&net)));
        assert_eq!(status(&first)["status"], "pending");
        let rival = status(&rival);
        assert_eq!(rival["status"], "dropped", "{rival}");
        let reason = rival["reason"].as_str().unwrap();
        assert!(
            reason.contains("number 1 of this account is used"),
            "{rival}"
        );
        let dropped = status(&dropped);
        assert_eq!(dropped["status"], "dropped", "{dropped}");
        assert_eq!(dropped["reason"], "it was overtaken");
        assert_eq!(dropped["data"], "dropped");
        node.signal(stop);
        node.ended();
    }
}

#[test]
fn a_block_log_damaged_in_what_was_acknowledged_is_refused_by_name() {
    let (settled, mut node) = Settled::new();
    node.kill();
    let blocks = settled.place.data("chain/blocks");
    let log = files(&blocks).swap_remove(0);
    let name = log.to_str().unwrap().to_owned();
    let whole = fs::read(&log).unwrap();
    let second = offset(&log, "kept");

    flip(&log, second);
    settled.refused(&[&name, "is damaged at byte", "put back a copy"]);
    fs::write(&log, &whole[..second as usize]).unwrap();
    settled.refused(&[&name]);
    fs::write(&log, &whole).unwrap();
    flip(&log, 9);
    settled.refused(&[&name]);
    fs::remove_file(&log).unwrap();
    settled.refused(&[&name, "missing"]);
    fs::write(&log, &whole).unwrap();
    assert_eq!(settled.place.start(&[]).height(), 4);
}

/// A start reads the window again, whatever the checkpoint: a young chain is read whole.
#[test]
fn a_damaged_old_block_is_never_served() {
    let (settled, mut node) = Settled::new();
    assert_eq!(node.stop().0, Some(0));
    let log = files(&settled.place.data("chain/blocks")).swap_remove(0);
    flip(&log, offset(&log, "kept"));
    settled.refused(&[log.to_str().unwrap(), "is damaged at byte"]);
}

/// Nothing in the log itself shows that its last record is gone or not what it was; the
/// checkpoint does. The record used to be zeroed before the start was refused.
#[test]
fn a_block_log_whose_last_block_is_lost_is_refused_and_left_as_it_is() {
    let (settled, mut node) = Settled::new();
    assert_eq!(node.stop().0, Some(0));
    let log = files(&settled.place.data("chain/blocks")).swap_remove(0);
    let bytes = fs::read(&log).unwrap();
    // The last record but one ends where the magic number of the last one stands.
    let magic = &bytes[32..36];
    let last = bytes
        .windows(4)
        .rposition(|window| window == magic)
        .unwrap();
    let mut torn = bytes.clone();
    torn[last + 300..].fill(0);
    let mut flipped = bytes.clone();
    flipped[last + 300] ^= 1;
    let mut gone = bytes.clone();
    gone[last..].fill(0);
    for damaged in [torn, flipped, gone] {
        fs::write(&log, damaged).unwrap();
        settled.refused(&["chain/blocks", "block 4 is missing", "put back a copy"]);
    }
    fs::write(&log, &bytes).unwrap();
    let checked = settled.place.ok("cnode", &["--check"]);
    assert!(
        checked.contains("4 blocks, 2 waiting transactions"),
        "{checked}"
    );
    let node = settled.place.start(&[]);
    assert_eq!(node.height(), 4);
    let checked = settled.place.ok("cnode", &["--check"]);
    assert!(checked.contains("not read: a node uses it"), "{checked}");
}

/// A small file system of its own; gone when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Moves a directory onto it; `None`, with the reason printed, if that is not allowed.
    fn below(dir: &Path, megabytes: u32) -> Option<Self> {
        let aside = dir.with_extension("aside");
        fs::rename(dir, &aside).unwrap();
        fs::create_dir(dir).unwrap();
        let size = format!("size={megabytes}m,mode=700");
        let options = ["-t", "tmpfs", "-o", &size, "tmpfs"];
        let mounted = Command::new("mount").args(options).arg(dir).output();
        let said = match mounted {
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(String::from_utf8_lossy(&output.stderr).into_owned()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(said) = said {
            println!("SKIPPED full disk: cannot mount a tmpfs: {said}");
            return None;
        }
        let disk = Self(dir.to_owned());
        let from = format!("{}/.", aside.display());
        let copied = Command::new("cp")
            .args(["-a", &from])
            .arg(dir)
            .status()
            .unwrap();
        assert!(copied.success());
        Some(disk)
    }

    /// Fills what is free; the file to remove again.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = fs::File::create(&path).unwrap();
        for size in [1 << 20, 4096, 1] {
            let bytes = vec![7; size];
            while file.write_all(&bytes).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Nothing to be done if it is still in use; the test has failed then.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_stops_the_node_and_loses_nothing() {
    let (mut settled, mut node) = Settled::new();
    assert_eq!(node.stop().0, Some(0));
    let Some(disk) = SmallDisk::below(&settled.place.data(""), 64) else {
        return;
    };
    node = settled.place.start(&[]);
    let net = node.genesis_id();
    settled.send(&node, 1);
    let filler = disk.fill();
    let json = [("Content-Type", "application/json")];
    let text = "x".repeat(4_000);
    let refused = wait_for("a request that finds no room", || {
        let number = settled.ids.len() as u64 + 1;
        let (id, body) = settled
            .sender
            .sign(&net, number, settled.sender.address(), 1, &text);
        let answer = request(node.http, "POST", "/v1/txns", &json, &body.to_string());
        match answer {
            Ok(answer) if answer.status == 202 => settled.ids.push(id.to_string()),
            answer => return Some(answer.map(|answer| answer.status)),
        }
        None
    });
    println!(
        "without room: {refused:?}; acknowledged {}",
        settled.ids.len()
    );
    assert!(refused.is_err() || refused.is_ok_and(|status| status == 503));
    assert_eq!(node.ended().code(), Some(11));
    let log = node.rest();
    let error = log.find("error: ").expect(&log);
    let reason = "No space left on device";
    assert!(log[error..].contains(reason), "{log}");
    assert!(log[error..].contains("make room"), "{log}");
    // Who runs it in the background finds the reason in the log.
    assert!(log[..error].contains(reason), "{log}");
    assert!(log[error..].lines().count() <= 5, "{log}");
    println!("{}", &log[error..]);

    fs::remove_file(filler).unwrap();
    let mut node = settled.place.start(&[]);
    for id in &settled.ids {
        let status = node.get(&format!("/v1/txns/{id}"))["status"].clone();
        assert!(status == "pending" || status == "included", "{id} {status}");
    }
    let height = node.height();
    settled.send(&node, 3);
    node.reach(height + 1);
    assert_eq!(node.stop().0, Some(0));
}
