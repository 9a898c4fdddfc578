//! A whole measurement against a fake node: it answers over HTTP like a node, puts all
//! waiting transactions into a block whenever it is asked for its height, and fails on
//! demand. It checks no signature.

use std::collections::HashSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Mutex;

use ccoin_core::{Address, genesis_config::GenesisConfig};
use ccoin_core::{BlockId, TxId};
use ccoin_crypto::sha256;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;

const GENESIS: BlockId = BlockId::new([3; 32]);

/// How the node fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// The queue holds this many.
    SmallQueue(usize),
    /// The first request is answered 503.
    BusyOnce,
    /// Numbers from this one on are refused.
    Refuses(u64),
    /// No block is ever made.
    NoBlocks,
    /// Each connection serves one request only.
    HangsUp,
    /// The third block is replaced by another one, once.
    Reorg,
}

struct FakeNode {
    fault: Fault,
    busy: bool,
    known: HashSet<TxId>,
    waiting: Vec<TxId>,
    blocks: Vec<Vec<TxId>>,
    /// Number of the first block after a reorg.
    replaced_from: usize,
    requests: usize,
}

impl FakeNode {
    /// Status and body of the answer.
    fn answer(&mut self, method: &Method, path: &str, body: &[u8]) -> (u16, Value) {
        if method == Method::POST {
            return self.submit(body);
        }
        if path == "/v1/status" {
            let reorg = self.fault == Fault::Reorg && self.replaced_from == usize::MAX;
            if reorg && self.blocks.len() == 3 {
                self.replaced_from = 4;
                self.waiting.extend(self.blocks.pop().unwrap());
                self.blocks.push(std::mem::take(&mut self.waiting));
                // A node changes to a longer branch only.
                self.blocks.push(Vec::new());
            }
            if !self.waiting.is_empty() && self.fault != Fault::NoBlocks {
                self.blocks.push(std::mem::take(&mut self.waiting));
            }
            let height = self.blocks.len() + 1;
            return (
                200,
                json!({"genesis_id": GENESIS, "height": height, "version": "fake",
                    "final": {"number": 1, "id": GENESIS}}),
            );
        }
        if path == "/v1/blocks/1" {
            let config = GenesisConfig::new(1, vec![Address::ZERO]);
            return (200, json!({"data": config.canonical_json()}));
        }
        if path.starts_with("/v1/accounts/") {
            return (200, json!({"next_number": 1, "balance": 0}));
        }
        let number: usize = path.strip_prefix("/v1/blocks/").unwrap().parse().unwrap();
        let id = |number| {
            let branch = u8::from(number >= self.replaced_from);
            format!("{branch:02x}{number:062x}")
        };
        let (id, parent) = (id(number), id(number - 1));
        let body = &self.blocks[number - 2];
        let (miner, time) = ("1".repeat(40), "2026-11-24T13:00:00.000Z");
        let block =
            json!({"id": id, "hash_parent": parent, "coinbase": miner, "time": time, "body": body});
        (200, block)
    }

    fn submit(&mut self, body: &[u8]) -> (u16, Value) {
        self.requests += 1;
        if std::mem::take(&mut self.busy) {
            return (503, json!({"code": "queue-full", "detail": "busy"}));
        }
        let txns: Vec<Value> = serde_json::from_slice(body).unwrap();
        let items: Vec<_> = txns.iter().map(|txn| self.judge(txn)).collect();
        (202, json!({"items": items}))
    }

    fn judge(&mut self, txn: &Value) -> Value {
        let id = id_of(txn);
        let problem = |code| json!({"id": id, "problem": {"code": code, "detail": "fake"}});
        match self.fault {
            Fault::SmallQueue(places)
                if self.waiting.len() >= places && !self.known.contains(&id) =>
            {
                problem("queue-full")
            }
            Fault::Refuses(from) if txn["number"].as_u64().unwrap() >= from => {
                problem("nonce-used")
            }
            _ => {
                if self.known.insert(id) {
                    self.waiting.push(id);
                }
                json!({"id": id, "status": "pending"})
            }
        }
    }
}

