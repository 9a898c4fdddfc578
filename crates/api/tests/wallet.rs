//! The wallet path: who may spend the node's coins, and what is refused.

mod fixture;

use axum::{
    body::Body,
    http::{HeaderName, Request, StatusCode, header},
};
use ccoin_crypto::SecretKey;
use fixture::{BALANCE, TOKEN, TestNode};
use serde_json::json;

const TO: &str = "0909090909090909090909090909090909090909";

/// In the toy anyone who reached the HTTP port spent the node's coins.
#[tokio::test(flavor = "multi_thread")]
async fn anyone_who_reaches_the_http_port_spends_the_nodes_coins() {
    let node = TestNode::start(1);
    let bearer = format!("Bearer {TOKEN}");
    let good: Vec<(HeaderName, &str)> = vec![
        (header::AUTHORIZATION, &bearer),
        (header::CONTENT_TYPE, "application/json"),
        (header::HOST, "127.0.0.1:4002"),
    ];
    let cases: &[(&[(HeaderName, &str)], u16)] = &[
        (&[], 200),
        (&[(header::AUTHORIZATION, "")], 401),
        (&[(header::AUTHORIZATION, "Bearer ")], 401),
        (
            &[(header::AUTHORIZATION, "Bearer the token of this tesT")],
            401,
        ),
        (&[(header::AUTHORIZATION, "Basic dTpw")], 401),
        // The order of the refusals: token, content type, Host, Origin.
        (
            &[
                (header::AUTHORIZATION, ""),
                (header::CONTENT_TYPE, "text/plain"),
                (header::HOST, "evil.example"),
            ],
            401,
        ),
        (
            &[
                (header::CONTENT_TYPE, "text/plain"),
                (header::HOST, "evil.example"),
            ],
            415,
        ),
        (
            &[(header::CONTENT_TYPE, "application/json; charset=utf-8")],
            200,
        ),
        (&[(header::HOST, "evil.example")], 403),
        (&[(header::HOST, "127.0.0.1.evil.example:4002")], 403),
        (&[(header::HOST, "localhost:4002")], 200),
        (&[(header::HOST, "[::1]:4002")], 200),
        (&[(header::HOST, "ledger.example")], 200),
        (&[(header::ORIGIN, "http://127.0.0.1:4002")], 200),
        (&[(header::ORIGIN, "https://127.0.0.1:4002")], 403),
        (&[(header::ORIGIN, "http://127.0.0.1:4003")], 403),
        (&[(header::ORIGIN, "https://shop.example")], 200),
        (&[(header::ORIGIN, "null")], 403),
        (&[(header::ORIGIN, "https://evil.example")], 403),
    ];
    let mut spent = 0;
    for (changes, expected) in cases {
        let mut headers = good.clone();
        for (name, value) in *changes {
            headers.retain(|(kept, _)| kept != name);
            if !value.is_empty() {
                headers.push((name.clone(), value));
            }
        }
        let mut request = Request::post(format!("/{}/txn", node.address));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let body = json!({"sendto_address": TO, "amount": 1}).to_string();
        let answer = node.send(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.status.as_u16(), *expected, "{changes:?}");
        spent += u64::from(answer.status == StatusCode::OK);
    }
    let account = node
        .get(&format!("/v1/accounts/{}", node.address))
        .await
        .json();
    assert_eq!(
        account["next_number"],
        spent + 1,
        "a refused request uses up no number"
    );
}

/// In the toy negative, fractional and string amounts were accepted, and one
/// request with `"amount": "5"` stopped mining for good.
#[tokio::test(flavor = "multi_thread")]
async fn negative_fractional_and_string_amounts_are_accepted() {
    let node = TestNode::start(1);
    for (amount, code) in [
        ("\"5\"", "bad-field"),
        ("null", "bad-field"),
        ("[]", "bad-field"),
        ("{}", "bad-field"),
        ("true", "bad-field"),
        ("-1", "amount-range"),
        ("-0", "amount-range"),
        ("1.5", "amount-range"),
        ("1.0", "amount-range"),
        ("1e3", "amount-range"),
        ("9007199254740992", "amount-range"),
        ("18446744073709551616", "amount-range"),
        ("05", "bad-json"),
        ("NaN", "bad-json"),
    ] {
        let answer = node
            .pay(format!(
                r#"{{"sendto_address": "{TO}", "amount": {amount}}}"#
            ))
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (400, code),
            "{amount}"
        );
    }
    for (body, code) in [
        (
            format!(r#"{{"sendto_address": "{TO}", "amount": 1, "amount": 2}}"#),
            "bad-json",
        ),
        (
            format!(r#"{{"sendto_address": "{TO}", "amount": 1, "fee": 2}}"#),
            "bad-field",
        ),
        (format!(r#"{{"sendto_address": "{TO}"}}"#), "bad-field"),
        (
            r#"{"sendto_address": "FF09090909090909090909090909090909090909", "amount": 1}"#.into(),
            "bad-address",
        ),
        (
            r#"{"sendto_address": "xyz", "amount": 1}"#.into(),
            "bad-address",
        ),
        ("[".repeat(200), "bad-field"),
        (format!(r#"["{TO}", 5, "data"]"#), "bad-field"),
        (
            format!(
                r#"{{"sendto_address": "{TO}", "amount": {}"#,
                "[".repeat(200)
            ),
            "bad-json",
        ),
        (String::new(), "bad-json"),
    ] {
        let answer = node.pay(body.clone()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (400, code),
            "{body}"
        );
    }
    let long = json!({"sendto_address": TO, "amount": 0, "data": "x".repeat(1001)}).to_string();
    assert_eq!(node.pay(long).await.code(), "data-too-large");
    let much = json!({"sendto_address": TO, "amount": BALANCE + 1}).to_string();
    let answer = node.pay(much).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (422, "insufficient-funds")
    );
    // Mining goes on: a good payment is number 1 and gets into a block.
    let paid = node
        .pay(json!({"sendto_address": TO, "amount": 0}).to_string())
        .await
        .json();
    assert_eq!(paid["number"], 1);
    let mut view = node.running.handle().watch();
    view.wait_for(|view| view.height().get() == 2)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_may_be_named_by_its_key() {
    let node = TestNode::start(1);
    let key = SecretKey::generate(2048).unwrap().public_key().clone();
    let (pem, base64) = (key.to_pem(), serde_json::to_value(&key).unwrap());
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    for text in [
        json!(pem),
        base64,
        json!(hex(key.as_der())),
        json!(hex(pem.as_bytes())),
    ] {
        let answer = node
            .pay(json!({"sendto_address": text, "amount": 1}).to_string())
            .await;
        assert_eq!(answer.json()["to"], key.address().to_string(), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_at_the_same_time_get_numbers_without_gaps() {
    let node = TestNode::start(1);
    let pay = || node.pay(json!({"sendto_address": TO, "amount": 1}).to_string());
    let answers = tokio::join!(pay(), pay(), pay(), pay(), pay());
    let mut numbers: Vec<_> = [answers.0, answers.1, answers.2, answers.3, answers.4]
        .map(|answer| answer.json()["number"].as_u64().unwrap())
        .to_vec();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}
