//! Receipts of transactions and accounts: whole proofs for readers without a node.

use super::{Params, block_number, documents::sha256, txn_id};
use crate::{
    Api,
    problem::{DOCUMENT_NOT_NAMED, no_receipt},
    request::address,
    schema::{AddressText, Id},
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use ccoin_core::receipt::{DocumentPath, DocumentRoot, Receipt, Subject};
use ccoin_core::transaction::Transaction;
use ccoin_crypto::Hash;
use ccoin_http::{Problem, stream_json};
use ccoin_node::ReceiptError;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct About {
    /// SHA-256 of the document that the transaction names.
    #[param(pattern = "^[0-9a-f]{64}$")]
    document: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct AtFinalBlock {
    /// As of this final block; the newest if absent.
    #[param(pattern = "^[0-9]{1,15}$")]
    block: Option<String>,
}

/// The receipt of a transaction in a final block.
#[utoipa::path(get, path = "/txns/{id}/proof",
    params(("id" = Id, Path, description = "The transaction"), About),
    responses((status = 200, description = "The receipt", body = Object)))]
pub(super) async fn transaction(
    State(api): State<Api>,
    Path(id): Path<String>,
    Params(about): Params<About>,
) -> Result<Response, Problem> {
    let id = txn_id(&id)?;
    let document = about.document.as_deref().map(sha256).transpose()?;
    let place = api.receipts.clone().acquire_owned().await;
    let receipt = api.node.transaction_receipt(id).await;
    let receipt = receipt.map_err(|error| api.no_receipt(error))?;
    let receipt = match document {
        None => receipt,
        Some(document) => named(&api, receipt, document)?,
    };
    answer(&receipt, place.ok()).await
}

/// The receipt of an account as of a final block.
#[utoipa::path(get, path = "/accounts/{address}/proof",
    params(("address" = AddressText, Path, description = "The account"), AtFinalBlock),
    responses((status = 200, description = "The receipt", body = Object)))]
pub(super) async fn account(
    State(api): State<Api>,
    Path(text): Path<String>,
    Params(at): Params<AtFinalBlock>,
) -> Result<Response, Problem> {
    let address = address(&text)?;
    let number = at.block.as_deref().map(block_number).transpose()?;
    let place = api.receipts.clone().acquire_owned().await;
    let receipt = api.node.account_receipt(address, number).await;
    let receipt = receipt.map_err(|error| api.no_receipt(error))?;
    answer(&receipt, place.ok()).await
}

/// Receipts that are made or sent at a time, of at most 4 MiB each.
pub(crate) const RECEIPTS: usize = 8;

/// Length of a receipt that keeps no place while its reader takes it.
const SHORT: usize = 64 << 10;

async fn answer(
    receipt: &Receipt,
    place: Option<OwnedSemaphorePermit>,
) -> Result<Response, Problem> {
    let text = receipt.to_json().to_string();
    let place = place.filter(|_| text.len() > SHORT);
    stream_json(move |mut json| async move {
        json.raw(&text).await?;
        json.end().await?;
        drop((text, place));
        Ok(())
    })
    .await
}

impl Api {
    fn no_receipt(&self, error: ReceiptError) -> Problem {
        let slot = self.node.genesis().config.consensus.slot_ms;
        let seconds = u32::try_from(slot.div_ceil(1_000)).unwrap_or(u32::MAX);
        no_receipt(error, seconds)
    }
}

/// The receipt with the one document that the transaction names.
fn named(api: &Api, receipt: Receipt, document: Hash) -> Result<Receipt, Problem> {
    let max_data = api.node.genesis().config.transaction.max_data_bytes as usize;
    let root = match &receipt.subject {
        Subject::Transaction(path) => Transaction::decode(&path.transaction, max_data)
            .ok()
            .and_then(|txn| DocumentRoot::parse(&txn.data)),
        Subject::Account(_) => None,
    };
    match root {
        Some(root) if DocumentPath::alone(document).leads_to(&root) => {
            Ok(receipt.with_document(DocumentPath::alone(document)))
        }
        Some(root @ DocumentRoot::Tree(_)) => Err(Problem::new(
            DOCUMENT_NOT_NAMED,
            "the transaction names a tree of documents, and the node keeps no list of them",
        )
        .values(document, root)
        .hint("ask without ?document, and add its path in the tree: ccoin notarize does")),
        Some(root) => Err(Problem::new(
            DOCUMENT_NOT_NAMED,
            "the transaction names another document",
        )
        .values(format!("sha256:{document}"), root)),
        None => Err(Problem::new(
            DOCUMENT_NOT_NAMED,
            "the transaction names no document",
        )),
    }
}
