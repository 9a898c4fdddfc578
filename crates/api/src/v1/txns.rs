//! Signed transactions: submit one or many, find one.

use super::{Params, txn_id};
use crate::schema::Id;
use crate::{
    Api,
    json::{Time, TxnStatusJson, status_word},
    problem::{NOT_READY, WAIT_TIMEOUT, refused, unreadable},
    request::{MAX_ROWS, Rows, SignedTxn, TXNS_LIMIT, json_body},
    rows,
    waits::WaitPlace,
};
use axum::{
    Json,
    extract::{Path, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use ccoin_core::{
    BlockId, TxId,
    pool::{Accepted, PoolError},
    transaction::{Transaction, VerifiedTransaction},
};
use ccoin_http::{
    Problem,
    json::{parse, parse_object},
    stream_json,
};
use ccoin_node::{SubmitError, TxStatus};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// Longest wait for a block.
const MAX_TIMEOUT: Duration = Duration::from_secs(600);

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wait {
    /// Answers when the transaction is that far.
    #[param(pattern = "^(included|final)$")]
    wait: Option<String>,
    /// Seconds; only with `wait`.
    #[param(minimum = 1, maximum = 600)]
    timeout: Option<u64>,
}

/// `POST /v1/txns`: a signed transaction, or an array of them.
#[utoipa::path(post, path = "/txns", params(Wait),
    request_body(content = Submission, description = "One transaction, or up to 1,000"),
    responses(
        (status = 200, description = "The wait is over", body = TxnStatusJson),
        (status = 202, description = "Queued, or each judged by itself", body = Submitted)))]
pub(super) async fn submit(
    State(api): State<Api>,
    Params(wait): Params<Wait>,
    request: Request,
) -> Result<Response, Problem> {
    let patience = patience(&api, &wait)?;
    // Before the transaction is taken: one that is refused is not queued.
    let waiting = patience.map(|_| api.waits.take(request.extensions()));
    let waiting = waiting.transpose()?;
    let bytes = json_body(request, TXNS_LIMIT).await?;
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        if patience.is_some() {
            return Err(Problem::bad_field("wait is for a single transaction"));
        }
        return submit_array(&api, &bytes).await;
    }
    let txn = parse_object::<SignedTxn<'_>>(&bytes)?.into_transaction(&api.node.genesis().id)?;
    // Nothing of a body is kept for the length of a wait.
    drop(bytes);
    let accepted = api.node.submit(vec![txn]).await.pop();
    let txn = accepted
        .ok_or_else(|| Problem::internal("no answer"))?
        .map_err(refused)?;
    let id = *txn.id();
    let status = match patience {
        None => StatusCode::ACCEPTED,
        Some((goal, patience)) => {
            let _away = waiting.as_ref().map(WaitPlace::leave);
            reached(&api, id, goal, patience).await?;
            StatusCode::OK
        }
    };
    let mut response = find(&api, id).await?;
    *response.status_mut() = status;
    let location = HeaderValue::from_str(&format!("/v1/txns/{id}")).expect("hex is a valid header");
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// What a caller waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// A block holds the transaction.
    Included,
    /// That block is final.
    Final,
}

/// What to wait for and how long, if at all.
fn patience(api: &Api, wait: &Wait) -> Result<Option<(Goal, Duration)>, Problem> {
    let goal = match wait.wait.as_deref() {
        None if wait.timeout.is_some() => return Err(Problem::bad_field("timeout needs wait")),
        None => return Ok(None),
        Some("included") => Goal::Included,
        Some("final") => Goal::Final,
        Some(other) => {
            return Err(Problem::bad_field("wait").values(other, "included or final"));
        }
    };
    let config = &api.node.genesis().config;
    let usual = config.block_mining.interval_ms + 2 * config.consensus.slot_ms + 10_000;
    let timeout = wait
        .timeout
        .map_or(Duration::from_millis(usual), Duration::from_secs);
    if wait.timeout.is_some() && (timeout.is_zero() || timeout > MAX_TIMEOUT) {
        return Err(Problem::bad_field("timeout in seconds").values(timeout.as_secs(), "1 to 600"));
    }
    Ok(Some((goal, timeout.min(MAX_TIMEOUT))))
}

/// Waits until the transaction is in a block, or in a final one, or can never be.
async fn reached(api: &Api, id: TxId, goal: Goal, patience: Duration) -> Result<(), Problem> {
    let mut view = api.node.watch();
    let decided = async {
        loop {
            let last_final = view.borrow_and_update().last_final();
            let status = api.node.tx_tracker().status(&id);
            let waits = match status {
                Some((_, TxStatus::Pending)) => true,
                Some((_, TxStatus::Included { height, .. })) => {
                    goal == Goal::Final && height > last_final
                }
                _ => false,
            };
            if !waits {
                return Ok(());
            }
            view.changed()
                .await
                .map_err(|_| Problem::new(NOT_READY, "the node is stopping"))?;
        }
    };
    tokio::time::timeout(patience, decided).await.map_err(|_| {
        let seconds = patience.as_secs();
        let detail = match goal {
            Goal::Included => format!("no block has taken it within {seconds} s; it stays queued"),
            Goal::Final => format!("it is not final after {seconds} s; the node goes on"),
        };
        Problem::new(WAIT_TIMEOUT, detail).hint(format!(
            "ask GET /v1/txns/{id}, and GET /v1/why for the reason"
        ))
    })?
}

