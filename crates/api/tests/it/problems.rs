//! Every refusal of every path is a problem document: the manners themselves are
//! asserted by `Answer`, here is what must be refused, and as what.

use crate::fixtures::{Answer, QUEUEING, Signed, TestNode, numbered, request};
use axum::{
    body::Body,
    http::{Method, Request, header},
};
use ccoin_http::Endpoints;
use std::net::{IpAddr, SocketAddr};
use tower::ServiceExt as _;

/// In the toy errors were HTML with status 500, or `200 null`.
#[tokio::test]
async fn every_refused_request_gets_a_problem_with_its_own_status() {
    let node = TestNode::start(&QUEUEING);
    let (own, nobody) = (node.own(""), numbered(77));
    let id = "0".repeat(64);
    for (path, status, code) in [
        ("//".into(), 404, "not-found"),
        ("/favicon.ico".into(), 404, "not-found"),
        ("/v1".into(), 404, "not-found"),
        ("/v2/status".into(), 404, "not-found"),
        ("/v1/nothing".into(), 404, "not-found"),
        ("/v1/status/more".into(), 404, "not-found"),
        (format!("{own}/nothing"), 404, "not-found"),
        (format!("{own}/blk"), 404, "not-found"),
        (format!("{own}/blk/1/more"), 404, "not-found"),
        (format!("/{nobody}"), 404, "not-found"),
        (format!("/{nobody}/blk/1"), 404, "not-found"),
        ("/../../etc/passwd".into(), 404, "not-found"),
        ("/..%2f..%2fetc%2fpasswd".into(), 404, "not-found"),
        (
            "/v1/blocks/..%2f..%2fetc%2fpasswd".into(),
            404,
            "block-not-found",
        ),
        ("/v1/txns/..%2f..%2fapi.token".into(), 404, "txn-not-found"),
        (
            "/v1/accounts/..%2f..%2fapi.token".into(),
            400,
            "bad-address",
        ),
        ("/v1/blocks/%00".into(), 404, "block-not-found"),
        ("/v1/blocks/%ff".into(), 400, "bad-field"),
        ("/v1/txns/%c3%28".into(), 400, "bad-field"),
        (format!("{own}/blk/%ff"), 400, "bad-field"),
        (format!("{own}/txn/%ff"), 400, "bad-field"),
        ("/v1/blocks/0".into(), 404, "block-not-found"),
        ("/v1/blocks/2".into(), 404, "block-not-found"),
        ("/v1/blocks/-1".into(), 404, "block-not-found"),
        ("/v1/blocks/Head".into(), 404, "block-not-found"),
        (format!("/v1/blocks/{id}"), 404, "block-not-found"),
        (
            format!("/v1/blocks/{}", "9".repeat(64)),
            404,
            "block-not-found",
        ),
        (
            format!("/v1/blocks/{}", "g".repeat(64)),
            404,
            "block-not-found",
        ),
        ("/v1/blocks/2/state".into(), 404, "block-not-found"),
        ("/v1/blocks/0/state".into(), 404, "block-not-found"),
        ("/v1/blocks/1/more".into(), 404, "not-found"),
        (format!("/v1/txns/{id}"), 404, "txn-not-found"),
        (format!("/v1/txns/{id}/more"), 404, "not-found"),
        ("/v1/accounts/xyz".into(), 400, "bad-address"),
        (
            format!("/v1/accounts/{nobody}?block=2"),
            404,
            "block-not-found",
        ),
        (
            format!("/v1/accounts/{nobody}?block=0"),
            404,
            "block-not-found",
        ),
        (
            format!("/v1/accounts/{nobody}?block=x"),
            404,
            "block-not-found",
        ),
        (format!("/v1/accounts/{nobody}?at=1"), 400, "bad-field"),
        ("/v1/blocks?limit=0".into(), 400, "bad-field"),
        ("/v1/blocks?limit=101".into(), 400, "bad-field"),
        ("/v1/blocks?limit=-1".into(), 400, "bad-field"),
        (
            "/v1/blocks?limit=18446744073709551616".into(),
            400,
            "bad-field",
        ),
        ("/v1/blocks?limit=".into(), 400, "bad-field"),
        ("/v1/blocks?limit=1&limit=2".into(), 400, "bad-field"),
        ("/v1/blocks?before=x".into(), 400, "bad-field"),
        ("/v1/blocks?after=NaN".into(), 400, "bad-field"),
        ("/v1/blocks?before=%ff".into(), 400, "bad-field"),
        ("/v1/blocks?body=full".into(), 400, "bad-field"),
        ("/v1/blocks?order=up".into(), 400, "bad-field"),
        ("/v1/blocks/1?body=none".into(), 400, "bad-field"),
        ("/v1/blocks/1?x=1".into(), 400, "bad-field"),
        ("/v1/blocks/1/state?limit=0".into(), 400, "bad-field"),
        ("/v1/blocks/1/state?limit=1001".into(), 400, "bad-field"),
        ("/v1/blocks/1/state?after=xyz".into(), 400, "bad-address"),
        ("/v1/queue?limit=101".into(), 400, "bad-field"),
        ("/v1/queue?after=-1".into(), 400, "bad-field"),
    ] {
        let answer = node.get(&path).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{path} {answer}"
        );
        assert!(answer.body.len() < 1_000, "{path} {answer}");
        // HEAD gets the same without a body.
        let head = request(Method::HEAD, &path, Body::empty());
        let head = node.router.clone().oneshot(head).await.expect("infallible");
        assert_eq!(head.status().as_u16(), status, "HEAD {path}");
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_405_with_allow() {
    let node = TestNode::start(&QUEUEING);
    let own = node.own("");
    let (id, address) = ("0".repeat(64), numbered(1));
    for (path, allowed) in [
        (own.clone(), "GET,HEAD"),
        (format!("{own}/blk/cnt"), "GET,HEAD"),
        (format!("{own}/blk/1"), "GET,HEAD"),
        (format!("{own}/txn"), "POST"),
        (format!("{own}/txn/{id}"), "GET,HEAD,POST"),
        ("/v1/status".into(), "GET,HEAD"),
        ("/v1/queue".into(), "GET,HEAD"),
        ("/v1/blocks".into(), "GET,HEAD"),
        ("/v1/blocks/1".into(), "GET,HEAD"),
        ("/v1/blocks/1/state".into(), "GET,HEAD"),
        ("/v1/txns".into(), "POST"),
        (format!("/v1/txns/{id}"), "GET,HEAD"),
        (format!("/v1/accounts/{address}"), "GET,HEAD"),
        ("/healthz".into(), "GET,HEAD"),
        ("/readyz".into(), "GET,HEAD"),
    ] {
        for method in [
            "GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW",
        ] {
            if allowed.split(',').any(|taken| taken == method) {
                continue;
            }
            let method: Method = method.parse().expect("a token");
            let answer = node.send(request(method.clone(), &path, "{}".into())).await;
            answer.is(405, "method-not-allowed");
            assert_eq!(answer.header("allow"), allowed, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn bodies_are_json_in_bounds_everywhere() {
    let node = TestNode::start(&QUEUEING);
    let txn = Signed::new(node.handle().genesis().id, 1, 1);
    let by_id = node.own(&format!("/txn/{}", txn.id()));
    let deep = "[".repeat(100_000);
    assert_eq!(node.post("/v1/txns", txn.to_string()).await.status, 202);
    // The last is the field that is read as it stands, whatever it holds.
    for (path, limit, raw) in [
        ("/v1/txns", 4 << 20, "amount"),
        ("/v1/txns/check", 4 << 20, "amount"),
        (&by_id, 1 << 20, "block_number"),
    ] {
        let untyped = request(Method::POST, path, txn.to_string().into());
        node.send(untyped).await.is(415, "unsupported-media-type");
        node.post(path, " ".repeat(limit + 1))
            .await
            .is(413, "body-too-large");
        node.post(path, " ".repeat(limit)).await.is(400, "bad-json");
        for (body, code) in [
            ("{".to_owned(), "bad-json"),
            ("{}{}".into(), "bad-json"),
            (r#"{"number": NaN}"#.into(), "bad-json"),
            (format!(r#"{{"{raw}": {deep}"#), "bad-json"),
            (r#"{"a\u0000": 1}"#.into(), "bad-field"),
            ("\"{}\"".into(), "bad-field"),
        ] {
            let answer = node.post(path, body.clone()).await;
            let got = (answer.status, answer.code());
            assert!(got == (400, code.to_owned()), "{path} {body:.60} {answer}");
        }
        let mut broken = request(Method::POST, path, Body::from(vec![b'{', 0xff, b'}']));
        broken.headers_mut().insert(
            header::CONTENT_TYPE,
            "application/json".parse().expect("ASCII"),
        );
        node.send(broken).await.is(400, "bad-json");
        let closed = format!(r#"{{"{raw}": {deep}{}}}"#, "]".repeat(deep.len()));
        let answer = node.post(path, closed).await;
        assert!(matches!(answer.status, 400 | 404), "{path} {answer}");
    }
    assert_eq!(node.get("/v1/queue").await.ok()["txns"], 1);
}

#[tokio::test]
async fn good_answers_are_json_and_open_to_readers_alone() {
    let node = TestNode::start(&QUEUEING);
    let txn = Signed::new(node.handle().genesis().id, 1, 1);
    assert_eq!(node.post("/v1/txns", txn.to_string()).await.status, 202);
    for path in node.readable_paths(&txn) {
        let answer = node.get(&path).await;
        answer.ok();
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
        for header in ["credentials", "methods", "headers"] {
            assert_eq!(answer.header(&format!("access-control-allow-{header}")), "");
        }
    }
}

async fn from(node: &TestNode, ip: &str, request: Request<Body>) -> Answer {
    let mut request = request;
    let ip: IpAddr = ip.parse().expect("an address");
    let remote = SocketAddr::new(ip, 9);
    request.extensions_mut().insert(Endpoints {
        remote,
        local: remote,
    });
    node.send(request).await
}

#[tokio::test]
async fn a_flood_of_posts_from_elsewhere_is_429_and_reading_goes_on() {
    let node = TestNode::start(&QUEUEING);
    let post = || request(Method::POST, "/v1/txns", Body::empty());
    let flooder = "203.0.113.7";
    let mut answer = from(&node, flooder, post()).await;
    // More than a second's share, however slow this machine is.
    for _ in 0..100_000 {
        if answer.status == 429 {
            break;
        }
        answer.is(415, "unsupported-media-type");
        answer = from(&node, flooder, post()).await;
    }
    answer.is(429, "rate-limited");
    let other = from(&node, "203.0.113.8", post()).await;
    other.is(415, "unsupported-media-type");
    let reading = request(Method::GET, "/v1/status", Body::empty());
    from(&node, flooder, reading).await.ok();
}

/// serde's own words and the names of our types are not for users.
#[tokio::test]
async fn errors_about_json_and_queries_are_in_plain_words() {
    let node = TestNode::start(&QUEUEING);
    for (body, detail) in [
        ("", "the body is empty"),
        ("{", "the JSON ends too early, at line 1, column 1"),
        ("{}", "the field number is missing"),
        (r#"{"number": "1"}"#, "number: a whole number is needed"),
        (r#"{"fee": 1}"#, "there is no field fee"),
    ] {
        let answer = node.post("/v1/txns", body).await;
        assert_eq!(answer.json()["detail"], detail, "{body}");
    }
    for (query, detail) in [
        ("limit=x", "query: limit: a whole number is needed"),
        ("limit=", "query: limit: a whole number is needed"),
        ("order=up", "query: there is no field order"),
        ("limit=1&limit=2", "query: the field limit is given twice"),
    ] {
        let answer = node.get(&format!("/v1/blocks?{query}")).await;
        assert_eq!(answer.json()["detail"], detail, "{query}");
    }
}

#[tokio::test]
async fn a_node_that_is_stopping_says_503() {
    let mut node = TestNode::start(&QUEUEING);
    let txn = Signed::new(node.handle().genesis().id, 1, 1);
    let payment = node.payment().body(Body::from(format!(
        r#"{{"sendto_address": "{}", "amount": 1}}"#,
        numbered(1)
    )));
    node.get("/readyz").await.ok();
    let router = node.router.clone();
    node.stop();
    node.router = router;
    node.get("/healthz").await.ok();
    node.get("/readyz").await.is(503, "not-ready");
    node.post("/v1/txns", txn.to_string())
        .await
        .is(503, "not-ready");
    node.post("/v1/txns/check", txn.to_string())
        .await
        .is(503, "not-ready");
    node.send(payment.expect("valid headers"))
        .await
        .is(503, "not-ready");
    node.get("/v1/blocks/1/state").await.is(503, "not-ready");
    let items = node.post("/v1/txns", format!("[{txn}]")).await.json();
    assert_eq!(items["items"][0]["problem"]["code"], "not-ready");
    let status = node.get("/v1/status").await.ok();
    assert_eq!(
        (
            &status["ready"],
            status["not_ready"].as_array().map(Vec::len)
        ),
        (&false.into(), Some(1))
    );
}
