//! `/v1/events`: what comes, in which order, and where a reader goes on.

use crate::fixtures::{
    DEADLINE, MINING, Network, QUEUEING, Signed, TestNode,
    events::{Event, Events},
    key, numbered,
    sockets::Server,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

async fn grow(node: &TestNode, numbers: std::ops::RangeInclusive<u64>) {
    let genesis = node.handle().genesis().id;
    for number in numbers {
        node.include(&Signed::new(genesis, 1, number)).await;
    }
}

fn numbers(events: &[Event], kind: &str) -> Vec<u64> {
    let events = events.iter().filter(|event| event.kind == kind);
    events.map(Event::number).collect()
}

fn kinds(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.kind.as_str()).collect()
}

#[tokio::test]
async fn a_payment_is_seen_waiting_included_and_final() {
    let node = TestNode::start(&MINING);
    let mut events = Events::open(&node, "").await;
    let genesis = node.handle().genesis().id;
    let data = "<script>\n\u{1F600}\r\ndata: x";
    let txn = Signed::with(genesis, 1, 1, numbered(9), 7, data);
    node.include(&txn).await;
    let mut seen = events.until_final(2).await;
    // A miner that is quicker than the reader leaves nothing that waits.
    seen.retain(|event| event.data["status"] != "pending");
    assert_eq!(kinds(&seen), ["txn", "leader", "block", "final"]);
    let block = node.get("/v1/blocks/2").await.ok();
    assert_eq!(
        seen[0].data,
        json!({
            "id": txn.id(), "number": 1, "from": txn.0["from"], "to": txn.0["to"], "amount": 7,
            "data": data, "time": txn.0["time"], "status": seen[0].data["status"],
            "block_number": 2, "block_id": block["id"], "index": 0, "reason": null,
        })
    );
    assert_eq!(seen[1].data["address"], block["coinbase"]);
    for field in [
        "number",
        "id",
        "hash_parent",
        "coinbase",
        "time",
        "txn_count",
    ] {
        assert_eq!(seen[2].data[field], block[field], "{field}");
    }
    assert_eq!(seen[3].data["id"], block["id"]);
}

#[tokio::test]
async fn from_block_1_tells_the_whole_chain_and_who_leads() {
    let mut node = TestNode::start(&MINING);
    grow(&node, 1..=5).await;
    for _from_disk in [false, true] {
        let mut events = Events::open(&node, "?from_block=1").await;
        let seen = events.until_final(6).await;
        assert_eq!(numbers(&seen, "block"), [1, 2, 3, 4, 5, 6]);
        assert_eq!(numbers(&seen, "txn"), [1, 2, 3, 4, 5]);
        let last = seen.last().expect("the final one");
        assert!(
            last.id.starts_with("6-") && last.id.ends_with("-6"),
            "{last:?}"
        );
        let leaders = seen.iter().filter(|event| event.kind == "leader");
        let leaders: Vec<_> = leaders.map(|event| event.data.clone()).collect();
        let own = json!(node.address());
        assert_eq!(leaders, [json!({"address": own, "block_number": 2})]);
        node.restart();
    }
}

#[tokio::test]
async fn a_reader_goes_on_behind_its_last_id_after_a_restart() {
    let mut node = TestNode::start(&MINING);
    grow(&node, 1..=6).await;
    let all = Events::open(&node, "?from_block=1")
        .await
        .until_final(7)
        .await;
    for _from_disk in [false, true] {
        for (at, event) in all.iter().enumerate() {
            if event.kind != "block" {
                continue;
            }
            let mut resumed = Events::resume(&node, "?from_block=1", &event.id).await;
            let seen = resumed.until_final(7).await;
            assert_eq!(numbers(&seen, "block"), numbers(&all[at + 1..], "block"));
            assert_eq!(numbers(&seen, "txn"), numbers(&all[at + 1..], "txn"));
            let tells_leader = kinds(&seen).contains(&"leader");
            assert_eq!(tells_leader, event.number() == 1);
        }
        node.restart();
    }
}

/// A node that fell behind, or a branch that was left.
#[tokio::test]
async fn a_reader_from_another_branch_gets_all_blocks_above_its_final_one() {
    let node = TestNode::start(&MINING);
    grow(&node, 1..=4).await;
    let foreign = "4-ffffffffffffffff-2";
    let seen = Events::resume(&node, "", foreign)
        .await
        .until_final(5)
        .await;
    assert_eq!(numbers(&seen, "block"), [3, 4, 5]);
    // One that has seen more than this node waits for it.
    let mut ahead = Events::resume(&node, "?types=block", "6-ffffffffffffffff-4").await;
    grow(&node, 5..=6).await;
    let seen = ahead.until("block", |data| data["number"] == 7).await;
    assert_eq!(numbers(&seen, "block"), [5, 6, 7]);
}

#[tokio::test]
async fn types_and_address_choose_and_ids_still_move() {
    let node = TestNode::start(&MINING);
    let genesis = node.handle().genesis().id;
    let to = |number, to| Signed::with(genesis, 1, number, numbered(to), 1, "");
    for (number, receiver) in [(1, 7), (2, 8), (3, 7)] {
        node.include(&to(number, receiver)).await;
    }
    let query = format!("?types=txn&from_block=1&address={}", numbered(7));
    let mut events = Events::open(&node, &query).await;
    let seen = events.until("txn", |data| data["number"] == 3).await;
    assert_eq!(numbers(&seen, "txn"), [1, 3]);
    assert!(
        seen[1].id.starts_with("3-"),
        "behind block 3: {:?}",
        seen[1]
    );
    let sender = key(1).public_key().address();
    let query = format!("?types=txn,final&from_block=1&address={sender}");
    let seen = Events::open(&node, &query).await.until_final(4).await;
    assert_eq!(kinds(&seen), ["txn", "txn", "txn", "final"]);
}