/// The id of the transaction, from its JSON alone.
fn id_of(txn: &Value) -> TxId {
    use ccoin_core::{AccountNonce, Address, Amount, encoding::encode};
    let time = humantime::parse_rfc3339(txn["time"].as_str().unwrap()).unwrap();
    let millis = time
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis();
    let number: AccountNonce = serde_json::from_value(txn["number"].clone()).unwrap();
    let from: ccoin_crypto::PublicKey = serde_json::from_value(txn["public_key"].clone()).unwrap();
    let to: Address = serde_json::from_value(txn["to"].clone()).unwrap();
    let amount: Amount = serde_json::from_value(txn["amount"].clone()).unwrap();
    let millis = u64::try_from(millis).unwrap();
    let fields = encode(&(
        number,
        from,
        to,
        amount,
        txn["data"].as_str().unwrap(),
        millis,
    ));
    sha256(&[b"ccoin/1/txn", GENESIS.as_bytes(), &fields]).into()
}

async fn serve(listener: TcpListener, node: Arc<Mutex<FakeNode>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let node = Arc::clone(&node);
        let keep_alive = node.lock().unwrap().fault != Fault::HangsUp;
        let service = service_fn(move |request: Request<Incoming>| {
            let node = Arc::clone(&node);
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let path = head.uri.path().to_owned();
                let (status, json) = node.lock().unwrap().answer(&head.method, &path, &body);
                let mut response = Response::builder().status(status);
                if status == 503 {
                    response = response.header("retry-after", "0");
                }
                let body = Full::new(Bytes::from(json.to_string()));
                Ok::<_, Infallible>(response.body(body).unwrap())
            }
        });
        let connection = http1::Builder::new()
            .keep_alive(keep_alive)
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            let _ = connection.await;
        });
    }
}

fn bench(dir: &std::path::Path, node: SocketAddr) -> BenchRun {
    keys::create(&dir.join("keys"), 2).unwrap();
    BenchRun {
        keys: dir.join("keys"),
        url: node.into(),
        pid: Some(std::process::id()),
        chain: Some(dir.to_owned()),
        seconds: 1,
        transfers: Some(60),
        rate: None,
        connections: 2,
        array: Some(7),
        in_flight: 20,
        data_bytes: 3,
    }
}

/// The result of 60 transfers, and the number of POST requests they took.
async fn measured(fault: Fault, rate: Option<u32>) -> (Result<Value, Failure>, usize) {
    let (report, node) = measured_with_node(fault, rate).await;
    let requests = node.lock().unwrap().requests;
    (report, requests)
}

