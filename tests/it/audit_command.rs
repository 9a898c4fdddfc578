//! `ccoin audit` against a real node, and against a server that hands on the answers of that node
//! with something altered.

use crate::support::{Answer, Node, Place, Sender, genesis, request, wait_for};
use ccoin_core::{
    BlockId, PowNonce, StateHash, Timestamp,
    block::{Header, SignedHeader},
    pow,
};
use ccoin_crypto::SecretKey;
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

type Alter = dyn Fn(&str, &mut Answer) + Send + Sync;

/// A server that answers as `node` does, after `alter`; it ends with the process.
fn liar(node: SocketAddr, alter: impl Fn(&str, &mut Answer) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let alter: Arc<Alter> = Arc::new(alter);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let alter = Arc::clone(&alter);
            thread::spawn(move || answer(stream, node, &*alter));
        }
    });
    url
}

fn answer(stream: TcpStream, node: SocketAddr, alter: &Alter) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let first = lines.next()?.ok()?;
    lines.map_while(Result::ok).find(String::is_empty)?;
    let path = first.split(' ').nth(1)?;
    let mut answer = request(node, "GET", path, &[], "").ok()?;
    let length = answer.body.len();
    alter(path, &mut answer);
    // A body that was cut off keeps the length that was promised.
    let length = if answer.status == 299 {
        length
    } else {
        answer.body.len()
    };
    let (mut stream, body) = (stream, answer.body);
    let head = format!(
        "HTTP/1.1 {} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}",
        answer.status
    );
    stream.write_all(head.as_bytes()).ok()
}

/// Alters the JSON of one path.
fn at(
    wanted: &'static str,
    change: impl Fn(&mut Value) + Send + Sync,
) -> impl Fn(&str, &mut Answer) + Send + Sync {
    move |path, answer| {
        if path == wanted {
            let mut json = answer.json();
            change(&mut json);
            answer.body = json.to_string();
        }
    }
}

/// A node with five blocks of one payment each, all of them final.
fn chain() -> (Place, Node, String) {
    let mining = json!({"min_bound": 1, "interval": 1});
    let place = Place::network(&genesis(&mining, 500, &[]));
    let node = place.start(&[]);
    let net = node.genesis_id();
    let (sender, to) = (Sender::of(&place), Sender::new().address());
    for number in 1..=4 {
        let (_, txn) = sender.sign(&net, number, to, number, "audit me");
        let sent = node.post("/v1/txns?wait=final", &txn);
        assert_eq!(sent.status, 200, "{}", sent.body);
    }
    wait_for("five final blocks", || {
        (node.get("/v1/status")["final"]["number"] == 5).then_some(())
    });
    (place, node, net.to_string())
}

/// Exit code, and what was said on stdout and stderr.
fn audit(place: &Place, url: &str, options: &[&str]) -> (i32, String) {
    let all = [&["audit", "--json", "--url", url], options].concat();
    let output = place.run("ccoin", &all);
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(said).unwrap(),
    )
}

/// A block of time `ms` with another state root, mined and signed again by its miner.
fn with_wrong_state(place: &Place, net: &str, ms: u64, block: &mut Value) {
    let text = |name: &str| block[name].as_str().unwrap().to_owned();
    let header = Header {
        version: 1,
        number: serde_json::from_value(block["number"].clone()).unwrap(),
        hash_parent: text("hash_parent").parse().unwrap(),
        hash_state: StateHash::ZERO,
        hash_txns: text("hash_txns").parse().unwrap(),
        coinbase: text("coinbase").parse().unwrap(),
        time: Timestamp::new(ms).unwrap(),
        reward: serde_json::from_value(block["reward"].clone()).unwrap(),
        difficulty: 1,
        data: text("data"),
    };
    let net: BlockId = net.parse().unwrap();
    let pem = fs::read_to_string(place.data(".keys/id_rsa")).unwrap();
    let key = SecretKey::from_pem(&pem, None).unwrap();
    let mut signed = SignedHeader {
        header,
        nonce: PowNonce::ZERO,
        signature: key.sign(&StateHash::ZERO.into()).unwrap(),
    };
    while !pow::meets(&signed.id(&net), 1) {
        signed.nonce = signed.nonce.checked_add(1).unwrap();
    }
    let id = signed.id(&net);
    signed.signature = key.sign(&id.into()).unwrap();
    block["hash_state"] = json!(StateHash::ZERO);
    block["nonce"] = json!(signed.nonce);
    block["id"] = json!(id);
    block["signature"] = json!(signed.signature);
}

