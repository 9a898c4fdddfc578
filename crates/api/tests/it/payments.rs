//! The wallet path: who is let in, which bodies are payments, and what a refusal costs.

use crate::fixtures::{COINS, MINING, QUEUEING, TestNode, key, numbered, payment::pem_forms};
use axum::{
    body::Body,
    http::{HeaderName, header},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

fn body(to: &str, amount: &str) -> String {
    format!(r#"{{"sendto_address": "{to}", "amount": {amount}}}"#)
}

fn good() -> String {
    body(&numbered(9).to_string(), "1")
}

/// Headers that replace the good ones; an empty value removes one.
type Changes<'a> = &'a [(HeaderName, &'a str)];

async fn status(node: &TestNode, changes: Changes<'_>) -> u16 {
    let mut request = node
        .payment()
        .body(Body::from(good()))
        .expect("valid headers");
    for (name, value) in changes {
        request.headers_mut().remove(name);
        if !value.is_empty() {
            let value = value.parse().expect("a header value");
            request.headers_mut().insert(name, value);
        }
    }
    let answer = node.send(request).await;
    match answer.status {
        401 => answer.is(401, "token-required"),
        403 => answer.is(403, "forbidden-origin"),
        415 => answer.is(415, "unsupported-media-type"),
        _ => {}
    }
    answer.status
}

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

/// In the toy negative, fractional and string amounts were accepted, and one request
/// with `"amount": "5"` stopped mining for good.
#[tokio::test]
async fn an_amount_that_is_no_whole_number_is_refused_and_mining_goes_on() {
    let node = TestNode::start(&MINING);
    let to = numbered(9).to_string();
    for (amount, code) in [
        (r#""5""#, "bad-field"),
        (r#""""#, "bad-field"),
        ("null", "bad-field"),
        ("[]", "bad-field"),
        ("[5]", "bad-field"),
        ("{}", "bad-field"),
        ("true", "bad-field"),
        ("-1", "amount-range"),
        ("-9007199254740993", "amount-range"),
        ("-0", "amount-range"),
        ("1.5", "amount-range"),
        ("5.0", "amount-range"),
        ("1e3", "amount-range"),
        ("1E0", "amount-range"),
        ("9007199254740992", "amount-range"),
        ("18446744073709551615", "amount-range"),
        ("18446744073709551616", "amount-range"),
        (
            "99999999999999999999999999999999999999999999",
            "amount-range",
        ),
        ("NaN", "bad-json"),
        ("Infinity", "bad-json"),
        ("05", "bad-json"),
        ("+5", "bad-json"),
        ("0x5", "bad-json"),
        ("", "bad-json"),
    ] {
        node.pay(body(&to, amount)).await.is(400, code);
    }
    let height = node.get(&node.own("/blk/cnt")).await.body;
    assert_eq!(height, "1", "nothing of this is in a block");
    // Nothing of it used up a number, and blocks are still made.
    let paid = node.pay(body(&to, "0")).await.ok();
    assert_eq!(paid["number"], 1);
    node.until(&node.own("/blk/cnt"), |answer| answer.body == "2")
        .await;
}

#[tokio::test]
async fn a_body_that_is_not_one_payment_is_refused() {
    let node = TestNode::start(&QUEUEING);
    let to = numbered(9);
    let deep = "[".repeat(100_000);
    for (body, code) in [
        (String::new(), "bad-json"),
        ("null".into(), "bad-field"),
        ("5".into(), "bad-field"),
        (format!(r#"["{to}", 5, "text"]"#), "bad-field"),
        (format!(r#"[{}]"#, good()), "bad-field"),
        (format!("{}{}", good(), good()), "bad-json"),
        (format!("{} x", good()), "bad-json"),
        (format!("\u{feff}{}", good()), "bad-json"),
        (deep.clone(), "bad-json"),
        (body(&to.to_string(), &deep), "bad-json"),
        (
            body(&to.to_string(), &format!("{deep}{}", "]".repeat(100_000))),
            "bad-field",
        ),
        (
            format!(r#"{{"sendto_address": "{to}", "amount": 1, "amount": 1}}"#),
            "bad-json",
        ),
        (
            format!(r#"{{"sendto_address": "{to}", "sendto_address": "{to}", "amount": 1}}"#),
            "bad-json",
        ),
        (
            format!(r#"{{"sendto_address": "{to}", "amount": 1, "data": "a", "data": "b"}}"#),
            "bad-json",
        ),
        (
            format!(r#"{{"sendto_address": "{to}", "amount": 1, "Data": "a"}}"#),
            "bad-field",
        ),
        (
            format!(r#"{{"sendto_address": "{to}", "amount": 1, "fee": 1}}"#),
            "bad-field",
        ),
        (
            format!(r#"{{"sendto_address": "{to}", "amount": 1, "data": 5}}"#),
            "bad-field",
        ),
        (format!(r#"{{"sendto_address": "{to}"}}"#), "bad-field"),
        (r#"{"amount": 1}"#.into(), "bad-field"),
        (
            r#"{"sendto_address": null, "amount": 1}"#.into(),
            "bad-field",
        ),
        (r#"{"sendto_address": 5, "amount": 1}"#.into(), "bad-field"),
        (
            r#"{"sendto_address": "\ud800", "amount": 1}"#.into(),
            "bad-json",
        ),
    ] {
        let answer = node.pay(&body).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, code),
            "{body:.80} {answer}"
        );
    }
    let mut raw = good().into_bytes();
    raw[20] = 0xff;
    let answer = node
        .send(node.payment().body(Body::from(raw)).expect("valid headers"))
        .await;
    answer.is(400, "bad-json");
    node.pay(" ".repeat((1 << 20) + 1))
        .await
        .is(413, "body-too-large");
    assert_eq!(node.get("/v1/queue").await.ok()["txns"], 0);
}

#[tokio::test]
async fn a_recipient_is_an_address_or_a_key_in_any_form() {
    let node = TestNode::start(&QUEUEING);
    let address = key(1).public_key().address().to_string();
    let mut forms = pem_forms(1);
    forms.push(address.clone());
    for text in forms {
        let payment = json!({"sendto_address": text, "amount": 1});
        assert_eq!(node.pay(payment).await.ok()["to"], json!(address), "{text}");
    }
    let pem = key(1).public_key().to_pem();
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let der = key(1).public_key().as_der();
    for text in [
        String::new(),
        "x".into(),
        address[1..].into(),
        format!("{address}0"),
        format!(" {address}"),
        format!("0x{address}"),
        address.to_uppercase(),
        "g".repeat(40),
        "é".repeat(20),
        pem.replace("PUBLIC KEY", "RSA PUBLIC KEY"),
        pem.replace('M', "N"),
        pem[..pem.len() / 2].into(),
        hex(&der[1..]),
        hex(&[der, &[0]].concat()),
        key(1).to_pem(None).to_string(),
        "A".repeat(4_097),
        "A".repeat(1_000_000),
    ] {
        let answer = node.pay(json!({"sendto_address": text, "amount": 1})).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "bad-address"),
            "{text:.60}"
        );
        assert!(
            answer.body.len() < 2_000,
            "it does not repeat what it was sent"
        );
    }
}

#[tokio::test]
async fn data_is_limited_and_a_refused_payment_burns_no_number() {
    let node = TestNode::start(&QUEUEING);
    let to = numbered(9);
    let with =
        |amount: u64, data: Value| json!({"sendto_address": to, "amount": amount, "data": data});
    node.pay(with(1, "x".repeat(4_097).into()))
        .await
        .is(413, "data-too-large");
    node.pay(with(1, "é".repeat(2_049).into()))
        .await
        .is(413, "data-too-large");
    node.pay(with(COINS + 1, "".into()))
        .await
        .is(422, "insufficient-funds");
    let paid = node
        .pay(with(COINS - 5, "é".repeat(2_048).into()))
        .await
        .ok();
    assert_eq!(
        (&paid["number"], &paid["data"]),
        (&json!(1), &json!("é".repeat(2_048)))
    );
    // What waits is spent already.
    node.pay(with(6, "".into()))
        .await
        .is(422, "insufficient-funds");
    assert_eq!(node.pay(with(5, Value::Null)).await.ok()["number"], 2);
    node.pay(with(1, "".into()))
        .await
        .is(422, "insufficient-funds");
    assert_eq!(node.pay(with(0, "".into())).await.ok()["number"], 3);
}

/// In the toy transactions answered 200 with no peer were dropped.
#[tokio::test]
async fn a_payment_answered_200_is_kept_without_peers_and_over_a_restart() {
    let mut node = TestNode::start(&QUEUEING);
    let paid = node.pay(good()).await.ok();
    let fields = [
        "amount",
        "data",
        "from",
        "id",
        "number",
        "public_key",
        "signature",
        "time",
        "to",
    ];
    assert!(
        paid.as_object().expect("an object").keys().eq(fields),
        "{paid}"
    );
    let path = format!("/v1/txns/{}", paid["id"].as_str().expect("hex"));
    assert_eq!(node.get(&path).await.ok()["status"], "pending");
    node.restart();
    let kept = node.get(&path).await.ok();
    assert_eq!(
        (&kept["status"], &kept["signature"]),
        (&json!("pending"), &paid["signature"])
    );
    assert_eq!(node.pay(good()).await.ok()["number"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_payments_get_distinct_numbers_without_gaps() {
    let node = std::sync::Arc::new(TestNode::start(&MINING));
    let mut payments = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let node = std::sync::Arc::clone(&node);
        payments.spawn(async move { node.pay(good()).await.ok()["number"].as_u64() });
    }
    let numbers: BTreeSet<_> = payments.join_all().await.into_iter().flatten().collect();
    assert!(numbers.iter().copied().eq(1..=50), "{numbers:?}");
}

/// A client that hangs up leaves a payment made or not made; no other gets its number.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_does_not_disturb_the_next_payment() {
    let node = TestNode::start(&QUEUEING);
    for step in 0..250 {
        let patience = Duration::from_micros(10 * step);
        let started = Instant::now();
        let mut payment = Box::pin(node.pay(good()));
        while started.elapsed() < patience {
            tokio::select! {
                biased;
                _ = &mut payment => break,
                () = tokio::task::yield_now() => {}
            }
        }
        drop(payment);
        let next = node.pay(good()).await;
        assert_eq!(
            next.status, 200,
            "after a client gave up within {patience:?}: {next}"
        );
    }
}
