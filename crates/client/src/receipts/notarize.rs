//! Records documents in one transaction, waits until it is final, and writes a receipt for each.

use std::path::PathBuf;
use std::time::Duration;

use ccoin_core::{
    Amount, BlockId, TxId,
    receipt::{DocumentPath, DocumentRoot, Receipt},
    transaction::{Payment, Transaction},
};
use ccoin_crypto::{SecretKey, Verifier};
use ccoin_home::{ExitCode, Failure, replace_file};

use super::{inputs::Inputs, pending::PendingFile, proof::fetch};
use crate::{
    AccountAnswer, Connection, HttpError, NodeUrl,
    files::{json, unusable},
    http::parse,
    runtime,
    signed_txn::{SignedTxn, now, sign},
    wallet::{Goal, TxnAnswer, Wait},
};

/// Documents to record.
#[derive(Debug)]
pub struct Notarization {
    /// The node.
    pub url: NodeUrl,
    /// The key of the account that records them.
    pub from: SecretKey,
    /// The documents.
    pub inputs: Inputs,
    /// How long to wait for finality; `None`: as long as a block may take.
    pub timeout: Option<Duration>,
}

/// Records the documents; the line for people or programs. `tell` hears what it waits for.
///
/// # Errors
/// [`Failure`] 8 if a receipt is there already, 6 if the node refuses, 5 if it is not final in
/// time: the same call then continues.
pub fn notarize(
    notarization: &Notarization,
    as_json: bool,
    tell: impl Fn(&str),
) -> Result<String, Failure> {
    let inputs = &notarization.inputs;
    let root = DocumentRoot::of(&inputs.hashes);
    let root = root.ok_or_else(|| Failure::new(ExitCode::Usage, "no document"))?;
    runtime()?.block_on(async {
        let mut node = Connection::new(notarization.url.clone());
        let status = node.status().await?;
        let genesis = status.genesis_id;
        let pending = PendingFile::new(&inputs.receipts, &root, genesis);
        let signed = match pending.read(&root)? {
            Some(signed) => signed,
            None => {
                check_absent(&inputs.receipts)?;
                let signed = signed(notarization, &root, &genesis, &mut node).await?;
                pending.keep(&signed)?;
                signed
            }
        };
        let answer = submit(&mut node, &signed, &pending).await?;
        let wait = Wait {
            goal: Goal::Final,
            timeout: notarization.timeout,
        };
        let id = wait
            .end(&mut node, answer, tell)
            .await
            .map_err(|failure| continued(failure, &pending))?
            .id;
        write_receipts(&mut node, inputs, id, &genesis).await?;
        pending.forget()?;
        Ok(said(inputs, id, &root, as_json))
    })
}

/// An older receipt proves an earlier time: it is never overwritten.
fn check_absent(receipts: &[PathBuf]) -> Result<(), Failure> {
    match receipts.iter().find(|receipt| receipt.exists()) {
        None => Ok(()),
        Some(there) => {
            let shown = there.display();
            let message = format!("{shown} is there already, and proves an earlier time");
            Err(Failure::new(ExitCode::Busy, message)
                .hint(format!("ccoin verify {shown}   shows what it proves"))
                .hint("move it away, or use --out DIR, to record the document again"))
        }
    }
}

async fn signed(
    notarization: &Notarization,
    root: &DocumentRoot,
    genesis: &BlockId,
    node: &mut Connection,
) -> Result<Transaction, Failure> {
    let from = notarization.from.public_key().address();
    let account: AccountAnswer = node.get(&format!("/v1/accounts/{from}")).await?;
    let payment = Payment {
        number: account.next_number,
        to: from,
        amount: Amount::ZERO,
        data: root.to_string(),
        time: now(),
    };
    sign(payment, &notarization.from, genesis)
}

async fn submit(
    node: &mut Connection,
    signed: &Transaction,
    pending: &PendingFile,
) -> Result<TxnAnswer, Failure> {
    let body = json(&SignedTxn::new(signed)).into();
    match node.post("/v1/txns", &body).await {
        Ok(answer) => Ok(parse("/v1/txns", &answer)?),
        Err(HttpError::Refused(refusal)) if refusal.status < 500 && refusal.status != 429 => {
            // It will never be taken; the next call signs another one.
            pending.forget()?;
            Err(HttpError::Refused(refusal).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// A transaction that was dropped is forgotten; one that waits is continued.
fn continued(failure: Failure, pending: &PendingFile) -> Failure {
    if failure.code == ExitCode::Refused {
        return match pending.forget() {
            Ok(()) => failure.hint("the same command signs another transaction"),
            Err(error) => error,
        };
    }
    failure.hint("the same command continues to wait")
}

async fn write_receipts(
    node: &mut Connection,
    inputs: &Inputs,
    id: TxId,
    genesis: &BlockId,
) -> Result<(), Failure> {
    let receipt: Receipt = fetch(node, &format!("/v1/txns/{id}/proof")).await?;
    let mut verifier = Verifier::new(16);
    let places = DocumentPath::all(&inputs.hashes);
    for (place, path) in places.into_iter().zip(&inputs.receipts) {
        let hash = place.sha256;
        let receipt = receipt.clone().with_document(place);
        receipt
            .verify(genesis, Some(&hash), &mut verifier)
            .map_err(|refused| {
                let message = format!("the node's receipt of {id} does not hold: {refused}");
                Failure::new(ExitCode::No, message)
            })?;
        let text = format!("{}\n", receipt.to_json());
        replace_file(path, text.as_bytes(), 0o644).map_err(unusable(path))?;
    }
    Ok(())
}

fn said(inputs: &Inputs, id: TxId, root: &DocumentRoot, as_json: bool) -> String {
    if as_json {
        let rows = inputs.hashes.iter().zip(&inputs.receipts);
        let rows =
            rows.map(|(hash, receipt)| serde_json::json!({"sha256": hash, "receipt": receipt}));
        let rows: Vec<_> = rows.collect();
        return serde_json::json!({"id": id, "data": root.to_string(), "documents": rows})
            .to_string();
    }
    let paths = inputs
        .receipts
        .iter()
        .map(|path| path.display().to_string());
    let mut lines: Vec<_> = paths.collect();
    lines.push(format!("recorded for good in transaction {id}"));
    lines.join("\n")
}
