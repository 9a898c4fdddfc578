//! Sends the arrays of a lane in order over one connection and judges every item of
//! every answer. A full queue is back-pressure and waited out; any other refusal ends it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ccoin_core::TxId;
use ccoin_home::{ExitCode, Failure};
use hyper::body::Bytes;
use tokio::sync::Semaphore;

use super::pace::Pace;
use super::plan::SignedArray;
use crate::answers::{ItemProblem, Submitted};
use crate::{Connection, HttpError, http};

/// The path of submissions.
const PATH: &str = "/v1/txns";

/// Pause when items of an accepted request met a full queue: a few blocks.
const ITEM_PAUSE: Duration = Duration::from_millis(200);

/// The state that senders and follower share.
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
/// [`Failure`] for the first refusal, or when the node does not answer any more.
pub(super) async fn send_lane(
    mut connection: Connection,
    arrays: Vec<SignedArray>,
    flight: Arc<Flight>,
) -> Result<Vec<Sent>, Failure> {
    let mut sent = Vec::with_capacity(arrays.len());
    for array in arrays {
        let due = flight.pace.due(array.first);
        if let Some(due) = due {
            tokio::time::sleep_until((flight.start + due).into()).await;
        }
        let count = array.count;
        let places = u32::try_from(count).expect("an array has at most 1,000 items");
        flight
            .places
            .acquire_many(places)
            .await
            .expect("the semaphore is never closed")
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

/// Sends an array until all of it is accepted. A node answers a transfer that it has
/// already accepted as the first time, so the whole array is sent again.
async fn send_array(
    connection: &mut Connection,
    array: &SignedArray,
    flight: &Flight,
) -> Result<(), Failure> {
    let ids = &flight.ids[array.first..array.first + array.count];
    let mut accepted = 0;
    let mut moved = Instant::now();
    loop {
        let pause = match connection.post(PATH, &array.json).await {
            Ok(answer) => {
                let now_accepted = judge(&answer, ids)?;
                if now_accepted > accepted {
                    let more = now_accepted - accepted;
                    flight.accepted.fetch_add(more, Ordering::Relaxed);
                    (accepted, moved) = (now_accepted, Instant::now());
                }
                if accepted == ids.len() {
                    return Ok(());
                }
                ITEM_PAUSE
            }
            Err(HttpError::Refused(refusal)) if refusal.retry_after.is_some() => {
                refusal.retry_after.unwrap_or(ITEM_PAUSE)
            }
            Err(error) => return Err(error.into()),
        };
        let waited = moved.elapsed();
        if waited > flight.patience {
            let (waited, waiting) = (waited.as_secs(), ids.len() - accepted);
            return Err(unexpected(format!(
                "the queue was full for {waited} s: {waiting} transfers could not be sent"
            )));
        }
        tokio::time::sleep(pause).await;
    }
}

/// Counts the accepted items of an answer.
///
/// # Errors
/// [`Failure`] 1 for a refusal other than a full queue, or an answer to another array.
fn judge(answer: &Bytes, ids: &[TxId]) -> Result<usize, Failure> {
    let Submitted { items } = http::parse(PATH, answer)?;
    let misfit = |reason| unexpected(format!("the answer to an array does not fit it: {reason}"));
    if items.len() != ids.len() {
        return Err(misfit(format!(
            "{} items, expected {}",
            items.len(),
            ids.len()
        )));
    }
    let (mut accepted, mut full) = (0, false);
    for (item, id) in items.into_iter().zip(ids) {
        match (item.problem, item.status.as_deref()) {
            (None, Some("pending" | "included" | "final")) if item.id == Some(*id) => accepted += 1,
            (Some(problem), _) if problem.code == "queue-full" => full = true,
            // The transfers of an account after one that met a full queue leave a gap.
            (Some(problem), _) if problem.code == "nonce-gap" && full => {}
            (Some(ItemProblem { code, detail }), _) => {
                let failure = unexpected(format!("transfer {id} was refused: {code}: {detail}"));
                return Err(match code.as_str() {
                    "insufficient-funds" => {
                        failure.hint("was genesis.json of ccoin bench --init used for this chain?")
                    }
                    _ => failure,
                });
            }
            (None, status) => {
                let got = item.id.map_or("no id".to_owned(), |id| id.to_string());
                let status = status.unwrap_or("no status");
                return Err(misfit(format!(
                    "{got} with {status}, expected {id} pending"
                )));
            }
        }
    }
    Ok(accepted)
}

fn unexpected(message: String) -> Failure {
    Failure::new(ExitCode::Unexpected, message)
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
    fn a_full_queue_is_no_error_and_any_other_refusal_is() {
        let ids: Vec<_> = (0..4).map(|n| TxId::new([n; 32])).collect();
        let good = answer(
            &ids.iter()
                .map(|id| taken(*id, "pending"))
                .collect::<Vec<_>>(),
        );
        assert_eq!(judge(&good, &ids).unwrap(), 4);

        let full = answer(&[
            taken(ids[0], "included"),
            problem(ids[1], "queue-full"),
            taken(ids[2], "pending"),
            problem(ids[3], "nonce-gap"),
        ]);
        assert_eq!(judge(&full, &ids).unwrap(), 2);

        for code in ["nonce-gap", "nonce-used", "bad-signature"] {
            let refused = answer(&[problem(ids[2], code)]);
            let failure = judge(&refused, &ids[2..3]).unwrap_err();
            let message = format!("transfer {} was refused: {code}: d", ids[2]);
            assert_eq!(failure, Failure::new(ExitCode::Unexpected, message));
        }
        let poor = answer(&[problem(ids[0], "insufficient-funds")]);
        assert_eq!(judge(&poor, &ids[..1]).unwrap_err().hints.len(), 1);
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
            assert!(judge(&wrong, &ids[..1]).is_err(), "{wrong:?}");
        }
    }
}
