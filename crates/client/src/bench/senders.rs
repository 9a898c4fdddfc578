//! Sends the arrays of a lane in order over one connection and judges every item of
//! every answer. A full queue is back-pressure and waited out; any other refusal ends it.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ccoin_core::TxId;
use hyper::body::Bytes;
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::BenchError;
use super::pace::Pace;
use super::plan::SignedArray;
use crate::{Connection, HttpError, http};

/// The path of submissions.
const PATH: &str = "/v1/txns";

/// Pause when items of an accepted request met a full queue: a few blocks.
const ITEM_PAUSE: Duration = Duration::from_millis(200);

/// What senders and follower know of each other.
#[derive(Debug)]
pub(super) struct Flight {
    /// Ids of all transfers.
    pub(super) ids: Vec<TxId>,
    /// When the clock started.
    pub(super) start: Instant,
    pub(super) pace: Pace,
    /// Longest time without progress.
    pub(super) patience: Duration,
    /// Places for transfers that are sent and not yet in a block.
    pub(super) places: Semaphore,
    /// Transfers that the node took.
    pub(super) accepted: AtomicUsize,
    /// When the last transfer was taken, once it was.
    pub(super) all_sent: OnceLock<Instant>,
}

/// When the transfers of an array were sent; in an open loop: were due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// Index of the first.
    pub(super) first: usize,
    /// How many.
    pub(super) count: usize,
    /// Since the start.
    pub(super) at: Duration,
}

/// Sends all arrays of one lane.
///
/// # Errors
/// [`BenchError`] for the first refusal, or when the node does not answer any more.
pub(super) async fn send_lane(
    mut connection: Connection,
    arrays: Vec<SignedArray>,
    flight: Arc<Flight>,
) -> Result<Vec<Sent>, BenchError> {
    let mut sent = Vec::with_capacity(arrays.len());
    for array in arrays {
        let due = flight.pace.due(array.first);
        if let Some(due) = due {
            tokio::time::sleep_until((flight.start + due).into()).await;
        }
        let count = array.len();
        let places = u32::try_from(count).expect("an array has at most 1,000 items");
        flight
            .places
            .acquire_many(places)
            .await
            .expect("nobody closes the semaphore")
            .forget();
        let at = due.unwrap_or_else(|| flight.start.elapsed());
        send_array(&mut connection, &array, &flight).await?;
        sent.push(Sent {
            first: array.first,
            count,
            at,
        });
    }
    Ok(sent)
}

/// Sends an array until all of it is accepted.
async fn send_array(
    connection: &mut Connection,
    array: &SignedArray,
    flight: &Flight,
) -> Result<(), BenchError> {
    let ids = &flight.ids[array.first..array.first + array.len()];
    let mut open: Vec<usize> = (0..array.len()).collect();
    let mut body = array.json();
    let mut moved = Instant::now();
    loop {
        let pause = match connection.post(PATH, &body).await {
            Ok(answer) => {
                let waiting = judge(&answer, &open, ids)?;
                let taken = open.len() - waiting.len();
                flight.accepted.fetch_add(taken, Ordering::Relaxed);
                if waiting.is_empty() {
                    return Ok(());
                }
                if taken > 0 {
                    moved = Instant::now();
                }
                open = waiting;
                body = array.some(&open);
                ITEM_PAUSE
            }
            Err(HttpError::Refused(refusal)) if refusal.retry_after.is_some() => {
                refusal.retry_after.unwrap_or(ITEM_PAUSE)
            }
            Err(error) => return Err(error.into()),
        };
        let waited = moved.elapsed();
        if waited > flight.patience {
            let id = open.first().and_then(|position| ids.get(*position));
            return Err(BenchError::QueueFull {
                id: id.copied().unwrap_or(TxId::ZERO),
                waited: waited.as_secs(),
            });
        }
        tokio::time::sleep(pause).await;
    }
}