async fn find(api: &Api, id: TxId) -> Result<Response, Problem> {
    let (txn, status) = api.transaction(id).await?;
    let last_final = api.node.view().last_final();
    let reader = api.node.reader().clone();
    stream_json(move |mut json| async move {
        let row = (&txn, &status);
        rows::txn_status(&mut json, &reader, row, last_final, Time::Rfc3339).await?;
        json.end().await
    })
    .await
}

/// `GET /v1/txns/{id}`.
#[utoipa::path(get, path = "/txns/{id}",
    params(("id" = Id, Path, description = "The transaction")),
    responses((status = 200, description = "The transaction and what became of it", body = TxnStatusJson)))]
pub(super) async fn one(
    State(api): State<Api>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    find(&api, txn_id(&id)?).await
}

#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Item {
    Taken {
        id: TxId,
        status: &'static str,
    },
    Refused {
        id: Option<TxId>,
        #[schema(value_type = crate::schema::ProblemDocument)]
        problem: Problem,
    },
}

/// What a body may be.
#[derive(ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "the body is read by its first character")]
enum Submission {
    One(SignedTxn<'static>),
    /// A row that is no transaction is refused by itself.
    Many(Vec<serde_json::Value>),
}

/// What the answer may be.
#[derive(ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes the two answers")]
enum Submitted {
    One(Box<TxnStatusJson>),
    Many(Items),
}

#[derive(Serialize, ToSchema)]
struct Items {
    items: Vec<Item>,
}

/// Each transaction of an array is judged by itself.
async fn submit_array(api: &Api, bytes: &[u8]) -> Result<Response, Problem> {
    let rows: Rows<'_> = parse(bytes)?;
    if rows.count > MAX_ROWS {
        return Err(
            Problem::body_too_large("too many transactions in one array")
                .values(rows.count, MAX_ROWS),
        );
    }
    let genesis = api.node.genesis().id;
    let rows = rows.first.iter();
    let parsed: Vec<_> = rows.map(|row| parse_row(row, &genesis)).collect();
    let txns = parsed
        .iter()
        .filter_map(|row| row.as_ref().ok())
        .cloned()
        .collect();
    let mut verdicts = api.node.submit(txns).await.into_iter();
    let mut items = Vec::with_capacity(parsed.len());
    for row in parsed {
        items.push(match row {
            Err(problem) => Item::Refused { id: None, problem },
            Ok(txn) => match verdicts.next() {
                Some(Ok(txn)) => Item::Taken {
                    id: *txn.id(),
                    status: word(api, &txn),
                },
                Some(Err(error)) => Item::Refused {
                    id: Some(txn.id(&genesis)),
                    problem: refused(error),
                },
                None => Item::Refused {
                    id: None,
                    problem: Problem::internal("no answer"),
                },
            },
        });
    }
    Ok((StatusCode::ACCEPTED, Json(Items { items })).into_response())
}

/// An accepted transaction that is no longer in memory is in a block.
fn word(api: &Api, txn: &VerifiedTransaction) -> &'static str {
    let status = api.node.tx_tracker().status(txn.id());
    let last_final = api.node.view().last_final();
    status.map_or("included", |(_, status)| status_word(&status, last_final))
}

fn parse_row(row: &RawValue, genesis: &BlockId) -> Result<Transaction, Problem> {
    parse_object::<SignedTxn<'_>>(row.get().as_bytes())?.into_transaction(genesis)
}

fn number_is_used(error: &SubmitError) -> bool {
    matches!(error, SubmitError::Pool(PoolError::NumberUsed { .. }))
}

/// `POST /v1/txns/check`: the checks of a submission without the submission.
#[utoipa::path(post, path = "/txns/check",
    request_body(content = SignedTxn<'static>, description = "The transaction"),
    responses((status = 200, description = "It would be accepted", body = Item)))]
pub(super) async fn check(
    State(api): State<Api>,
    request: Request,
) -> Result<Json<impl Serialize>, Problem> {
    let bytes = json_body(request, TXNS_LIMIT).await?;
    let txn = parse_object::<SignedTxn<'_>>(&bytes)?.into_transaction(&api.node.genesis().id)?;
    let id = txn.id(&api.node.genesis().id);
    let status = match api.node.check(txn).await {
        Ok(Accepted::New) => "acceptable",
        Ok(Accepted::Known) => TxStatus::Pending.word(),
        Err(error) => match api
            .node
            .reader()
            .transaction(id)
            .await
            .map_err(unreadable)?
        {
            // Sent again it would be accepted again. Its signature is checked.
            Some((_, status @ TxStatus::Included { .. })) if number_is_used(&error) => {
                status_word(&status, api.node.view().last_final())
            }
            _ => return Err(refused(error)),
        },
    };
    Ok(Json(Item::Taken { id, status }))
}
