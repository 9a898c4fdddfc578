//! The service as its users see it: commands, refusals, pages and limits.

use crate::fixtures::{GENESIS, NOW, Running, add, removal, remove};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::Instant,
};

fn listing(record: &impl serde::Serialize) -> Value {
    json!({"command": "add", "peer": record})
}

#[tokio::test]
async fn the_original_commands_have_the_original_shapes() {
    let service = Running::start().await;
    let all = json!({"command": "get_all"});
    assert_eq!(service.post(&all).await.body, "[]");
    let record = add(0, "10.0.0.1", 0);
    let answer = service.post(&listing(&record)).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "true"));
    assert!(answer.head.contains("application/json"), "{}", answer.head);
    let listed = json!([{"id": record.id, "ip": "10.0.0.1", "port": 4001}]);
    // Any path, with or without a content type.
    for (path, kind) in [
        ("/", ""),
        (
            "/discovery/peers",
            "Content-Type: application/json; charset=utf-8\r\n",
        ),
        ("/members", "content-type: Application/JSON\r\n"),
        ("/healthz", ""),
        ("/metrics", ""),
    ] {
        let answer = service
            .send(&format!("POST {path}"), kind, &all.to_string())
            .await;
        assert_eq!(
            (answer.status, answer.json()),
            (200, listed.clone()),
            "{path}"
        );
    }
    let answer = service.post(&removal(&remove(0, 1))).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "true"));
    assert_eq!(service.post(&all).await.body, "[]");
}

#[tokio::test]
async fn a_list_can_be_of_one_network() {
    let service = Running::start().await;
    service.post(&listing(&add(0, "10.0.0.1", 0))).await;
    let zeros = "0".repeat(64);
    for (filter, count) in [
        (json!({"network_id": 7}), 1),
        (json!({"network_id": 8}), 0),
        (json!({"genesis_id": GENESIS}), 1),
        (json!({"genesis_id": "11".repeat(32)}), 0),
        (
            json!({"network_id": 7, "genesis_id": GENESIS, "more": [1]}),
            1,
        ),
        // Absent and zeros are the same.
        (json!({"network_id": 0, "genesis_id": zeros}), 1),
        (json!({"network_id": null}), 1),
    ] {
        let mut command = filter.clone();
        command["command"] = "get_all".into();
        let list = service.post(&command).await.json();
        assert_eq!(list.as_array().unwrap().len(), count, "{filter}");
    }
}