#[derive(Deserialize)]
struct Items<'a> {
    #[serde(borrow)]
    items: Vec<Item<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    id: Option<TxId>,
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
    problem: Option<ItemProblem>,
}

#[derive(Deserialize)]
struct ItemProblem {
    code: String,
    detail: String,
}

/// Which of the items sent (positions in `ids`) have to be sent again.
fn judge(answer: &Bytes, open: &[usize], ids: &[TxId]) -> Result<Vec<usize>, BenchError> {
    let Items { items } = http::parse(PATH, answer)?;
    if items.len() != open.len() {
        let reason = format!("{} items, expected {}", items.len(), open.len());
        return Err(BenchError::Answer(reason));
    }
    let mut again = Vec::new();
    for (item, position) in items.into_iter().zip(open) {
        let id = ids[*position];
        match (item.problem, item.status.as_deref()) {
            (None, Some("pending" | "included" | "final")) if item.id == Some(id) => {}
            // After one that met a full queue, the next ones of its account leave a gap.
            (Some(problem), _)
                if problem.code == "queue-full"
                    || (problem.code == "nonce-gap" && !again.is_empty()) =>
            {
                again.push(*position);
            }
            (Some(ItemProblem { code, detail }), _) => {
                return Err(BenchError::Refused { id, code, detail });
            }
            (None, status) => {
                let got = item.id.map_or("no id".to_owned(), |id| id.to_string());
                let status = status.unwrap_or("no status");
                let reason = format!("{got} with {status}, expected {id} pending");
                return Err(BenchError::Answer(reason));
            }
        }
    }
    Ok(again)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(items: &[String]) -> Bytes {
        format!(r#"{{"items":[{}]}}"#, items.join(",")).into()
    }

    fn taken(id: TxId, status: &str) -> String {
        format!(r#"{{"id":"{id}","status":"{status}"}}"#)
    }

    fn problem(id: TxId, code: &str) -> String {
        format!(
            r#"{{"id":"{id}","problem":{{"type":"about:blank","title":"t","status":503,"code":"{code}","detail":"d"}}}}"#
        )
    }

    #[test]
    fn back_pressure_is_sent_again_and_a_refusal_ends_it() {
        let ids: Vec<_> = (0..4).map(|n| TxId::new([n; 32])).collect();
        let all = [0, 1, 2, 3];
        let good = answer(
            &ids.iter()
                .map(|id| taken(*id, "pending"))
                .collect::<Vec<_>>(),
        );
        assert_eq!(judge(&good, &all, &ids).unwrap(), [0; 0]);

        let full = answer(&[
            taken(ids[0], "included"),
            problem(ids[1], "queue-full"),
            taken(ids[2], "pending"),
            problem(ids[3], "nonce-gap"),
        ]);
        assert_eq!(judge(&full, &all, &ids).unwrap(), [1, 3]);

        let rest = answer(&[taken(ids[1], "pending"), problem(ids[3], "queue-full")]);
        assert_eq!(judge(&rest, &[1, 3], &ids).unwrap(), [3]);

        for code in ["nonce-gap", "nonce-used", "bad-signature"] {
            let error = judge(&answer(&[problem(ids[2], code)]), &[2], &ids).unwrap_err();
            let BenchError::Refused { id, code: got, .. } = error else {
                panic!("{error}")
            };
            assert_eq!((id, got.as_str()), (ids[2], code));
        }
    }

    #[test]
    fn an_answer_about_something_else_is_noticed() {
        let ids = [TxId::new([1; 32]), TxId::new([2; 32])];
        for wrong in [
            answer(&[]),
            answer(&[taken(ids[1], "pending")]),
            answer(&[taken(ids[0], "dropped")]),
            answer(&[format!(r#"{{"id":"{}"}}"#, ids[0])]),
            "[]".into(),
        ] {
            assert!(judge(&wrong, &[0], &ids).is_err(), "{wrong:?}");
        }
    }
}
