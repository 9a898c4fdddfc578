//! Signed transactions over HTTP: one, many, again, waited for, only asked about.

mod arrays;
mod checks;
mod single;
mod waiting;

use crate::fixtures::{Answer, COINS, MINING, Network, QUEUEING, Signed, TestNode, key, numbered};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn sender(node: &TestNode) -> impl Fn(u64) -> Signed + use<> {
    let genesis = node.handle().genesis().id;
    move |number| Signed::new(genesis, 1, number)
}

async fn submit(node: &TestNode, body: impl ToString) -> Answer {
    node.post("/v1/txns", body.to_string()).await
}
