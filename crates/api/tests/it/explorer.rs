//! The page at `/`: which files there are, and what keeps it to itself. What it does is
//! tested in a browser, see `tests/browser/`.

use crate::fixtures::{QUEUEING, TestNode, numbered, request};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::Method,
};
use ccoin_api::{NoChain, no_chain_router};
use std::collections::BTreeSet;
use tower::ServiceExt as _;

/// Media type and content of a file, whose policy is checked.
async fn file(router: &Router, path: &str) -> (String, String) {
    let request = request(Method::GET, path, Body::empty());
    let response = router.clone().oneshot(request).await.expect("infallible");
    assert_eq!(response.status(), 200, "{path}");
    let header = |name| response.headers()[name].to_str().expect("ASCII").to_owned();
    let policy = header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    for word in ["unsafe", "http", "*", "data:"] {
        assert!(!policy.contains(word), "{policy}");
    }
    assert_eq!(header("x-content-type-options"), "nosniff");
    let kind = header("content-type");
    let body = to_bytes(response.into_body(), 1 << 20).await;
    let body = body.expect("a whole body").to_vec();
    (kind, String::from_utf8(body).expect("UTF-8"))
}

/// Paths of the page's own files that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let parts = text
        .split('"')
        .filter(|part| part.starts_with("/explorer/"));
    parts.map(str::to_owned).collect()
}

#[tokio::test]
async fn the_page_is_whole_and_names_no_other_origin() {
    let node = TestNode::start(&QUEUEING);
    let alone = no_chain_router(NoChain {
        address: numbered(1),
        node_type: "basic",
        peers: tokio::sync::watch::channel(0).1,
    });
    for router in [&node.router, &alone] {
        let (mut open, mut seen) = (BTreeSet::new(), BTreeSet::new());
        for page in ["/", "/docs"] {
            let (kind, page) = file(router, page).await;
            assert_eq!(kind, "text/html; charset=utf-8");
            open.extend(named(&page));
        }
        while let Some(path) = open.pop_first() {
            let (kind, text) = file(router, &path).await;
            let expected = match path.rsplit_once('.').expect("an ending").1 {
                "js" => "text/javascript; charset=utf-8",
                "css" => "text/css; charset=utf-8",
                _ => "image/svg+xml",
            };
            assert_eq!(kind, expected, "{path}");
            let foreign = text.replace("http://www.w3.org/2000/svg", "");
            for word in [
                "//www",
                "http:",
                "https:",
                "innerHTML",
                "insertAdjacent",
                "eval(",
            ] {
                assert!(!foreign.contains(word), "{word} in {path}");
            }
            open.extend(named(&text).difference(&seen).cloned());
            seen.insert(path);
        }
        assert_eq!(seen.len(), 11, "{seen:?}");
    }
}

#[tokio::test]
async fn only_the_files_of_the_page_are_served() {
    let node = TestNode::start(&QUEUEING);
    for path in [
        "/explorer",
        "/explorer/",
        "/explorer/index.html",
        "/explorer/../Cargo.toml",
        "/explorer/%2e%2e/Cargo.toml",
    ] {
        node.get(path).await.is(404, "not-found");
    }
    let posted = node.post("/", "{}").await;
    posted.is(405, "method-not-allowed");
}