#[tokio::test]
async fn a_node_that_names_no_place_is_where_it_comes_from() {
    let service = Running::start().await;
    let body = listing(&add(0, "0.0.0.0", 0)).to_string();
    let length = body.len();
    let request = format!("POST / HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}");
    let answer = service.raw("127.0.0.2", request.as_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(service.hosts().await, ["127.0.0.2"]);
}

/// In the toy there was no authentication: anyone removed anyone.
#[tokio::test]
async fn only_the_owner_of_an_id_adds_or_removes_its_record() {
    let service = Running::start().await;
    let record = add(0, "10.0.0.1", 0);
    service.post(&listing(&record)).await;
    // The form of the toy's clients.
    let toy = json!({"id": "somebody", "ip": "10.0.0.66", "port": 1});
    service.post(&listing(&toy)).await.is(403, "unsigned");
    let toy = json!({"command": "remove", "peer_id": record.id});
    service.post(&toy).await.is(403, "unsigned");
    let mut half = json!(record);
    half.as_object_mut().unwrap().remove("signature");
    service.post(&listing(&half)).await.is(403, "unsigned");
    let mut half = json!(record);
    half["public_key"] = Value::Null;
    service.post(&listing(&half)).await.is(403, "unsigned");
    // Signed, by another key.
    let mut stolen = remove(1, 1);
    stolen.id = record.id;
    service.post(&removal(&stolen)).await.is(403, "foreign");
    let mut stolen = add(1, "10.0.0.66", 1);
    stolen.id = record.id;
    service.post(&listing(&stolen)).await.is(403, "foreign");
    // Overheard and changed.
    let mut moved = add(0, "10.0.0.1", 1);
    moved.ip = "10.0.0.66".to_owned();
    service
        .post(&listing(&moved))
        .await
        .is(403, "bad-signature");
    let as_removal = removal(&add(0, "", 1));
    service.post(&as_removal).await.is(403, "bad-signature");
    // Overheard and repeated.
    service.post(&listing(&record)).await.is(409, "stale");
    assert_eq!(service.hosts().await, ["10.0.0.1"]);
    assert_eq!(service.post(&removal(&remove(0, 2))).await.body, "true");
    service.post(&listing(&record)).await.is(409, "stale");
    assert!(service.hosts().await.is_empty());
}

#[tokio::test]
async fn bad_input_is_answered_with_the_reason() {
    let service = Running::start().await;
    let good = listing(&add(0, "10.0.0.1", 0));
    let spoiled = |field: &str, value: Value| {
        let mut bad = good.clone();
        bad["peer"][field] = value;
        bad.to_string()
    };
    let big = "9".repeat(30);
    for (body, code) in [
        (String::new(), "bad-json"),
        ("{".to_owned(), "bad-json"),
        ("\u{1}".to_owned(), "bad-json"),
        ("[".repeat(60_000), "bad-json"),
        (
            "{\"command\":\"add\",\"command\":\"add\"}".to_owned(),
            "bad-json",
        ),
        ("[\"get_all\"]".to_owned(), "bad-field"),
        ("5".to_owned(), "bad-field"),
        ("{}".to_owned(), "bad-field"),
        ("{\"command\":5}".to_owned(), "bad-field"),
        ("{\"command\":\"list\"}".to_owned(), "bad-field"),
        ("{\"command\":\"add\"}".to_owned(), "bad-field"),
        ("{\"command\":\"add\",\"peer\":5}".to_owned(), "bad-field"),
        ("{\"command\":\"remove\"}".to_owned(), "bad-field"),
        (
            format!("{{\"command\":\"get_all\",\"network_id\":{big}}}"),
            "bad-field",
        ),
        (
            "{\"command\":\"get_all\",\"genesis_id\":\"5\"}".to_owned(),
            "bad-field",
        ),
        (spoiled("id", json!("5")), "bad-field"),
        (spoiled("ip", json!("<script>")), "bad-field"),
        (spoiled("port", json!(0)), "bad-field"),
        (spoiled("port", json!(65_536)), "bad-field"),
        (spoiled("port", json!("4001")), "bad-field"),
        (spoiled("time", json!(-1)), "bad-field"),
        (spoiled("public_key", json!("AAAA")), "bad-field"),
        (spoiled("signature", json!("?")), "bad-field"),
    ] {
        let answer = service.send("POST /", "", &body).await;
        answer.is(400, code);
        assert!(!answer.body.contains("src/"), "{}", answer.body);
    }
    for more in [-60_001, 60_001] {
        let late = listing(&add(0, "10.0.0.1", more));
        service.post(&late).await.is(422, "clock");
    }
    assert!(service.hosts().await.is_empty());
    assert_eq!(service.post(&good).await.body, "true");
}

#[tokio::test]
async fn refusals_of_the_framework_are_problems_too() {
    let service = Running::start().await;
    let text = "Content-Type: text/plain\r\n";
    let all = "{\"command\":\"get_all\"}";
    let answer = service.send("POST /", text, all).await;
    answer.is(415, "unsupported-media-type");
    service.get("/nothing").await.is(404, "not-found");
    service
        .send("PUT /nothing", "", "")
        .await
        .is(404, "not-found");
    let answer = service.send("DELETE /", "", "").await;
    answer.is(405, "method-not-allowed");
    let allow = answer.head.lines().find(|line| line.starts_with("allow: "));
    assert!(
        allow.is_some_and(|line| line.contains("POST")),
        "{}",
        answer.head
    );
    // Room for the largest body, not for one byte more, announced or not.
    let blank = |more: usize| all.to_owned() + &" ".repeat(65_536 - all.len() + more);
    assert_eq!(service.send("POST /", "", &blank(0)).await.status, 200);
    let head = "POST / HTTP/1.1\r\nHost: x\r\n";
    let announced = format!("{head}Content-Length: 65537\r\n\r\n");
    let answer = service.raw("127.0.0.1", announced.as_bytes()).await;
    answer.is(413, "body-too-large");
    let chunk = blank(1);
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n10001\r\n{chunk}");
    let answer = service.raw("127.0.0.1", chunked.as_bytes()).await;
    answer.is(413, "body-too-large");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_too_large() {
    let service = Running::start().await;
    let head = "POST / HTTP/1.1\r\nHost: x\r\n";
    for rest in [
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}",
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{}0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\n{",
        "Content-Length: 5\r\n\r\n{",
    ] {
        let mut stream = TcpStream::connect(service.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(rest.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        Running::answer(&mut stream).await.is(400, "bad-json");
    }
}

#[tokio::test]
async fn pages_for_people_and_for_monitoring() {
    let service = Running::start().await;
    let record = add(0, "node.example.org", 0);
    service.post(&listing(&record)).await;
    service.post(&json!({"command": "get_all"})).await;
    service.post(&json!({})).await;

    let page = service.get("/").await;
    assert_eq!(page.status, 200);
    for word in ["text/html", "default-src 'none'", "nosniff", "no-store"] {
        assert!(page.head.contains(word), "no {word} in {}", page.head);
    }
    for word in [&record.id.to_string(), "node.example.org:4001", "…09090909"] {
        assert!(page.body.contains(word), "no {word} in {}", page.body);
    }
    let members = service.get("/members").await.json();
    let whole = json!([{"id": record.id, "ip": "node.example.org", "port": 4001,
        "network_id": 7, "genesis_id": GENESIS, "since": NOW, "seen": NOW, "proven": null}]);
    assert_eq!(members, whole);
    assert_eq!(service.get("/healthz").await.body, "ok\n");

    let metrics = service.get("/metrics").await;
    assert!(
        metrics.head.contains("text/plain; version=0.0.4"),
        "{}",
        metrics.head
    );
    for (name, kind, value) in [
        ("records", "gauge", 1),
        ("entries", "gauge", 1),
        ("entries_limit", "gauge", 10_000),
        ("added_total", "counter", 1),
        ("removed_total", "counter", 0),
        ("lists_total", "counter", 1),
        ("refused_total", "counter", 1),
        ("failed_writes_total", "counter", 0),
    ] {
        let name = format!("ccoin_discovery_{name}");
        let lines = format!("# TYPE {name} {kind}\n{name} {value}\n");
        assert!(
            metrics.body.contains(&lines),
            "no {lines} in {}",
            metrics.body
        );
        assert!(metrics.body.contains(&format!("# HELP {name} ")), "{name}");
    }
    service.post(&removal(&remove(0, 1))).await;
    let metrics = service.get("/metrics").await.body;
    for line in ["records 0\n", "entries 1\n", "removed_total 1\n"] {
        let line = format!("\nccoin_discovery_{line}");
        assert!(metrics.contains(&line), "no {line} in {metrics}");
    }
}

#[tokio::test]
async fn a_connection_carries_one_request() {
    let service = Running::start().await;
    let twice = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2);
    let answer = service.raw("127.0.0.1", twice.as_bytes()).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
}

/// serde's own words and the names of our types are not for users.
#[tokio::test]
async fn errors_about_json_are_in_plain_words() {
    let service = Running::start().await;
    for (body, detail) in [
        ("", "the body is empty"),
        (
            "{\"command\":",
            "the JSON ends too early, at line 1, column 11",
        ),
        ("{}", "the field command is missing"),
        (
            "{\"command\":\"add\",\"peer\":5}",
            "peer: a JSON object is needed",
        ),
        (
            "{\"command\":\"get_all\",\"network_id\":-1}",
            "network_id: a whole number up to 4294967295 is needed",
        ),
    ] {
        let answer = service.send("POST /", "", body).await;
        assert_eq!(answer.json()["detail"], detail, "{body}");
    }
}

/// Time is virtual here: it passes as soon as every task waits.
#[tokio::test(start_paused = true)]
async fn a_slow_request_ends_within_15_s() {
    let service = Running::start().await;
    let since = Instant::now();
    let mut stream = TcpStream::connect(service.address).await.unwrap();
    tokio::time::sleep(Duration::from_millis(4_900)).await;
    let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    Running::answer(&mut stream).await.is(400, "bad-json");
    assert!(since.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn a_stop_waits_for_no_idle_connection() {
    let service = Running::start().await;
    let mut idle = TcpStream::connect(service.address).await.unwrap();
    // Accepted after the idle one, so that one is open by now.
    assert_eq!(service.get("/healthz").await.status, 200);
    service.stop.cancel();
    assert_eq!(idle.read(&mut [0]).await.unwrap(), 0);
    service.serving.await.unwrap();
    assert!(TcpStream::connect(service.address).await.is_err());
}
