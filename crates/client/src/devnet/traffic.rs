//! Signed transfers among the accounts at a steady rate, through the nodes in turn. A
//! refused transfer is not sent again: its account asks for its next number and goes on.

use std::time::{Duration, Instant};

use ccoin_core::{AccountNonce, Address, BlockId};
use ccoin_crypto::SecretKey;

use crate::answers::Submitted;
use crate::files::json;
use crate::signed_txn::{SignedTxn, now, transfer};
use crate::{AccountAnswer, Connection, HttpError, NodeUrl, http};

/// The path of submissions.
const PATH: &str = "/v1/txns";

/// Shortest time between two requests.
const BEAT: Duration = Duration::from_millis(20);

/// Most transfers of a request; transfers that are due beyond that are skipped.
const MAX_TRANSFERS: u64 = 500;

/// Longest wait for an answer. The next node gets the transfers that a dead or hung one did
/// not take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Sends `rate` transfers a second until it is dropped; `complain` hears when nodes begin
/// to fail.
pub(super) async fn send(
    rate: u32,
    keys: Vec<SecretKey>,
    urls: Vec<NodeUrl>,
    genesis_id: BlockId,
    complain: impl Fn(String),
) {
    let addresses: Vec<_> = keys.iter().map(|key| key.public_key().address()).collect();
    let payer = |key| Payer { key, next: None };
    let mut payers: Vec<_> = keys.into_iter().map(payer).collect();
    let connect = |url: &NodeUrl| Connection::new(url.clone());
    let mut nodes: Vec<_> = urls.iter().map(connect).collect();
    let (begun, mut sent, mut fine) = (Instant::now(), 0, true);
    let beat = BEAT.max(Duration::from_secs(1) / rate.max(1));
    for turn in 0_usize.. {
        tokio::time::sleep(beat).await;
        let (from, to) = (turn % payers.len(), (turn + 1) % payers.len());
        let node = turn % nodes.len();
        let due = due(begun.elapsed(), rate);
        sent = sent.max(due.saturating_sub(MAX_TRANSFERS));
        let paying = payers[from].pay(addresses[to], due - sent, &genesis_id, &mut nodes[node]);
        let problem = match tokio::time::timeout(PATIENCE, paying).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("{} does not answer", urls[node])),
        };
        let was_fine = fine;
        fine = problem.is_none();
        match problem {
            None => sent = due,
            Some(problem) => {
                payers[from].next = None;
                // A late answer on the old connection belongs to no request.
                nodes[node] = connect(&urls[node]);
                if was_fine {
                    complain(format!("traffic: {problem}"));
                }
            }
        }
    }
}

/// Transfers that are due after this time.
fn due(elapsed: Duration, rate: u32) -> u64 {
    let due = elapsed.as_millis() * u128::from(rate) / 1_000;
    u64::try_from(due).unwrap_or(u64::MAX)
}

/// An account that pays.
struct Payer {
    key: SecretKey,
    /// Number of its next transfer; `None` until a node has told it.
    next: Option<AccountNonce>,
}

impl Payer {
    /// Sends `count` transfers of one coin in one request.
    async fn pay(
        &mut self,
        to: Address,
        count: u64,
        genesis_id: &BlockId,
        node: &mut Connection,
    ) -> Result<(), HttpError> {
        let mut next = match self.next {
            Some(next) => next,
            None => {
                let path = format!("/v1/accounts/{}", self.key.public_key().address());
                node.get::<AccountAnswer>(&path).await?.next_number
            }
        };
        let mut txns = Vec::new();
        for _ in 0..count {
            let signed = transfer(&self.key, next, to, "", now(), genesis_id);
            let (Ok(txn), Some(following)) = (signed, next.checked_add(1)) else {
                break;
            };
            txns.push(txn);
            next = following;
        }
        if txns.is_empty() {
            return Ok(());
        }
        let body: Vec<_> = txns.iter().map(SignedTxn::new).collect();
        let answer = node.post(PATH, &json(&body).into()).await?;
        let answer: Submitted<'_> = http::parse(PATH, &answer)?;
        let refused = answer.items.iter().any(|item| item.problem.is_some());
        self.next = (!refused).then_some(next);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_due_number_follows_the_clock_without_drift() {
        assert_eq!(due(Duration::from_millis(333), 3), 0);
        assert_eq!(due(Duration::from_millis(334), 3), 1);
        assert_eq!(due(Duration::from_secs(10), 3), 30);
        assert_eq!(due(Duration::from_secs(86_400), 5_000), 432_000_000);
    }
}
