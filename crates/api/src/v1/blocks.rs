//! Blocks and the accounts as of a block.

use super::{Params, block_number, limit};
use crate::schema::U64;
use crate::{
    Api,
    json::{AccountJson, BlockJson, BodyForm, List, Time},
    no_such_block,
    problem::{BLOCK_NOT_FOUND, unreadable},
    request::address,
    rows,
};
use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use ccoin_core::{BlockId, Height};
use ccoin_http::{Problem, stream_json};
use ccoin_node::{BlockHead, IndexBehind, OpenBlock};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Serialize, ToSchema)]
struct Block {
    #[serde(flatten)]
    block: BlockJson,
    txn_count: usize,
}

impl Block {
    fn new(block: &BlockHead, last_final: Height) -> Self {
        Self {
            block: BlockJson::new(block, last_final, Time::Rfc3339),
            txn_count: block.txn_count,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListPage {
    /// 20 if absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// Only blocks below this number.
    #[param(value_type = Option<U64>)]
    before: Option<u64>,
    /// Only blocks above this number.
    #[param(value_type = Option<U64>)]
    after: Option<u64>,
    /// `ids`: with the ids of the transactions.
    #[param(pattern = "^ids$")]
    body: Option<String>,
}

/// `GET /v1/blocks`: newest first; without bodies, or with the ids in them.
#[utoipa::path(get, path = "/blocks",
    params(ListPage),
    responses((status = 200, description = "Blocks without bodies or with ids, newest first", body = List<Block>)))]
pub(super) async fn list(
    State(api): State<Api>,
    Params(page): Params<ListPage>,
) -> Result<Response, Problem> {
    let limit = limit(page.limit, 100)? as u64;
    let body = match page.body.as_deref() {
        None => BodyForm::Left,
        other => body_form(other)?,
    };
    if body == BodyForm::Full {
        return Err(Problem::bad_field("body of a list").values("full", "ids"));
    }
    let (height, last_final) = {
        let view = api.node.view();
        (view.height().get(), view.last_final())
    };
    let newest = page
        .before
        .map_or(height, |before| before.saturating_sub(1).min(height));
    let first = page.after.unwrap_or(0).saturating_add(1);
    let oldest = first.max(newest.saturating_sub(limit - 1));
    let numbers = (oldest..=newest).rev().map(Height::new);
    let numbers: Result<Vec<_>, _> = numbers.collect();
    let numbers = numbers.map_err(|error| Problem::bad_field(error.to_string()))?;
    let heads = api.node.reader().heads(numbers).await.map_err(unreadable)?;
    let next = (oldest > first).then(|| oldest.to_string());
    stream_json(move |mut json| async move {
        json.raw("{\"items\":[").await?;
        for (index, head) in heads.into_iter().enumerate() {
            json.raw(if index == 0 { "" } else { "," }).await?;
            rows::open_object(&mut json, &Block::new(&head, last_final)).await?;
            if body != BodyForm::Left {
                let block = api.open_block(head.signed.header.number).await?;
                // another branch may have won while the reader took what is before it
                if block.head.id != head.id {
                    return Err(unreadable(IndexBehind.into()));
                }
                rows::body(&mut json, api.node.reader(), block, body, Time::Rfc3339).await?;
            }
            json.raw("}").await?;
        }
        json.raw("],\"next\":").await?;
        json.value(next).await?;
        json.raw("}").await?;
        json.end().await
    })
    .await
}

fn body_form(text: Option<&str>) -> Result<BodyForm, Problem> {
    match text {
        None | Some("full") => Ok(BodyForm::Full),
        Some("ids") => Ok(BodyForm::Ids),
        Some(other) => Err(Problem::bad_field("body").values(other, "ids or full")),
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct OneBlock {
    /// Whole transactions if absent.
    #[param(pattern = "^(ids|full)$")]
    body: Option<String>,
}

/// `GET /v1/blocks/{number, id, head or final}`.
#[utoipa::path(get, path = "/blocks/{block}",
    params(("block" = String, Path, description = "A number, an id, head or final"), OneBlock),
    responses((status = 200, description = "The block", body = Block)))]
pub(super) async fn one(
    State(api): State<Api>,
    Path(block): Path<String>,
    Params(params): Params<OneBlock>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let body = body_form(params.body.as_deref())?;
    let number = resolve(&api, &block).await?;
    // Before the block: one that is final by now was final when it was read.
    let last_final = api.node.view().last_final();
    let found = api.open_block(number).await?;
    if number > last_final {
        let mut response = whole(api, found, last_final, body).await?;
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        return Ok(response);
    }
    let tag = format!(
        "\"{}{}\"",
        found.head.id,
        if body == BodyForm::Ids { "-ids" } else { "" }
    );
    let tag = HeaderValue::from_str(&tag).expect("hex digits are valid in a header");
    let mut response = if headers.get(header::IF_NONE_MATCH) == Some(&tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        whole(api, found, last_final, body).await?
    };
    // "head" and "final" name another block tomorrow.
    let fixed = block.bytes().all(|byte| byte.is_ascii_hexdigit());
    let cache = if fixed {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    response.headers_mut().insert(header::ETAG, tag);
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    Ok(response)
}

async fn whole(
    api: Api,
    block: OpenBlock,
    last_final: Height,
    body: BodyForm,
) -> Result<Response, Problem> {
    stream_json(move |mut json| async move {
        rows::open_object(&mut json, &Block::new(&block.head, last_final)).await?;
        rows::body(&mut json, api.node.reader(), block, body, Time::Rfc3339).await?;
        json.raw("}").await?;
        json.end().await
    })
    .await
}

/// The number that a path names a block by.
async fn resolve(api: &Api, block: &str) -> Result<Height, Problem> {
    match block {
        "head" => Ok(api.node.view().height()),
        "final" => Ok(api.node.view().last_final()),
        id if id.len() == 64 => {
            let detail = format!("there is no block {id} on the chain");
            let missing = Problem::new(BLOCK_NOT_FOUND, detail);
            let Ok(id) = id.parse::<BlockId>() else {
                return Err(missing);
            };
            let found = api.node.reader().height_of(id).await;
            found.map_err(unreadable)?.ok_or(missing)
        }
        number => block_number(number),
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct StatePage {
    /// 20 if absent.
    #[param(minimum = 1, maximum = 1_000)]
    limit: Option<usize>,
    /// `next` of the page before.
    #[param(pattern = "^[0-9a-f]{40}$")]
    after: Option<String>,
}

/// Entries of accounts that one page looks at: between few accounts of an old block many later
/// ones may lie, and the page ends early.
const PAGE_SCAN: usize = 4_000;

/// `GET /v1/blocks/{n}/state`: accounts as of a block, in address order.
#[utoipa::path(get, path = "/blocks/{block}/state",
    params(("block" = String, Path, description = "A number, an id, head or final"), StatePage),
    responses((status = 200, description = "Accounts as of the block, in address order", body = List<AccountJson>)))]
pub(super) async fn state(
    State(api): State<Api>,
    Path(block): Path<String>,
    Params(page): Params<StatePage>,
) -> Result<Json<impl Serialize>, Problem> {
    let limit = limit(page.limit, 1_000)?;
    let number = resolve(&api, &block).await?;
    if number > api.node.view().height() || number == Height::ZERO {
        return Err(no_such_block(number));
    }
    let after = page.after.as_deref().map(address).transpose()?;
    // One more than is shown tells whether there are more.
    let reader = api.node.reader();
    let (mut rows, mut next) = reader
        .accounts(number, after, limit + 1, PAGE_SCAN)
        .await
        .map_err(unreadable)?;
    if rows.len() > limit {
        rows.truncate(limit);
        next = rows.last().map(|(address, _)| *address);
    }
    let items = rows
        .into_iter()
        .map(|(address, account)| AccountJson::new(address, account))
        .collect();
    Ok(Json(List {
        items,
        next: next.map(|address| address.to_string()),
    }))
}