async fn measured_with_node(
    fault: Fault,
    rate: Option<u32>,
) -> (Result<Value, Failure>, Arc<Mutex<FakeNode>>) {
    let node = Arc::new(Mutex::new(FakeNode {
        fault,
        busy: fault == Fault::BusyOnce,
        known: HashSet::new(),
        waiting: Vec::new(),
        blocks: Vec::new(),
        replaced_from: usize::MAX,
        requests: 0,
    }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(listener, Arc::clone(&node)));
    let dir = tempfile::tempdir().unwrap();
    let bench = BenchRun {
        rate,
        ..bench(dir.path(), address)
    };
    let patience = match fault {
        Fault::NoBlocks | Fault::SmallQueue(0) => Duration::from_millis(600),
        _ => Duration::from_secs(60),
    };
    let report = measure(&bench, patience).await;
    server.abort();
    let report = report.map(|report| serde_json::to_value(report).unwrap());
    (report, node)
}

#[tokio::test]
async fn every_transfer_is_followed_into_its_block() {
    let (report, requests) = measured(Fault::None, None).await;
    let report = report.unwrap();
    assert_eq!(
        (&report["accepted"], &report["included"]),
        (&json!(60), &json!(60))
    );
    assert_eq!(requests, 9);
    assert!(report["committed_per_second"].as_f64().unwrap() > 0.0);
    assert!(report["node"]["peak_rss_kib"].as_u64().unwrap() > 0);
    assert_eq!(report["conditions"]["connections"], 2);
    // 3 bytes of data in the encoding of a transfer of RSA-2048
    let size = report["conditions"]["encoded_size"].as_f64().unwrap();
    assert!((590.0..605.0).contains(&size), "{size}");
}

/// A follower that misses the reorg never sees the transfers that the new block adds.
#[tokio::test]
async fn a_reverted_block_does_not_count_and_its_replacement_does() {
    let (report, node) = measured_with_node(Fault::Reorg, None).await;
    let report = report.unwrap();
    let node = node.lock().unwrap();
    assert_eq!(node.replaced_from, 4);
    assert_eq!(report["included"], 60);
    // All but the empty one.
    assert_eq!(report["blocks"], node.blocks.len() - 1);
}

#[tokio::test]
async fn an_open_loop_takes_the_time_of_its_rate() {
    let begun = Instant::now();
    let (report, _) = measured(Fault::None, Some(200)).await;
    assert_eq!(report.unwrap()["conditions"]["rate"], 200);
    // The last array of 7 is due at transfer 56.
    assert!(begun.elapsed() >= Duration::from_millis(280));
}

#[tokio::test]
async fn back_pressure_is_waited_out_and_no_transfer_counts_twice() {
    let (report, requests) = measured(Fault::SmallQueue(5), None).await;
    assert_eq!(report.unwrap()["included"], 60);
    assert!(requests > 9, "{requests}");
    let (report, requests) = measured(Fault::BusyOnce, None).await;
    assert_eq!(
        (report.unwrap()["included"].clone(), requests),
        (json!(60), 10)
    );
}

#[tokio::test]
async fn a_connection_that_ends_is_opened_again() {
    let (report, _) = measured(Fault::HangsUp, None).await;
    assert_eq!(report.unwrap()["included"], 60);
}

#[tokio::test]
async fn a_refusal_ends_the_measurement() {
    let (report, _) = measured(Fault::Refuses(20), None).await;
    let failure = report.unwrap_err();
    assert_eq!(failure.code, ExitCode::Unexpected);
    assert!(
        failure.message.ends_with("was refused: nonce-used: fake"),
        "{failure}"
    );
}

#[tokio::test]
async fn a_node_without_blocks_is_given_up() {
    let (report, _) = measured(Fault::NoBlocks, None).await;
    let failure = report.unwrap_err();
    assert_eq!(failure.code, ExitCode::Unexpected);
    // 20 may be in flight: two arrays of 7.
    let message = "14 of 14 accepted transfers were in no block ";
    assert!(failure.message.starts_with(message), "{failure}");
    let (report, _) = measured(Fault::SmallQueue(0), None).await;
    let failure = report.unwrap_err();
    assert_eq!(failure.code, ExitCode::Unexpected);
    assert!(
        failure.message.starts_with("the queue was full for "),
        "{failure}"
    );
}

#[tokio::test]
async fn without_a_node_there_is_a_clear_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let dir = tempfile::tempdir().unwrap();
    let measured = measure(&bench(dir.path(), address), PATIENCE).await;
    assert_eq!(measured.unwrap_err().code, ExitCode::Connect);
}

#[test]
fn the_number_of_transfers_fits_the_time_within_bounds() {
    assert_eq!(needed(35_000.0, 30), 1_155_000);
    assert_eq!(needed(100.0, 30), 3_301);
    assert_eq!(needed(0.0, 30), LEAST);
    assert_eq!(needed(1e12, 30), MOST);
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let good = bench(dir.path(), "127.0.0.1:1".parse().unwrap());
    assert!(check(&good, 20).is_ok());
    assert!(check(&good, 21).is_err(), "more than may be in flight");
    let large = BenchRun {
        data_bytes: 4_096,
        in_flight: 5_000,
        ..good
    };
    assert!(check(&large, 500).is_ok());
    assert!(check(&large, 1_000).is_err(), "more than a node reads");
}
