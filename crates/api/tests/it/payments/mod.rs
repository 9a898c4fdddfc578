//! The wallet path: who is let in, which bodies are payments, and what a refusal costs.

mod bodies;
mod kept;
mod permission;

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
