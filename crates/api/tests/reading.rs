//! Blocks, accounts, status, and the form of every error.

mod fixture;

use axum::{body::Body, http::Request};
use fixture::{BALANCE, TestNode, body};
use serde_json::json;

/// Makes blocks 2 to `last`, one transfer of one coin in each.
async fn grow(node: &TestNode, last: u64) {
    for number in 1..last {
        let answer = node
            .post(
                "/v1/txns?wait=included",
                body(&node.transfer(number, 1, "")).to_string(),
            )
            .await;
        assert_eq!(answer.status, 200, "{}", answer.json());
    }
}

/// In the toy `blk-1` was a key prefix of `blk-10`: block 1 showed later accounts.
#[tokio::test(flavor = "multi_thread")]
async fn blk_1_is_a_key_prefix_of_blk_10_so_block_1_shows_later_accounts() {
    let node = TestNode::start(1);
    grow(&node, 11).await;
    let own = node.address;
    assert_eq!(node.get(&format!("/{own}/blk/cnt")).await.body, b"11");
    let receiver = "09".repeat(20);
    for number in 1..=11u64 {
        let block = node.get(&format!("/{own}/blk/{number}")).await.json();
        let state = block["state"].as_object().unwrap();
        let received = state
            .get(&receiver)
            .map_or(0, |account| account["balance"].as_u64().unwrap());
        assert_eq!(received, number - 1);
        assert_eq!(
            state[&own.to_string()]["balance"],
            BALANCE + 100 * (number - 1)
        );
        assert_eq!(
            block["body"].as_array().unwrap().len() as u64,
            u64::from(number > 1)
        );
        assert_eq!(block["final"], number == 1);
        let account = node
            .get(&format!("/v1/accounts/{receiver}?block={number}"))
            .await
            .json();
        assert_eq!(
            (&account["balance"], &account["block_number"]),
            (&json!(received), &json!(number))
        );
        let page = node
            .get(&format!("/v1/blocks/{number}/state?limit=1"))
            .await
            .json();
        assert_eq!(page["items"][0]["address"], *state.keys().next().unwrap());
    }
    let txn = &node.get(&format!("/{own}/blk/2")).await.json()["body"][0];
    let mut fields: Vec<_> = txn.as_object().unwrap().keys().cloned().collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "amount",
            "data",
            "from",
            "id",
            "number",
            "public_key",
            "signature",
            "time",
            "to"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_walked_without_holes() {
    let node = TestNode::start(1);
    grow(&node, 8).await;
    let (mut seen, mut path) = (Vec::new(), "/v1/blocks?limit=3".to_owned());
    loop {
        let page = node.get(&path).await.json();
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|block| block["number"].as_u64().unwrap()),
        );
        assert!(page["items"][0].get("body").is_none());
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/v1/blocks?limit=3&before={next}");
    }
    assert_eq!(seen, [8, 7, 6, 5, 4, 3, 2, 1]);
    let head = node.get("/v1/blocks/head?body=ids").await;
    assert_eq!(head.headers["cache-control"], "no-store");
    assert_eq!(head.json()["body"].as_array().unwrap().len(), 1);
    let by_id = node
        .get(&format!(
            "/v1/blocks/{}",
            head.json()["id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(by_id.json()["number"], 8);
    let first = node.get("/v1/blocks/1").await;
    assert!(
        first.headers["cache-control"]
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    let request =
        Request::get("/v1/blocks/1").header("if-none-match", first.headers["etag"].clone());
    assert_eq!(
        node.send(request.body(Body::empty()).unwrap()).await.status,
        304
    );
    let status = node.get("/v1/status").await.json();
    assert_eq!(
        (
            &status["height"],
            &status["final"]["number"],
            &status["ready"]
        ),
        (&json!(8), &json!(1), &json!(true))
    );
}

/// In the toy errors were HTML with status 500, or `200 null`.
#[tokio::test(flavor = "multi_thread")]
async fn errors_as_html_500_or_200_null() {
    let node = TestNode::start(1);
    let own = node.address;
    for (path, status, code) in [
        ("/nope".to_owned(), 404, "not-found"),
        ("/v1/nope".into(), 404, "not-found"),
        (format!("/{own}/blk/0"), 404, "block-not-found"),
        (format!("/{own}/blk/2"), 404, "block-not-found"),
        (format!("/{own}/blk/latest"), 404, "block-not-found"),
        (format!("/{own}/blk/-1"), 404, "block-not-found"),
        (
            format!("/{own}/blk/18446744073709551616"),
            404,
            "block-not-found",
        ),
        (
            format!("/{own}/txn/{}", "0".repeat(64)),
            404,
            "txn-not-found",
        ),
        (format!("/{own}/txn/x"), 404, "txn-not-found"),
        ("/v1/blocks/99".into(), 404, "block-not-found"),
        (
            format!("/v1/blocks/{}", "0".repeat(64)),
            404,
            "block-not-found",
        ),
        ("/v1/blocks?limit=0".into(), 400, "bad-field"),
        ("/v1/blocks?limit=101".into(), 400, "bad-field"),
        ("/v1/blocks?limit=x".into(), 400, "bad-field"),
        ("/v1/blocks?colour=red".into(), 400, "bad-field"),
        ("/v1/accounts/abc".into(), 400, "bad-address"),
        (
            format!("/v1/accounts/{own}?block=9"),
            404,
            "block-not-found",
        ),
        ("/v1/txns".into(), 405, "method-not-allowed"),
        ("/v1/blocks/%ff".into(), 400, "bad-field"),
        ("/..%2f..%2fetc%2fpasswd".into(), 404, "not-found"),
    ] {
        let answer = node.get(&path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (status, code),
            "{path}"
        );
        assert_eq!(answer.kind(), "application/problem+json", "{path}");
        let problem = answer.json();
        for field in ["type", "title", "status", "detail", "code"] {
            assert!(problem.get(field).is_some(), "{path} lacks {field}");
        }
        assert_eq!(
            answer.headers.contains_key("allow"),
            status == 405,
            "{path}"
        );
    }
    let unknown = node.get(&format!("/v1/accounts/{}", "ab".repeat(20))).await;
    assert_eq!(
        (unknown.status.as_u16(), &unknown.json()["next_number"]),
        (200, &json!(1))
    );
    assert_eq!(unknown.headers["access-control-allow-origin"], "*");
    let posted = node.post("/v1/txns", "{}").await;
    assert!(!posted.headers.contains_key("access-control-allow-origin"));
}
