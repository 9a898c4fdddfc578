//! Signs a payment, hands it to a node, and waits until a block holds it.

use ccoin_core::transaction::{Payment, Transaction};
use ccoin_core::{Address, Amount};
use ccoin_crypto::SecretKey;
use ccoin_home::Failure;

use super::waiting::{TxnAnswer, Wait};
use crate::files::json;
use crate::http::parse;
use crate::signed_txn::{SignedTxn, now, sign};
use crate::words::count;
use crate::{AccountAnswer, Connection, NodeUrl, runtime};

/// A payment.
#[derive(Debug)]
pub struct Transfer {
    /// The node.
    pub url: NodeUrl,
    /// The key of the account that pays.
    pub from: SecretKey,
    /// The account that is paid.
    pub to: Address,
    /// Its name for people, or its address.
    pub to_label: String,
    /// Coins.
    pub amount: Amount,
    /// Text that goes with it.
    pub data: String,
    /// What to wait for; `None`: nothing.
    pub wait: Option<Wait>,
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
        if let Some(wait) = transfer.wait {
            answer = wait.end(&mut node, answer, tell).await?;
        }
        Ok(said(transfer, &answer, as_json))
    })
}

async fn signed(transfer: &Transfer, node: &mut Connection) -> Result<Transaction, Failure> {
    let genesis_id = node.status().await?.genesis_id;
    let from = transfer.from.public_key().address();
    let account: AccountAnswer = node.get(&format!("/v1/accounts/{from}")).await?;
    let payment = Payment {
        number: account.next_number,
        to: transfer.to,
        amount: transfer.amount,
        data: transfer.data.clone(),
        time: now(),
    };
    sign(payment, &transfer.from, &genesis_id)
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
    let place = block_number.map_or_else(
        || format!("{status}; ccoin txn {id}   shows what becomes of it"),
        |number| format!("{status} in block {number}"),
    );
    let coins = count(transfer.amount.get(), "coin");
    format!("{coins} to {}: {place}\n{id}", transfer.to_label)
}
