//! A busy network under the eyes of the independent audit in `tests/oracle`: every
//! block, signature, root and coin is computed again by another program.

use crate::support::{Node, Place, Sender, genesis, wait_for};
use serde_json::{Value, json};
use std::{path::Path, process::Command};

/// Runs a program of the oracle; its output.
fn oracle(program: &str, options: &[&str]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/oracle")
        .join(program);
    let output = Command::new("python3")
        .arg("-B")
        .arg(path)
        .args(options)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{program} {options:?}: {said}"
    );
    said
}

fn audit(place: &Place, node: &Node) -> String {
    let key = place.data(".keys/id_rsa.pub");
    let url = format!("http://{}", node.http);
    oracle(
        "audit.py",
        &[&url, &node.address, "--key", key.to_str().unwrap()],
    )
}

#[test]
fn the_oracle_knows_what_it_says() {
    oracle("test_oracle.py", &[]);
    oracle("test_audit.py", &[]);
}

/// 66 transactions on three ways: through the wallet, one by one, and in arrays.
fn busy(node: &Node, senders: &[Sender]) -> u64 {
    let net = node.genesis_id();
    let addresses: Vec<_> = senders.iter().map(Sender::address).collect();
    let texts = [
        "",
        "plain",
        "żółw 🐢 \u{202e}rtl",
        "\"quoted\"\n\\ \u{0}",
        "<script>",
    ];
    let mut sent = 0;
    for round in 0..6_u64 {
        let data = texts[round as usize % texts.len()];
        let pay = json!({"sendto_address": addresses[0], "amount": round, "data": data});
        let paid = node.pay(&pay);
        assert_eq!(paid.status, 200, "{}", paid.body);
        let mut array = Vec::new();
        for (place, sender) in senders.iter().enumerate() {
            // To oneself, to the next sender, to somebody who does not exist yet.
            let stranger = format!("{:040x}", 1 + round).parse().unwrap();
            let to = [
                sender.address(),
                addresses[(place + 1) % senders.len()],
                stranger,
            ];
            let first = round * 3;
            let (_, single) = sender.sign(&net, first + 1, to[round as usize % 3], round, data);
            let taken = node.post("/v1/txns", &single);
            assert_eq!(taken.status, 202, "{}", taken.body);
            for number in 2..=3 {
                let amount = (number - 2) * 5;
                let to = to[(round + number) as usize % 3];
                array.push(sender.sign(&net, first + number, to, amount, data).1);
            }
        }
        sent += 1 + 3 * senders.len() as u64;
        // The second of a sender first: the pool holds it until the first is there.
        array.reverse();
        let answer = node.post("/v1/txns", &Value::from(array)).json();
        for item in answer["items"].as_array().unwrap() {
            assert!(item["problem"].is_null(), "{item}");
        }
    }
    sent
}

/// Coins of all accounts as of a block.
fn coins(node: &Node, number: u64) -> u64 {
    let block = node.get(&format!("/{}/blk/{number}/", node.address));
    let state = block["state"].as_object().unwrap().values();
    state
        .map(|account| account["balance"].as_u64().unwrap())
        .sum()
}

#[test]
fn an_independent_program_finds_the_same_chain() {
    let senders: Vec<_> = (0..4).map(|_| Sender::new()).collect();
    let alloc: Vec<_> = senders
        .iter()
        .map(|sender| (sender.address(), 500))
        .collect();
    let mining = json!({"min_bound": 3, "interval": 2, "difficulty": 3, "max_bound": 9, "reward": 25,
        "placeholder_data": ["rnd", 15]});
    let place = Place::network(&genesis(&mining, 2_000, &alloc));
    let mut node = place.start(&[]);
    let sent = busy(&node, &senders);
    assert!(sent >= 60, "{sent}");
    wait_for("an empty queue", || {
        (node.get("/v1/queue")["txns"] == 0).then_some(())
    });
    let height = node.height();
    let said = audit(&place, &node);
    println!("{said}");
    assert!(said.contains(&format!("transactions {sent}, ")), "{said}");
    assert!(said.contains(", unchecked 0"), "{said}");
    let mut supply = 4 * 500 + 1_000;
    for number in 1..=height {
        if number > 1 {
            let block = node.get(&format!("/v1/blocks/{number}"));
            supply += block["reward"].as_u64().unwrap();
        }
        assert_eq!(coins(&node, number), supply, "block {number}");
    }
    assert!(supply > 4 * 500 + 1_000 && supply <= 4 * 500 + 1_000 + 25 * (height - 1));

    // Log and index answer like memory, also when the index has just been built.
    for options in [&[][..], &["--reindex"]] {
        assert_eq!(node.stop().0, Some(0));
        node = place.start(options);
        assert!(audit(&place, &node).contains(&format!("transactions {sent}, ")));
    }
}
