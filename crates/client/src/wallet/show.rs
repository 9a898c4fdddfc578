//! How a node and an account are, for people or programs.

use ccoin_core::Address;
use ccoin_home::Failure;
use serde::Deserialize;
use serde_json::Value;

use super::{Account, KnownAccounts};
use crate::files::json;
use crate::words::count;
use crate::{AccountAnswer, Connection, NodeUrl, runtime};

/// What `status` shows of `GET /v1/status`.
#[derive(Deserialize)]
struct Shown {
    address: Address,
    node_type: String,
    version: String,
    network_id: u32,
    genesis_id: String,
    height: u64,
    head: Head,
    #[serde(rename = "final")]
    last_final: Final,
    seconds_since_final: u64,
    #[serde(default)]
    blocks_by_hand: bool,
    state_word: String,
    not_ready: Vec<String>,
    peers: usize,
    queue: Queue,
}

#[derive(Deserialize)]
struct Head {
    time: String,
    coinbase: Address,
}

#[derive(Deserialize)]
struct Final {
    number: u64,
}

#[derive(Deserialize)]
struct Queue {
    txns: u64,
}

/// How a node is.
///
/// # Errors
/// [`Failure`] of the request.
pub fn status(url: &NodeUrl, known: &KnownAccounts, as_json: bool) -> Result<String, Failure> {
    let value = get(url, "/v1/status")?;
    if as_json {
        return Ok(json(&value));
    }
    let Ok(shown) = Shown::deserialize(&value) else {
        // A node without a chain has no head to show.
        let field = |name: &str| value[name].as_str().unwrap_or("?").to_owned();
        let reason = value["not_ready"][0].as_str().unwrap_or("no chain here");
        let (kind, version) = (field("node_type"), field("version"));
        return Ok(format!(
            "node     {kind} {} at {url}, ccoin {version}\nstate    not ready: {reason}",
            field("address")
        ));
    };
    let state = match shown.not_ready.as_slice() {
        [] if shown.blocks_by_hand => {
            let word = shown.state_word;
            format!("{word}; blocks are made by hand: ccoin devnet mine makes one")
        }
        [] => shown.state_word,
        reasons => format!("not ready: {}", reasons.join("; ")),
    };
    let miner = known.long(&shown.head.coinbase);
    Ok([
        format!(
            "node     {} {} at {url}, ccoin {}",
            shown.node_type,
            known.long(&shown.address),
            shown.version
        ),
        format!("state    {state}"),
        format!(
            "network  {}, genesis id {}",
            shown.network_id, shown.genesis_id
        ),
        format!(
            "head     block {} of {}, by {miner}",
            shown.height, shown.head.time
        ),
        format!(
            "final    block {}, since {} s",
            shown.last_final.number, shown.seconds_since_final
        ),
        format!(
            "queue    {} waiting",
            count(shown.queue.txns, "transaction")
        ),
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

pub(super) fn get(url: &NodeUrl, path: &str) -> Result<Value, Failure> {
    let mut node = Connection::new(url.clone());
    Ok(runtime()?.block_on(node.get(path))?)
}

pub(super) fn indented(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("JSON that was read can be written")
}
