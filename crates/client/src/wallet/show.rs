//! The answers of a node for people: status, accounts, blocks, transactions.

use ccoin_home::Failure;
use serde::Deserialize;
use serde_json::Value;

use super::Account;
use crate::{AccountAnswer, Connection, NodeUrl, files::json, runtime};

/// What `status` shows of `GET /v1/status`.
#[derive(Deserialize)]
struct Shown {
    address: String,
    node_type: String,
    version: String,
    network_id: u32,
    genesis_id: String,
    height: u64,
    head: Head,
    #[serde(rename = "final")]
    last_final: Final,
    seconds_since_final: u64,
    state_word: String,
    not_ready: Vec<String>,
    peers: usize,
    queue: Queue,
}

#[derive(Deserialize)]
struct Head {
    time: String,
    coinbase: String,
}

#[derive(Deserialize)]
struct Final {
    number: u64,
}

#[derive(Deserialize)]
struct Queue {
    txns: usize,
}

/// How a node is.
///
/// # Errors
/// [`Failure`] of the request.
pub fn status(url: &NodeUrl, as_json: bool) -> Result<String, Failure> {
    let value = get(url, "/v1/status")?;
    if as_json {
        return Ok(json(&value));
    }
    let Ok(shown) = Shown::deserialize(&value) else {
        // A node without a chain has no head to show.
        return Ok(indented(&value));
    };
    let state = match shown.not_ready.as_slice() {
        [] => shown.state_word,
        reasons => format!("not ready: {}", reasons.join("; ")),
    };
    let txns = if shown.queue.txns == 1 {
        "transaction"
    } else {
        "transactions"
    };
    Ok([
        format!(
            "node     {} {} at {url}, ccoin {}",
            shown.node_type, shown.address, shown.version
        ),
        format!("state    {state}"),
        format!(
            "network  {}, genesis id {}",
            shown.network_id, shown.genesis_id
        ),
        format!(
            "head     block {} of {}, by {}",
            shown.height, shown.head.time, shown.head.coinbase
        ),
        format!(
            "final    block {}, since {} s",
            shown.last_final.number, shown.seconds_since_final
        ),
        format!("queue    {} {txns} waiting", shown.queue.txns),
        format!("peers    {}", shown.peers),
    ]
    .join("\n"))
}

/// Why no block is made, or none becomes final.
///
/// # Errors
/// [`Failure`] of the request.
pub fn why(url: &NodeUrl, as_json: bool) -> Result<String, Failure> {
    let value = get(url, "/v1/why")?;
    let sentence = value["sentence"].as_str().filter(|_| !as_json);
    Ok(sentence.map_or_else(|| json(&value), str::to_owned))
}

/// The coins of an account.
///
/// # Errors
/// [`Failure`] of the request.
pub fn balance(url: &NodeUrl, account: &Account, as_json: bool) -> Result<String, Failure> {
    show_account(url, account, as_json, |answer| answer.balance.get())
}

/// The number of the next transaction of an account.
///
/// # Errors
/// [`Failure`] of the request.
pub fn next_number(url: &NodeUrl, account: &Account, as_json: bool) -> Result<String, Failure> {
    show_account(url, account, as_json, |answer| answer.next_number.get())
}

fn show_account(
    url: &NodeUrl,
    account: &Account,
    as_json: bool,
    shown: impl Fn(AccountAnswer) -> u64,
) -> Result<String, Failure> {
    let path = format!("/v1/accounts/{}", account.address);
    let value = get(url, &path)?;
    if as_json {
        return Ok(json(&value));
    }
    let answer = crate::http::parse(&path, json(&value).as_bytes())?;
    Ok(shown(answer).to_string())
}

/// A block by number, id, or `head`.
///
/// # Errors
/// [`Failure`] of the request.
pub fn block(url: &NodeUrl, which: &str, as_json: bool) -> Result<String, Failure> {
    show(url, &format!("/v1/blocks/{which}"), as_json)
}

/// A transaction by id.
///
/// # Errors
/// [`Failure`] of the request.
pub fn txn(url: &NodeUrl, id: &str, as_json: bool) -> Result<String, Failure> {
    show(url, &format!("/v1/txns/{id}"), as_json)
}

fn show(url: &NodeUrl, path: &str, as_json: bool) -> Result<String, Failure> {
    let value = get(url, path)?;
    Ok(if as_json {
        json(&value)
    } else {
        indented(&value)
    })
}

fn get(url: &NodeUrl, path: &str) -> Result<Value, Failure> {
    let mut node = Connection::new(url.clone());
    Ok(runtime()?.block_on(node.get(path))?)
}

fn indented(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("JSON that was read can be written")
}
