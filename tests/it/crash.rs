//! `kill -9` at random moments under load. What was acknowledged stays, the node comes
//! back by itself, and the key never signs two blocks for one turn.
//! `CCOIN_KILLS` says how often, `CCOIN_SEED` repeats the moments of a run.

use crate::support::{Node, Place, Sender, genesis, in_a_block, request, wait_for};
use ccoin_core::{BlockId, TxId, block::Block, block::SealedBlock};
use ccoin_storage::VoteFile;
use ccoin_storage::{BlockLog, Position, StorageError};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    env, fs,
    net::SocketAddr,
    path::Path,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

const SLOT_MS: u64 = 500;

/// Moments of a run; xorshift (Marsaglia 2003).
struct Moments(u64);

impl Moments {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// What users were told: acknowledged transactions and blocks that were shown.
#[derive(Default)]
struct Told {
    count: AtomicUsize,
    txns: Mutex<Vec<TxId>>,
    blocks: Mutex<BTreeMap<u64, String>>,
    over: AtomicBool,
}

impl Told {
    fn over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn note(&self, id: TxId) {
        self.txns.lock().unwrap().push(id);
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Ends the threads of a round, also when the round has failed.
struct Round<'a>(&'a Told);

impl Drop for Round<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

/// Submits transactions of one sender, alone and in arrays, until the node is gone.
fn submit(told: &Told, http: SocketAddr, net: &BlockId, sender: &Sender) {
    let json = [("Content-Type", "application/json")];
    let account = format!("/v1/accounts/{}", sender.address());
    let Ok(account) = request(http, "GET", &account, &[], "") else {
        return;
    };
    let mut next = account.json()["next_number"].as_u64().unwrap();
    let mut round = 0;
    while !told.over() {
        round += 1;
        let count = if round % 4 == 0 { 5 } else { 1 };
        let sign = |number| sender.sign(net, number, sender.address(), 1, "under load");
        let (ids, bodies): (Vec<_>, Vec<_>) = (next..next + count).map(sign).unzip();
        let body = if count == 1 {
            bodies[0].clone()
        } else {
            Value::from(bodies)
        };
        let Ok(answer) = request(http, "POST", "/v1/txns", &json, &body.to_string()) else {
            return;
        };
        assert_eq!(answer.status, 202, "{}", answer.body);
        if count > 1 {
            for item in answer.json()["items"].as_array().unwrap() {
                assert!(item["problem"].is_null(), "{item}");
            }
        }
        ids.into_iter().for_each(|id| told.note(id));
        next += count;
    }
}

/// Remembers every head that is shown.
fn watch(told: &Told, http: SocketAddr) {
    while !told.over() {
        let Ok(answer) = request(http, "GET", "/v1/blocks?limit=3", &[], "") else {
            return;
        };
        let mut blocks = told.blocks.lock().unwrap();
        for block in answer.json()["items"].as_array().unwrap() {
            let id = block["id"].as_str().unwrap().to_owned();
            let number = block["number"].as_u64().unwrap();
            let before = blocks.insert(number, id.clone());
            assert!(
                before.is_none_or(|before| before == id),
                "block {number} has changed"
            );
        }
    }
}

/// Every block in the log of a dead node: (slot, number) and id.
fn sealed(place: &Place, net: &BlockId) -> BTreeMap<(u64, u64), BlockId> {
    // Opening cuts a torn tail, so a copy is opened.
    let copy = tempfile::tempdir().unwrap();
    for file in fs::read_dir(place.data("chain/blocks")).unwrap() {
        let path = file.unwrap().path();
        fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    let mut found = BTreeMap::new();
    let mut visit = |_: Position, kind: u8, bytes: &[u8]| {
        if matches!(kind, 2 | 3) {
            let block = SealedBlock::already_verified(Block::decode(bytes).unwrap(), net);
            let turn = (
                block.header().time.get() / SLOT_MS,
                block.header().number.get(),
            );
            assert_eq!(
                found.insert(turn, block.id),
                None,
                "turn {turn:?} sealed twice"
            );
        }
        Ok::<_, StorageError>(())
    };
    BlockLog::open(copy.path(), Position::START, &mut visit).unwrap();
    found
}

/// Kills at one moment under load; says what kind of moment it was.
fn strike(
    node: &mut Node,
    place: &Place,
    told: &Told,
    senders: &[Sender],
    moments: &mut Moments,
) -> &'static str {
    let (net, http) = (node.genesis_id(), node.http);
    let enough = told.count.load(Ordering::Relaxed) + moments.below(60) as usize;
    let (at_vote, spins) = (moments.below(2) == 0, moments.below(20_000));
    told.over.store(false, Ordering::Relaxed);
    thread::scope(|scope| {
        let _round = Round(told);
        scope.spawn(|| watch(told, http));
        for sender in senders {
            scope.spawn(move || submit(told, http, &net, sender));
        }
        wait_for("acknowledgements", || {
            (told.count.load(Ordering::Relaxed) >= enough).then_some(())
        });
        if at_vote {
            let votes = fs::read(place.data(".keys/votes")).unwrap();
            let deadline = Instant::now() + crate::support::PATIENCE;
            while fs::read(place.data(".keys/votes")).unwrap() == votes {
                assert!(Instant::now() < deadline, "no block is made any more");
            }
        } else {
            (0..spins).for_each(|_| std::hint::spin_loop());
        }
        node.kill();
    });
    if at_vote { "at a vote" } else { "anywhere" }
}

fn environment(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap())
}

/// The newest turn that the key has signed for, from its vote file; `None`: the first
/// kill came before the first block.
fn signed(place: &Place, net: &BlockId) -> Option<(u64, u64)> {
    let votes = VoteFile::open(&place.data(".keys/votes")).unwrap();
    let record = votes.record(net)?;
    Some((record.last_sealed_slot, record.last_sealed_number))
}

#[test]
fn a_node_killed_at_any_moment_starts_again_with_all_it_acknowledged() {
    let kills = environment("CCOIN_KILLS").unwrap_or(4);
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = environment("CCOIN_SEED").unwrap_or(clock.as_nanos() as u64 | 1);
    println!("CCOIN_KILLS={kills} CCOIN_SEED={seed}");
    let mut moments = Moments(seed);
    let senders: Vec<_> = (0..3).map(|_| Sender::new()).collect();
    let alloc: Vec<_> = senders
        .iter()
        .map(|sender| (sender.address(), 1_000_000))
        .collect();
    let mining = json!({"interval": 0.3, "max_bound": 20, "difficulty": 2, "allow_empty": true});
    let place = Place::network(&genesis(&mining, SLOT_MS, &alloc));
    let mut node = place.start(&[]);
    let net = node.genesis_id();
    let told = Told::default();
    let (mut checked, mut unborn, mut slowest) = (0, Vec::new(), Duration::ZERO);
    let mut before = BTreeMap::new();
    for kill in 1..=kills {
        let moment = strike(&mut node, &place, &told, &senders, &mut moments);
        let log = sealed(&place, &net);
        assert!(
            before.iter().all(|(turn, id)| log.get(turn) == Some(id)),
            "a block is lost"
        );
        for (number, id) in &*told.blocks.lock().unwrap() {
            let kept = log
                .iter()
                .any(|((_, n), kept)| n == number && kept.to_string() == *id);
            assert!(
                kept || *number == 1,
                "block {number} {id} was shown and is lost"
            );
        }
        for turn in &unborn {
            assert!(
                !log.contains_key(turn),
                "turn {turn:?} was signed for before"
            );
        }
        match signed(&place, &net) {
            Some(turn) if !log.contains_key(&turn) => unborn.push(turn),
            Some(_) => {}
            None => assert!(
                log.is_empty(),
                "a block is in the log, but no turn on record"
            ),
        }
        before = log;
        if moments.below(4) == 0 {
            // Once more, somewhere in the start.
            let mut early = place.spawn(&[]);
            (0..moments.below(5_000_000)).for_each(|_| std::hint::spin_loop());
            early.kill();
        }
        let since = Instant::now();
        node = place.start(&[]);
        slowest = slowest.max(since.elapsed());
        let ids = told.txns.lock().unwrap().clone();
        for id in &ids[checked..] {
            fate(&node, id);
        }
        println!(
            "kill {kill} {moment}: {} acknowledged, height {}",
            ids.len(),
            node.height()
        );
        checked = ids.len();
    }
    println!(
        "killed between vote and block: {}; slowest start {slowest:?}",
        unborn.len()
    );
    // Many kills leave more waiting than is mined in one patience.
    let mut waiting = u64::MAX;
    while waiting > 0 {
        waiting = wait_for("a shorter queue", || {
            let txns = node.get("/v1/queue")["txns"].as_u64().unwrap();
            (txns < waiting).then_some(txns)
        });
    }
    for id in &*told.txns.lock().unwrap() {
        assert_ne!(fate(&node, id), "pending");
    }
    audit(&node, &place);
}

/// What became of an acknowledged transaction: it waits or is in a block.
fn fate(node: &Node, id: &TxId) -> String {
    let found = node.get(&format!("/v1/txns/{id}"));
    let status = found["status"].as_str().unwrap().to_owned();
    assert!(status == "pending" || in_a_block(&found), "{found}");
    status
}

fn audit(node: &Node, place: &Place) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/audit.py");
    let url = format!("http://{}", node.http);
    let key = place.data(".keys/id_rsa.pub");
    let mut python = Command::new("python3");
    python.arg("-B").arg(path).args([&url, &node.address]);
    let audited = python.arg("--key").arg(key).output().unwrap();
    let said = String::from_utf8_lossy(&audited.stdout);
    println!("{said}");
    assert_eq!(audited.status.code(), Some(0), "{said}");
}