#[test]
fn an_audit_proves_a_good_chain_and_names_the_first_lie_of_a_bad_node() {
    let (place, node, net) = chain();
    let url = format!("http://{}", node.http);
    let good = |options: &[&str]| {
        let (code, said) = audit(&place, &url, &[&["--genesis", &net], options].concat());
        assert_eq!(code, 0, "{said}");
        serde_json::from_str::<Value>(said.lines().next().unwrap()).unwrap()
    };
    let whole = good(&[]);
    assert_eq!(whole["final"]["number"], 5);
    assert_eq!(
        (&whole["blocks"], &whole["transactions"]),
        (&json!(4), &json!(4))
    );
    let third = node.get("/v1/blocks/3")["id"].as_str().unwrap().to_owned();
    let later = good(&["--trusted-block", &format!("3:{third}")]);
    assert_eq!(
        (&later["blocks"], &later["final"]),
        (&json!(2), &whole["final"])
    );

    let (code, said) = audit(&place, &url, &[]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains(&net), "{said}");

    let check = |what: &str, alter: Box<Alter>, exit: i32, words: &[&str]| {
        let url = liar(node.http, alter);
        let (code, said) = audit(&place, &url, &["--genesis", &net]);
        assert_eq!(code, exit, "{what}: {said}");
        for word in words {
            assert!(said.contains(word), "{what}: {word} is not in {said}");
        }
    };
    let third = "/v1/blocks/3";
    check(
        "amount",
        Box::new(at(third, |b| b["body"][0]["amount"] = json!(99))),
        7,
        &["block 3 is the first bad one", "id of transaction 0"],
    );
    check(
        "left out",
        Box::new(at(third, |b| b["body"] = json!([]))),
        7,
        &["block 3 is the first bad one", "hash_txns"],
    );
    check(
        "signature",
        Box::new(at(third, |b| {
            b["signature"] = b["body"][0]["signature"].clone();
        })),
        7,
        &["block 3 is the first bad one", "bad signature of block"],
    );
    check(
        "time",
        Box::new(at(third, |b| b["time"] = json!("2026-01-01T00:00:00.000Z"))),
        7,
        &["block 3 is the first bad one", "id is"],
    );
    check(
        "no JSON",
        Box::new(|path: &str, answer: &mut Answer| {
            if path == "/v1/blocks/3" {
                answer.body.truncate(answer.body.len() / 2);
            }
        }),
        7,
        &["block 3 is the first bad one", "is not understood"],
    );
    check(
        "cut off",
        Box::new(|path: &str, answer: &mut Answer| {
            if path == "/v1/blocks/3" {
                answer.body.truncate(answer.body.len() / 2);
                answer.status = 299;
            }
        }),
        5,
        &[
            "at block 3",
            "broke",
            "all blocks up to 2 are good: --trusted-block 2:",
        ],
    );
    check(
        "withheld",
        Box::new(|path: &str, answer: &mut Answer| {
            if path == "/v1/blocks/3" {
                answer.status = 404;
                answer.body =
                    json!({"code": "block-not-found", "detail": "no such block"}).to_string();
            }
        }),
        7,
        &["block 3 is the first bad one", "does not show this one"],
    );
    check(
        "not kept",
        Box::new(|path: &str, answer: &mut Answer| {
            if path == "/v1/blocks/3" {
                answer.status = 410;
                answer.body =
                    json!({"code": "pruned", "detail": "bodies below 5 are gone"}).to_string();
            }
        }),
        4,
        &["at block 3", "does not keep it"],
    );
    check(
        "no certificate",
        Box::new(|path: &str, answer: &mut Answer| {
            if path.ends_with("/proof") {
                answer.status = 410;
                answer.body =
                    json!({"code": "no-certificate", "detail": "none is here"}).to_string();
            }
        }),
        7,
        &["block 5 is the first bad one", "shows no certificate"],
    );
    check(
        "forged vote",
        Box::new(|path: &str, answer: &mut Answer| {
            if path.ends_with("/proof") {
                let mut receipt = answer.json();
                receipt["certificate"]["ballot"] =
                    json!(receipt["certificate"]["ballot"].as_u64().unwrap() + 1);
                answer.body = receipt.to_string();
            }
        }),
        7,
        &["block 5 is the first bad one", "certificate"],
    );
    check(
        "more is final",
        Box::new(at("/v1/status", |s| {
            s["final"]["number"] = json!(6);
            s["height"] = json!(6);
        })),
        7,
        &[
            "block 6 is the first bad one",
            "newest certificate is of block 5",
        ],
    );
    check(
        "accounts of block 1",
        Box::new(|path: &str, answer: &mut Answer| {
            if path.starts_with("/v1/blocks/1/state") {
                let mut page = answer.json();
                page["items"][0]["balance"] = json!(5_000_000);
                answer.body = page.to_string();
            }
        }),
        7,
        &["block 1 is the first bad one", "hash_state"],
    );
    let mut forged = node.get(third);
    let seconds = node.get(&format!("/{}/blk/3/", node.address))["time"].as_f64();
    let ms = (seconds.unwrap() * 1e3).round() as u64;
    with_wrong_state(&place, &net, ms, &mut forged);
    check(
        "wrong state",
        Box::new(at(third, move |b| *b = forged.clone())),
        7,
        &[
            "block 3 is the first bad one",
            "hash_state is 0000",
            "executing gives",
        ],
    );
}