#[tokio::test]
async fn final_1_tells_nothing_that_can_be_undone() {
    let never_final = Network {
        absent: 1,
        ..MINING
    };
    for (network, last) in [(&never_final, 1), (&MINING, 3)] {
        let node = TestNode::start(network);
        let genesis = node.handle().genesis().id;
        for number in 1..=2 {
            let txn = Signed::new(genesis, 1, number).to_string();
            let taken = node.post("/v1/txns?wait=included", txn).await;
            assert_eq!(taken.status, 200, "{taken}");
        }
        let mut events = Events::open(&node, "?final=1&from_block=1").await;
        let seen = events.until_final(last).await;
        assert_eq!(numbers(&seen, "block"), (1..=last).collect::<Vec<_>>());
        assert_eq!(numbers(&seen, "txn"), (1..last).collect::<Vec<_>>());
        assert!(seen.iter().all(|event| event.data["status"] != "pending"));
        let blocks = seen.iter().filter(|event| event.kind == "block");
        assert!(blocks.clone().all(|block| block.data["final"] == true));
    }
}

/// Its memory is bounded: it hears how much it has missed, and goes on.
#[tokio::test]
async fn a_slow_reader_hears_what_it_has_missed() {
    let node = TestNode::start(&QUEUEING);
    let mut events = Events::open(&node, "").await;
    let genesis = node.handle().genesis().id;
    let txns = |numbers: std::ops::RangeInclusive<u64>| -> Value {
        numbers.map(|n| Signed::new(genesis, 1, n).0).collect()
    };
    for numbers in [1..=1_000, 1_001..=2_000, 2_001..=3_000] {
        let taken = node.post("/v1/txns", txns(numbers).to_string()).await;
        assert_eq!(taken.status, 202, "{taken}");
    }
    let seen = events.until("txn", |data| data["number"] == 3_000).await;
    let lagged = seen.iter().filter(|event| event.kind == "lagged");
    let missed: u64 = lagged
        .map(|event| event.data["missed"].as_u64().expect("a number"))
        .sum();
    let told = numbers(&seen, "txn").len() as u64;
    assert!(missed > 0 && missed + told == 3_000, "{missed} {told}");
}

#[tokio::test]
async fn two_hundred_readers_follow_and_the_next_is_told_to_ask_elsewhere() {
    let node = TestNode::start(&MINING);
    let mut readers = Vec::new();
    for _ in 0..200 {
        readers.push(Events::open(&node, "?types=block").await);
    }
    node.get("/v1/events").await.is(429, "rate-limited");
    grow(&node, 1..=1).await;
    for reader in &mut readers {
        assert_eq!(reader.next().await.number(), 2);
    }
    drop(readers);
    let freed = async {
        loop {
            let asked = crate::fixtures::request(
                axum::http::Method::HEAD,
                "/v1/events",
                axum::body::Body::empty(),
            );
            let response = tower::ServiceExt::oneshot(node.router.clone(), asked).await;
            if response.expect("infallible").status() == 200 {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, freed)
        .await
        .expect("places are free again");
}

#[tokio::test]
async fn a_query_that_does_not_fit_is_refused() {
    let node = TestNode::start(&QUEUEING);
    for (query, code) in [
        ("types=", "bad-field"),
        ("types=block,lagged", "bad-field"),
        ("types=blocks", "bad-field"),
        ("address=xyz", "bad-address"),
        ("final=yes", "bad-field"),
        ("from_block=-1", "bad-field"),
        ("from_block=9007199254740992", "bad-field"),
        ("since=1", "bad-field"),
    ] {
        let answer = node.get(&format!("/v1/events?{query}")).await;
        answer.is(400, code);
    }
    let mut asked = crate::fixtures::request(
        axum::http::Method::GET,
        "/v1/events",
        axum::body::Body::empty(),
    );
    let id = "7".parse().expect("ASCII");
    asked.headers_mut().insert("last-event-id", id);
    node.send(asked).await.is(400, "bad-field");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_in_order_when_the_server_stops() {
    let node = TestNode::start(&QUEUEING);
    let server = Server::start(&node).await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut stream = server.connect().await;
        let request = "GET /v1/events/ HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream
            .write_all(request.as_bytes())
            .await
            .expect("it reads");
        let mut byte = [0];
        stream.read_exact(&mut byte).await.expect("an answer");
        streams.push(stream);
    }
    server.stop.cancel();
    for mut stream in streams {
        let mut rest = String::new();
        let read = timeout(DEADLINE, stream.read_to_string(&mut rest)).await;
        read.expect("it ends").expect("UTF-8");
        assert!(
            rest.contains("retry: 1000") && rest.ends_with("0\r\n\r\n"),
            "{rest}"
        );
    }
    timeout(DEADLINE, server.task)
        .await
        .expect("it ends")
        .expect("no panic");
}
