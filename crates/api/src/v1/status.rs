//! The state of the node and its queue.

use super::{Params, limit};
use crate::schema::{AddressText, Id, TimeText, U64, Whole};
use crate::{
    Api,
    json::{BlockSummary, Time, TxnJson},
    problem::NOT_READY,
    rows::{PAGE_BYTES, row},
};
use axum::{Json, extract::State, response::Response};
use ccoin_core::{Address, BlockId, Height, machine::Why};
use ccoin_http::{Problem, stream_json};
use ccoin_node::{Recent, View, clock};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Serialize, ToSchema)]
struct QueueSummary {
    txns: usize,
    bytes: usize,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Status {
    address: Address,
    node_type: &'static str,
    version: &'static str,
    network_id: u32,
    genesis_id: BlockId,
    height: Height,
    head: BlockSummary,
    #[serde(rename = "final")]
    last_final: BlockSummary,
    seconds_since_final: u64,
    leader: Option<Address>,
    /// Whether `ccoin devnet mine` makes the blocks: never but in a devnet with `--manual`.
    blocks_by_hand: bool,
    state: char,
    state_word: &'static str,
    peers: usize,
    queue: QueueSummary,
    ready: bool,
    not_ready: Vec<String>,
}

#[utoipa::path(get, path = "/status",
    responses((status = 200, description = "Where the node stands", body = Status)))]
pub(super) async fn status(State(api): State<Api>) -> Result<Json<Status>, Problem> {
    let view = api.node.view();
    let genesis = api.node.genesis();
    let newest = &view.last_final;
    let final_block = api.head(newest.certificate.number).await?;
    let head: &Recent = view.head();
    let not_ready = not_ready(&view);
    Ok(Json(Status {
        address: api.node.address(),
        node_type: if api.node.is_validator() {
            "validator"
        } else {
            "basic"
        },
        version: env!("CARGO_PKG_VERSION"),
        network_id: genesis.config.network_id,
        genesis_id: genesis.id,
        height: view.height(),
        head: BlockSummary::new(head.id(), head.header()),
        last_final: BlockSummary::new(final_block.id, &final_block.signed.header),
        seconds_since_final: clock::mono().since(newest.since) / 1000,
        leader: genesis.schedule.leader_at(clock::wall()),
        blocks_by_hand: api.node.is_by_hand(),
        state: view.state.letter(),
        state_word: view.state.word(),
        peers: api.node.peers().len(),
        queue: QueueSummary {
            txns: view.queue.txns,
            bytes: view.queue.bytes,
        },
        ready: not_ready.is_empty(),
        not_ready,
    }))
}

fn not_ready(view: &View) -> Vec<String> {
    let alarm = view.alarm.then(|| Why::Alarm.to_string());
    let hindrances = view.hindrances.iter().map(ToString::to_string);
    alarm.into_iter().chain(hindrances).collect()
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct QueuePage {
    /// 20 if absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next` of the page before.
    #[param(value_type = Option<U64>)]
    after: Option<u64>,
}

#[derive(Serialize, ToSchema)]
struct QueuedTxn {
    #[serde(flatten)]
    txn: TxnJson,
    arrived: Time,
    /// Whether a smaller number of the same sender is still missing.
    gap: bool,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "describes an answer that is written row by row")]
pub(super) struct Queue {
    txns: usize,
    bytes: usize,
    items: Vec<QueuedTxn>,
    next: Option<String>,
}

/// `GET /v1/queue`: waiting transactions in the order of their arrival.
#[utoipa::path(get, path = "/queue",
    params(QueuePage),
    responses((status = 200, description = "Waiting transactions in the order of their arrival", body = Queue)))]
pub(super) async fn queue(
    State(api): State<Api>,
    Params(page): Params<QueuePage>,
) -> Result<Response, Problem> {
    let limit = limit(page.limit, 100)?;
    let size = api.node.view().queue;
    // One more than is shown tells whether there are more.
    let mut rows = api
        .node
        .tx_tracker()
        .page(page.after.unwrap_or(0), limit + 1);
    let mut bytes = 0;
    let fitting = rows.iter().take_while(|(_, queued)| {
        let fits = bytes < PAGE_BYTES;
        bytes += queued.txn.size();
        fits
    });
    let shown = fitting.count().min(limit);
    let more = rows.len() > shown;
    rows.truncate(shown);
    let last = rows.last().filter(|_| more);
    let next = last.map(|(order, _)| order.to_string());
    stream_json(move |mut json| async move {
        json.raw(&format!(
            "{{\"txns\":{},\"bytes\":{},\"items\":[",
            size.txns, size.bytes
        ))
        .await?;
        for (index, (_, queued)) in rows.into_iter().enumerate() {
            json.raw(if index == 0 { "" } else { "," }).await?;
            let fields = QueuedTxn {
                gap: queued.is_behind_gap(),
                txn: TxnJson::new(&queued.txn, Time::Rfc3339).without_data(),
                arrived: Time::Rfc3339(queued.arrived),
            };
            row(&mut json, api.node.reader(), &fields, &queued.txn.data).await?;
        }
        json.raw("],\"next\":").await?;
        json.value(next).await?;
        json.raw("}").await?;
        json.end().await
    })
    .await
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    status: &'static str,
}

/// `GET /healthz`: the process answers.
#[utoipa::path(get, path = "/healthz",
    responses((status = 200, description = "The process answers", body = Health)))]
pub(crate) async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// `GET /readyz`: the node works.
#[utoipa::path(get, path = "/readyz",
    responses((status = 200, description = "The node works", body = Health)))]
pub(crate) async fn readyz(State(api): State<Api>) -> Result<Json<Health>, Problem> {
    let reasons = not_ready(&api.node.view());
    if reasons.is_empty() {
        return Ok(Json(Health { status: "ready" }));
    }
    Err(Problem::new(NOT_READY, reasons.join("; ")))
}
