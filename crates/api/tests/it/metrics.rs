//! `/metrics`: what is counted, and that labels name no account but miners'.

use crate::fixtures::{MINING, Signed, TestNode, numbered, request};
use axum::{
    body::{Body, to_bytes},
    http::Method,
};
use std::collections::BTreeMap;
use tower::ServiceExt as _;

/// Values by name and labels.
async fn figures(node: &TestNode) -> (String, BTreeMap<String, f64>) {
    let asked = request(Method::GET, "/metrics", Body::empty());
    let response = node.router.clone().oneshot(asked).await;
    let response = response.expect("infallible");
    assert_eq!(response.status(), 200);
    let kind = &response.headers()["content-type"];
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    let body = to_bytes(response.into_body(), 1 << 20)
        .await
        .expect("whole");
    let text = String::from_utf8(body.to_vec()).expect("UTF-8");
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    let rows = rows.map(|row| row.rsplit_once(' ').expect("a value"));
    let rows = rows.map(|(name, value)| (name.to_owned(), value.parse().expect("a number")));
    let rows = rows.collect();
    (text, rows)
}

#[tokio::test]
async fn figures_follow_what_happens() {
    let node = TestNode::start(&MINING);
    let genesis = node.handle().genesis().id;
    for number in 1..=2 {
        node.include(&Signed::new(genesis, 1, number)).await;
    }
    let spoiled = Signed::new(genesis, 1, 2).spoiled("data", "other");
    node.post("/v1/txns", spoiled.to_string())
        .await
        .is(422, "bad-signature");
    node.get(&format!("/v1/accounts/{}", numbered(9)))
        .await
        .ok();
    node.get(&node.own("/blk/cnt")).await.ok();
    node.get("/nothing").await.is(404, "not-found");
    let (text, figures) = figures(&node).await;
    let own = node.address();
    for (name, value) in [
        ("ccoin_height", 3.0),
        ("ccoin_final_height", 3.0),
        ("ccoin_queue_transactions", 0.0),
        ("ccoin_next_block_due_timestamp_seconds", 0.0),
        ("ccoin_ready", 1.0),
        ("ccoin_peers", 0.0),
        (&format!("ccoin_blocks_total{{miner=\"{own}\"}}"), 2.0),
        (&format!("ccoin_leader{{miner=\"{own}\"}}"), 1.0),
        ("ccoin_transactions_total{outcome=\"queued\"}", 2.0),
        ("ccoin_transactions_total{outcome=\"included\"}", 2.0),
        ("ccoin_transactions_total{outcome=\"dropped\"}", 0.0),
        ("ccoin_inclusion_seconds_count", 2.0),
        ("ccoin_finality_seconds_count", 2.0),
        ("ccoin_apply_seconds_count", 2.0),
        ("ccoin_mine_seconds_count", 2.0),
        (
            "ccoin_http_requests_total{route=\"/v1/accounts/{address}\",method=\"GET\",status=\"200\"}",
            1.0,
        ),
        (
            "ccoin_http_requests_total{route=\"/{address}/blk/cnt\",method=\"GET\",status=\"200\"}",
            1.0,
        ),
        (
            "ccoin_http_requests_total{route=\"none\",method=\"GET\",status=\"404\"}",
            1.0,
        ),
        (
            "ccoin_http_requests_total{route=\"/v1/txns\",method=\"POST\",status=\"422\"}",
            1.0,
        ),
    ] {
        assert_eq!(figures.get(name), Some(&value), "{name}\n{text}");
    }
    for name in [
        "ccoin_block_log_bytes",
        "ccoin_head_timestamp_seconds",
        "ccoin_fsync_seconds_count",
        "ccoin_commit_seconds_count",
        "ccoin_verify_seconds_count",
        "process_start_time_seconds",
        "process_cpu_seconds_total",
    ] {
        assert!(
            figures.get(name).is_some_and(|value| *value > 0.0),
            "{name}\n{text}"
        );
    }
    let others = text
        .lines()
        .filter(|line| line.contains(&numbered(9).to_string()));
    assert_eq!(others.count(), 0, "{text}");
}

/// What `promtool check metrics` wants, where it is not at hand.
#[tokio::test]
async fn every_figure_has_help_and_a_type() {
    let node = TestNode::start(&MINING);
    let (text, figures) = figures(&node).await;
    let names = |mark: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(mark));
        lines
            .map(|line| line.split(' ').next().unwrap_or_default().to_owned())
            .collect()
    };
    let (help, kinds) = (names("# HELP "), names("# TYPE "));
    assert_eq!(help, kinds);
    for name in figures.keys() {
        let bare = name.split('{').next().expect("a name");
        let is_told = |told: &String| bare == told || bare.starts_with(&format!("{told}_"));
        assert!(help.iter().any(is_told), "{name}");
    }
}
