//! The paths of 2018, under the node's own address. The form of their answers is fixed.

use crate::schema::{AddressText, Id, Whole};
use crate::{
    Api,
    json::{AccountJson, BlockJson, BodyForm, Time, TxnStatusJson},
    problem::{TOO_MANY_ACCOUNTS, TXN_NOT_FOUND, unreadable},
    request::{BODY_LIMIT, json_body},
    rows,
    v1::{block_number, txn_id},
    wallet,
};
use axum::{
    Json,
    body::HttpBody as _,
    extract::{Path, Request, State},
    response::Response,
};
use ccoin_core::{Address, Height};
use ccoin_http::{Problem, json::parse_object, stream_json};
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
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes an answer that is written row by row")]
struct BlockWithState {
    #[serde(flatten)]
    block: BlockJson,
    state: BTreeMap<Address, AccountJson>,
}

#[utoipa::path(get, path = "/blk/{number}",
    params(("number" = Whole, Path, description = "The block")),
    responses((status = 200, description = "The block and all accounts as of it", body = BlockWithState)))]
async fn block(State(api): State<Api>, Path(number): Path<String>) -> Result<Response, Problem> {
    let number = block_number(&number)?;
    let block = api.open_block(number).await?;
    let accounts = api.node.reader().small_state(number, MAX_ACCOUNTS).await;
    let Some(mut accounts) = accounts.map_err(unreadable)? else {
        let detail = format!("more than {MAX_ACCOUNTS} accounts existed at block {number}");
        return Err(Problem::new(TOO_MANY_ACCOUNTS, detail)
            .hint(format!("read GET /v1/blocks/{number}/state page by page")));
    };
    accounts.sort_unstable_by_key(|(address, _)| *address);
    let last_final = api.node.view().last_final();
    stream_json(move |mut json| async move {
        let fields = BlockJson::new(&block.head, last_final, Time::Seconds);
        rows::open_object(&mut json, &fields).await?;
        let reader = api.node.reader();
        rows::body(&mut json, reader, block, BodyForm::Full, Time::Seconds).await?;
        json.raw(",\"state\":{").await?;
        for (index, (address, account)) in accounts.into_iter().enumerate() {
            json.raw(if index == 0 { "" } else { "," }).await?;
            json.value(address).await?;
            json.raw(":").await?;
            json.value(AccountJson::new(address, account)).await?;
        }
        json.raw("}}").await?;
        json.end().await
    })
    .await
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
) -> Result<Response, Problem> {
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
    let last_final = api.node.view().last_final();
    stream_json(move |mut json| async move {
        let (reader, row) = (api.node.reader(), (&txn, &status));
        rows::txn_status(&mut json, reader, row, last_final, Time::Seconds).await?;
        json.end().await
    })
    .await
}
