//! The paths of 2018, under the node's own address. The form of their answers is fixed.

use crate::schema::{AddressText, Id, Whole};
use crate::{
    Api,
    json::{AccountJson, BlockJson, BodyForm, Time, TxnStatusJson},
    problem::{TOO_MANY_ACCOUNTS, TXN_NOT_FOUND, unreadable},
    request::{BODY_LIMIT, json_body},
    v1::{block_number, txn_id},
    wallet,
};
use axum::{
    Json,
    body::HttpBody as _,
    extract::{Path, Request, State},
};
use ccoin_core::{Address, Height};
use ccoin_http::{Problem, json::parse_object};
use ccoin_node::TxStatus;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Most accounts of a block that one answer shows.
const MAX_ACCOUNTS: usize = 1_000;

/// The routes under `/<address>`.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(root))
        .routes(routes!(count))
        .routes(routes!(block))
        .routes(routes!(wallet::pay))
        .routes(routes!(transaction))
}

#[derive(Serialize, ToSchema)]
struct Root {
    address: Address,
    height: Height,
    peers: usize,
}

#[utoipa::path(get, path = "/", responses((status = 200, description = "The node", body = Root)))]
async fn root(State(api): State<Api>) -> Json<Root> {
    Json(Root {
        address: api.node.address(),
        height: api.node.view().height(),
        peers: api.node.peers().len(),
    })
}

#[utoipa::path(get, path = "/blk/cnt", responses((status = 200, description = "The height", body = Whole)))]
async fn count(State(api): State<Api>) -> Json<Height> {
    Json(api.node.view().height())
}

/// A block with all accounts as of that block.
#[derive(Serialize, ToSchema)]
struct BlockWithState {
    #[serde(flatten)]
    block: BlockJson,
    state: BTreeMap<Address, AccountJson>,
}

#[utoipa::path(get, path = "/blk/{number}",
    params(("number" = Whole, Path, description = "The block")),
    responses((status = 200, description = "The block and all accounts as of it", body = BlockWithState)))]
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

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct InBlock<'a> {
    #[serde(borrow)]
    #[schema(value_type = Option<Whole>)]
    block_number: Option<&'a RawValue>,
}

#[utoipa::path(method(get, post), path = "/txn/{id}",
    params(("id" = Id, Path, description = "The transaction")),
    request_body(content = InBlock<'static>, description = "Optional: the block that holds it"),
    responses((status = 200, description = "The transaction", body = TxnStatusJson)))]
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
