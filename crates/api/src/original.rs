//! The paths of 2018, under the node's own address. Their shapes are fixed.

use crate::{
    Api,
    body::{LIMIT, json_bytes, parse_object},
    problem::Problem,
    shapes::{AccountShape, BlockShape, BodyForm, Time, TxnStatusShape},
    v1::{block_number, txn_id},
    wallet,
};
use axum::{
    Json, Router,
    body::HttpBody as _,
    extract::{Path, Request, State},
    routing::get,
};
use ccoin_core::{Address, Height};
use ccoin_node::TxStatus;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Most accounts of a block that one answer shows.
const MAX_ACCOUNTS: usize = 1_000;

/// The routes under `/<address>`.
pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/", get(root))
        .route("/blk/cnt", get(count))
        .route("/blk/{number}", get(block))
        .route("/txn", axum::routing::post(wallet::pay))
        .route("/txn/{id}", get(transaction).post(transaction))
}

#[derive(Serialize)]
struct Root {
    address: Address,
    height: Height,
    peers: usize,
}

async fn root(State(api): State<Api>) -> Json<Root> {
    Json(Root {
        address: api.node.address(),
        height: api.node.view().height(),
        peers: api.node.peers().len(),
    })
}

async fn count(State(api): State<Api>) -> Json<Height> {
    Json(api.node.view().height())
}

/// A block with all accounts as of that block.
#[derive(Serialize)]
struct BlockWithState {
    #[serde(flatten)]
    block: BlockShape,
    state: BTreeMap<Address, AccountShape>,
}

async fn block(
    State(api): State<Api>,
    Path(number): Path<String>,
) -> Result<Json<BlockWithState>, Problem> {
    let number = block_number(&number)?;
    let missing = || Problem::block_not_found(format!("there is no block {number}"));
    let block = api.node.reader().block(number).await?.ok_or_else(missing)?;
    let (rows, next) = api
        .node
        .reader()
        .accounts(number, None, MAX_ACCOUNTS + 1)
        .await?;
    if rows.len() > MAX_ACCOUNTS || next.is_some() {
        return Err(Problem::too_many_accounts(format!(
            "more than {MAX_ACCOUNTS} accounts existed at block {number}"
        ))
        .hint(format!("read GET /v1/blocks/{number}/state page by page")));
    }
    let state = rows
        .into_iter()
        .map(|(address, account)| (address, AccountShape::new(address, account)))
        .collect();
    Ok(Json(BlockWithState {
        block: BlockShape::new(&block, BodyForm::Full, Time::Seconds),
        state,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InBlock<'a> {
    #[serde(borrow)]
    block_number: Option<&'a RawValue>,
}

async fn transaction(
    State(api): State<Api>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<TxnStatusShape>, Problem> {
    let id = txn_id(&id)?;
    let mut wanted = None;
    if !request.body().is_end_stream() {
        let bytes = json_bytes(request, LIMIT).await?;
        let number = parse_object::<InBlock<'_>>(&bytes)?.block_number;
        wanted = number
            .map(|number| block_number(number.get()))
            .transpose()?;
    }
    let missing = || Problem::txn_not_found(format!("there is no transaction {id}"));
    let (txn, status) = api
        .node
        .reader()
        .transaction(id)
        .await?
        .ok_or_else(missing)?;
    let height = match &status {
        TxStatus::Included { height, .. } => Some(*height),
        TxStatus::Pending | TxStatus::Dropped(_) => None,
    };
    if wanted.is_some() && wanted != height {
        return Err(Problem::txn_not_found(format!(
            "transaction {id} is not in that block"
        )));
    }
    Ok(Json(TxnStatusShape::new(&txn, &status, Time::Seconds)))
}
