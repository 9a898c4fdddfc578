//! Signs a payment, hands it to a node, and waits until a block holds it.

use std::time::{Duration, Instant};

use ccoin_core::{
    Address, Amount, TxId,
    genesis_config::GenesisConfig,
    transaction::{Payment, Transaction},
};
use ccoin_crypto::SecretKey;
use ccoin_home::{ExitCode, Failure};
use serde::Deserialize;

use crate::{
    AccountAnswer, Connection, GenesisAnswer, NodeUrl, StatusAnswer,
    files::json,
    http::parse,
    runtime,
    signed_txn::{SignedTxn, now, sign},
};

/// How often the node is asked for the transaction, and how often a reason is told.
const POLL: Duration = Duration::from_millis(200);
const TELL: Duration = Duration::from_secs(5);

/// A payment.
#[derive(Debug)]
pub struct Transfer {
    /// The node.
    pub url: NodeUrl,
    /// The key of the account that pays.
    pub from: SecretKey,
    /// The account that is paid.
    pub to: Address,
    /// Coins.
    pub amount: Amount,
    /// Text that goes with it.
    pub data: String,
    /// What to wait for; `None`: nothing.
    pub wait: Option<Goal>,
    /// How long; `None`: the interval of the network, two slots and ten seconds.
    pub timeout: Option<Duration>,
}

/// What a sender waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A block holds the payment.
    Included,
    /// That block is final.
    Final,
}

impl Goal {
    fn waits(self, status: &str) -> bool {
        status == "pending" || (self == Self::Final && status == "included")
    }
}

/// What is known of a transaction: `GET /v1/txns/{id}`.
#[derive(Deserialize)]
pub(crate) struct TxnAnswer {
    pub(crate) id: TxId,
    status: String,
    block_number: Option<u64>,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Why {
    sentence: String,
}

/// Sends a payment; the line for people or programs. `tell` hears every five seconds what it
/// waits for.
///
/// # Errors
/// [`Failure`] 6 if the node refuses or drops it, 5 if no block took it in time.
pub fn send(transfer: &Transfer, as_json: bool, tell: impl Fn(&str)) -> Result<String, Failure> {
    runtime()?.block_on(async {
        let mut node = Connection::new(transfer.url.clone());
        let signed = signed(transfer, &mut node).await?;
        let body = json(&SignedTxn::new(&signed)).into();
        let answer = node.post("/v1/txns", &body).await?;
        let mut answer: TxnAnswer = parse("/v1/txns", &answer)?;
        if let Some(goal) = transfer.wait {
            answer = wait(&mut node, answer, (goal, transfer.timeout), tell).await?;
        }
        Ok(said(transfer, &answer, as_json))
    })
}

async fn signed(transfer: &Transfer, node: &mut Connection) -> Result<Transaction, Failure> {
    let status: StatusAnswer = node.get("/v1/status").await?;
    let from = transfer.from.public_key().address();
    let account: AccountAnswer = node.get(&format!("/v1/accounts/{from}")).await?;
    let payment = Payment {
        number: account.next_number,
        to: transfer.to,
        amount: transfer.amount,
        data: transfer.data.clone(),
        time: now(),
    };
    sign(payment, &transfer.from, &status.genesis_id)
}

/// Waits for a transaction; without a time for as long as a block may take.
///
/// # Errors
/// [`Failure`] 6 if the node drops it, 5 if the time is over.
pub(crate) async fn wait(
    node: &mut Connection,
    mut answer: TxnAnswer,
    (goal, timeout): (Goal, Option<Duration>),
    tell: impl Fn(&str),
) -> Result<TxnAnswer, Failure> {
    let patience = match timeout {
        Some(timeout) => timeout,
        None => usual_patience(node).await?,
    };
    let (begun, mut told) = (Instant::now(), Instant::now());
    let path = format!("/v1/txns/{}", answer.id);
    while goal.waits(&answer.status) {
        if begun.elapsed() >= patience {
            let seconds = patience.as_secs();
            let (message, stays) = match answer.status.as_str() {
                "included" => ("is in a block, which is not final", "it stays there"),
                _ => ("is in no block", "it stays queued"),
            };
            let message = format!("{} {message} after {seconds} s", answer.id);
            return Err(Failure::new(ExitCode::Connect, message)
                .hint(format!("{stays}: {}", reason(node).await))
                .hint(format!("ccoin txn {}   shows what became of it", answer.id)));
        }
        if told.elapsed() >= TELL {
            told = Instant::now();
            tell(&format!("waiting: {}", reason(node).await));
        }
        tokio::time::sleep(POLL).await;
        answer = node.get(&path).await?;
    }
    match answer.reason {
        None => Ok(answer),
        Some(reason) => {
            let message = format!("{} was dropped: {reason}", answer.id);
            Err(Failure::new(ExitCode::Refused, message))
        }
    }
}

/// As long as a block may take: interval, two slots, ten seconds.
async fn usual_patience(node: &mut Connection) -> Result<Duration, Failure> {
    let genesis: GenesisAnswer = node.get("/v1/blocks/1").await?;
    let config = GenesisConfig::from_canonical_json(&genesis.data)
        .map_err(|error| Failure::new(ExitCode::Unexpected, error.to_string()))?;
    let slots = config.consensus.slot_ms.saturating_mul(2);
    let ms = config.block_mining.interval_ms.saturating_add(slots);
    Ok(Duration::from_millis(ms).saturating_add(Duration::from_secs(10)))
}

async fn reason(node: &mut Connection) -> String {
    match node.get::<Why>("/v1/why").await {
        Ok(why) => why.sentence,
        Err(error) => error.to_string(),
    }
}

fn said(transfer: &Transfer, answer: &TxnAnswer, as_json: bool) -> String {
    let TxnAnswer {
        id,
        status,
        block_number,
        ..
    } = answer;
    if as_json {
        let line = serde_json::json!({"id": id, "status": status, "block_number": block_number});
        return line.to_string();
    }
    let coins = if transfer.amount.get() == 1 {
        "coin"
    } else {
        "coins"
    };
    let place = block_number.map_or_else(
        || format!("{status}; ccoin txn {id}   shows what becomes of it"),
        |number| format!("{status} in block {number}"),
    );
    format!(
        "{} {coins} to {}: {place}\n{id}",
        transfer.amount, transfer.to
    )
}
