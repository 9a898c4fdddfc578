//! The paths of 2018, under the node's own address. The form of their answers is fixed.

use crate::{
    Api,
    json::{AccountJson, BlockJson, BodyForm, Time, TxnStatusJson},
    problem::{TOO_MANY_ACCOUNTS, TXN_NOT_FOUND, unreadable},
    request::{BODY_LIMIT, json_body},
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
use ccoin_http::{Problem, json::parse_object};
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
    block: BlockJson,
    state: BTreeMap<Address, AccountJson>,
}

async fn block(
    State(api): State<Api>,
    Path(number): Path<String>,
) -> Result<Json<BlockWithState>, Problem> {
    let number = block_number(&number)?;
    let block = api.block(number).await?;
    let accounts = api.node.reader().accounts(number, None, MAX_ACCOUNTS + 1);
    let (rows, next) = accounts.await.map_err(unreadable)?;
    if rows.len() > MAX_ACCOUNTS || next.is_some() {
        let detail = format!("more than {MAX_ACCOUNTS} accounts existed at block {number}");
        return Err(Problem::new(TOO_MANY_ACCOUNTS, detail)
            .hint(format!("read GET /v1/blocks/{number}/state page by page")));
    }
    let state = rows
        .into_iter()
        .map(|(address, account)| (address, AccountJson::new(address, account)))
        .collect();
    Ok(Json(BlockWithState {
        block: BlockJson::new(
            &block,
            api.node.view().last_final(),
            BodyForm::Full,
            Time::Seconds,
        ),
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
) -> Result<Json<TxnStatusJson>, Problem> {
    let id = txn_id(&id)?;
    let mut wanted = None;
    if !request.body().is_end_stream() {
        let bytes = json_body(request, BODY_LIMIT).await?;
        let number = parse_object::<InBlock<'_>>(&bytes)?.block_number;
        wanted = number
            .map(|number| block_number(number.get()))
            .transpose()?;
    }
    let (txn, status) = api.transaction(id).await?;
    let height = match &status {
        TxStatus::Included { height, .. } => Some(*height),
        TxStatus::Pending | TxStatus::Dropped(_) => None,
    };
    if wanted.is_some() && wanted != height {
        let detail = format!("transaction {id} is not in that block");
        return Err(Problem::new(TXN_NOT_FOUND, detail));
    }
    Ok(Json(TxnStatusJson::new(
        &txn,
        &status,
        api.node.view().last_final(),
        Time::Seconds,
    )))
}
