//! Who may spend.

use super::*;

/// In the toy anyone who reached the HTTP port spent the node's coins.
#[tokio::test]
async fn only_the_holder_of_the_token_spends_the_nodes_coins() {
    let node = TestNode::start(&QUEUEING);
    let token = node.token.clone();
    assert_eq!(token.len(), 64, "256 bits");
    let cases = [
        ("", 401),
        ("Bearer", 401),
        ("Bearer ", 401),
        (&format!("Bearer {}", "0".repeat(64)), 401),
        (&format!("Bearer {}", &token[1..]), 401),
        (&format!("Bearer {token}0"), 401),
        (&format!("Bearer {token} {token}"), 401),
        (&format!("Bearer {}", token.to_uppercase()), 401),
        (&format!("Basic {token}"), 401),
        (&token, 401),
        (&format!("Bearer {token}"), 200),
        // The name of the scheme has no case.
        (&format!("bearer {token}"), 200),
    ];
    for (value, expected) in cases {
        assert_eq!(
            status(&node, &[(header::AUTHORIZATION, value)]).await,
            expected,
            "{value}"
        );
    }
    let queue = node.get("/v1/queue").await.ok();
    assert_eq!(queue["txns"], 2, "only the last two were signed");
    assert_eq!(queue["items"][0]["number"], 1);
}

#[tokio::test]
async fn a_401_tells_a_missing_header_from_a_wrong_token() {
    let node = TestNode::start(&QUEUEING);
    for (value, detail) in [
        ("", "the Authorization header is missing"),
        ("Bearer", "the token is not this node's"),
        ("bearer 00", "the token is not this node's"),
        (
            "Basic 00",
            "the scheme of the Authorization header is not Bearer",
        ),
    ] {
        let mut request = node.payment().body(Body::from(good())).expect("valid");
        request.headers_mut().remove(header::AUTHORIZATION);
        if !value.is_empty() {
            let value = value.parse().expect("a header value");
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        let answer = node.send(request).await;
        answer.is(401, "token-required");
        assert_eq!(answer.json()["detail"], detail, "{value}");
    }
}

#[tokio::test]
async fn pages_and_hosts_of_others_may_not_spend() {
    let node = TestNode::start(&QUEUEING);
    for (host, expected) in [
        ("127.0.0.1", 200),
        ("127.0.0.1:4002", 200),
        ("192.168.1.7:80", 200),
        ("[::1]:4002", 200),
        ("[::1]", 200),
        ("[2001:db8::7]:1", 200),
        ("localhost", 200),
        ("localhost:4002", 200),
        ("LocalHost:4002", 200),
        ("node.example", 200),
        ("node.example:4002", 200),
        ("other.example:81", 200),
        ("other.example:82", 403),
        ("other.example", 403),
        ("evil.com", 403),
        ("evil.com:4002", 403),
        ("127.0.0.1.evil.com", 403),
        ("localhost.evil.com", 403),
        ("evil.com:127.0.0.1", 403),
        ("xnode.example", 403),
        ("localhost@evil.com", 403),
        ("", 403),
    ] {
        assert_eq!(
            status(&node, &[(header::HOST, host)]).await,
            expected,
            "Host: {host}"
        );
    }
    for (origin, expected) in [
        ("", 200),
        ("http://127.0.0.1:4002", 200),
        ("https://wallet.example", 200),
        ("https://127.0.0.1:4002", 403),
        ("http://127.0.0.1", 403),
        ("http://127.0.0.1:4003", 403),
        ("http://localhost:4002", 403),
        ("http://wallet.example", 403),
        ("https://wallet.example.evil.com", 403),
        ("https://evil.com", 403),
        ("127.0.0.1:4002", 403),
        // It stands in http.allow_origin of this node, and is refused all the same.
        ("null", 403),
    ] {
        assert_eq!(
            status(&node, &[(header::ORIGIN, origin)]).await,
            expected,
            "Origin: {origin}"
        );
    }
}

#[tokio::test]
async fn the_token_is_judged_first_then_type_host_and_origin() {
    let node = TestNode::start(&QUEUEING);
    let (no_token, evil) = ((header::AUTHORIZATION, ""), (header::HOST, "evil.com"));
    let (text, page) = (
        (header::CONTENT_TYPE, "text/plain"),
        (header::ORIGIN, "http://evil.com"),
    );
    assert_eq!(
        status(&node, &[no_token, text.clone(), evil.clone(), page.clone()]).await,
        401
    );
    assert_eq!(
        status(&node, &[text, evil.clone(), page.clone()]).await,
        415
    );
    assert_eq!(status(&node, &[evil, page]).await, 403);
    for (kind, expected) in [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("", 415),
        ("application/json-patch+json", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data", 415),
        ("text/plain; application/json", 415),
    ] {
        let changes = [(header::CONTENT_TYPE, kind)];
        assert_eq!(
            status(&node, &changes).await,
            expected,
            "Content-Type: {kind}"
        );
    }
}
