//! Which transactions record a document, by its hash: the document itself never comes here.

use crate::{
    Api,
    json::{List, Time, status_word},
    problem::unreadable,
    schema::{AddressText, Id, TimeText, Whole},
};
use axum::{
    Json,
    extract::{Path, State},
};
use ccoin_core::{Address, BlockId, Height, TxId};
use ccoin_crypto::Hash;
use ccoin_http::Problem;
use ccoin_node::TxStatus;
use serde::Serialize;
use utoipa::ToSchema;

/// Most transactions of one answer: the oldest.
const LIMIT: usize = 20;

/// A transaction in a block that records a document.
#[derive(Serialize, ToSchema)]
pub(super) struct Record {
    id: TxId,
    from: Address,
    /// `sha256:` of one document, or `sha256-tree:` of the root over several.
    data: String,
    /// `included` or `final`.
    status: &'static str,
    block_number: Height,
    block_id: BlockId,
    /// The word of the block's miner.
    block_time: Time,
}

/// `GET /v1/documents/{sha256}`: the first transactions in blocks that record a document.
#[utoipa::path(get, path = "/documents/{sha256}",
    params(("sha256" = Id, Path, description = "SHA-256 of a document, or the root over several")),
    responses((status = 200, description = "Transactions in blocks that record it, oldest first", body = List<Record>)))]
pub(super) async fn list(
    State(api): State<Api>,
    Path(text): Path<String>,
) -> Result<Json<List<Record>>, Problem> {
    let root = sha256(&text)?;
    let ids = api.node.reader().recorded(root, LIMIT).await;
    let mut items = Vec::new();
    for id in ids.map_err(unreadable)? {
        let (txn, status) = api.transaction(id).await?;
        let TxStatus::Included { height, block, .. } = status else {
            // Its block has been left since.
            continue;
        };
        let head = api.head(height).await?;
        items.push(Record {
            id,
            from: txn.sender(),
            data: txn.data.clone(),
            status: status_word(&status, api.node.view().last_final()),
            block_number: height,
            block_id: block,
            block_time: Time::Rfc3339(head.signed.header.time),
        });
    }
    Ok(Json(List { items, next: None }))
}

/// SHA-256 of a document, in hex.
pub(super) fn sha256(text: &str) -> Result<Hash, Problem> {
    text.parse().map_err(|error| {
        Problem::bad_field(format!("not the SHA-256 of a document: {error}"))
            .values(
                text.chars().take(80).collect::<String>(),
                "64 lower-case hex digits",
            )
            .hint("sha256sum FILE prints it")
    })
}
