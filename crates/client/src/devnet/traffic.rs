//! Signed transfers among the accounts at a steady rate, through the nodes in turn. What
//! a node refuses is not sent again: its account asks for its next number and goes on.

use std::time::{Duration, Instant};

use ccoin_core::transaction::{Payment, Transaction};
use ccoin_core::{AccountNonce, Amount, BlockId};
use ccoin_crypto::SecretKey;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::signed_txn::{SignedTxn, now};
use crate::{AccountAnswer, Connection, HttpError, NodeUrl, http};

/// The path of submissions.
const PATH: &str = "/v1/txns";

/// Shortest time between two requests.
const BEAT: Duration = Duration::from_millis(20);

/// Most transfers of a request; what is due beyond that is left out.
const MOST: u64 = 500;

/// Longest wait for an answer, and how long a node that has failed is left alone: the
/// others go on beside one that is dead or hangs.
const PATIENCE: Duration = Duration::from_secs(1);
const REST: Duration = Duration::from_secs(5);

/// A node that takes transfers.
struct Taker {
    url: NodeUrl,
    connection: Connection,
    rests_until: Instant,
}

impl Taker {
    fn new(url: NodeUrl) -> Self {
        Self {
            connection: Connection::new(url.clone()),
            url,
            rests_until: Instant::now(),
        }
    }

    /// What was said on the old connection is nobody's answer any more.
    fn rest(&mut self) {
        self.connection = Connection::new(self.url.clone());
        self.rests_until = Instant::now() + REST;
    }
}

/// An account that pays.
struct Payer {
    key: SecretKey,
    /// Number of its next transfer; nothing until a node has said it.
    next: Option<AccountNonce>,
}

#[derive(Deserialize)]
struct Items {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    problem: Option<IgnoredAny>,
}

/// Sends `rate` transfers a second until it is dropped; `complain` hears when nodes begin
/// to fail.
pub(super) async fn send(
    rate: u32,
    keys: Vec<SecretKey>,
    urls: Vec<NodeUrl>,
    genesis_id: BlockId,
    complain: impl Fn(String),
) {
    let mut payers: Vec<_> = keys
        .into_iter()
        .map(|key| Payer { key, next: None })
        .collect();
    let mut nodes: Vec<_> = urls.into_iter().map(Taker::new).collect();
    if payers.is_empty() || nodes.is_empty() {
        return;
    }
    let (begun, mut sent, mut fine) = (Instant::now(), 0, true);
    let beat = BEAT.max(Duration::from_secs(1) / rate.max(1));
    for turn in 0_usize.. {
        tokio::time::sleep(beat).await;
        let due = due(begun.elapsed(), rate).saturating_sub(sent);
        sent += due;
        let payer = turn % payers.len();
        let up = |node: &&mut Taker| node.rests_until <= Instant::now();
        let first = turn % nodes.len();
        let (behind, ahead) = nodes.split_at_mut(first);
        let Some(node) = ahead.iter_mut().chain(behind).find(up) else {
            continue;
        };
        let to = payers[(payer + 1) % payers.len()]
            .key
            .public_key()
            .address();
        let transfers = Transfers {
            to,
            count: due.min(MOST),
            genesis_id,
        };
        let sending = transfers.send(&mut payers[payer], &mut node.connection);
        let outcome = tokio::time::timeout(PATIENCE, sending).await;
        if !matches!(outcome, Ok(Ok(()) | Err(HttpError::Refused(_)))) {
            node.rest();
        }
        let problem = match outcome {
            Ok(outcome) => outcome.err().map(|error| error.to_string()),
            Err(_) => Some(format!("{} does not answer", node.url)),
        };
        if let Some(problem) = &problem {
            payers[payer].next = None;
            if fine {
                complain(format!("traffic: {problem}"));
            }
        }
        fine = problem.is_none();
    }
}

/// Transfers that should have been sent by now.
fn due(elapsed: Duration, rate: u32) -> u64 {
    let due = elapsed.as_millis() * u128::from(rate) / 1_000;
    u64::try_from(due).unwrap_or(u64::MAX)
}

/// What one request carries.
struct Transfers {
    to: ccoin_core::Address,
    count: u64,
    genesis_id: BlockId,
}

impl Transfers {
    async fn send(&self, payer: &mut Payer, node: &mut Connection) -> Result<(), HttpError> {
        let mut next = match payer.next {
            Some(next) => next,
            None => {
                let path = format!("/v1/accounts/{}", payer.key.public_key().address());
                node.get::<AccountAnswer>(&path).await?.next_number
            }
        };
        let mut txns = Vec::new();
        for _ in 0..self.count {
            let Some((txn, following)) = self.sign(&payer.key, next) else {
                break;
            };
            txns.push(txn);
            next = following;
        }
        if txns.is_empty() {
            return Ok(());
        }
        let body: Vec<_> = txns.iter().map(SignedTxn::new).collect();
        let body = serde_json::to_vec(&body).expect("texts and numbers can always be written");
        let answer = node.post(PATH, &body.into()).await?;
        let answer: Items = http::parse(PATH, &answer)?;
        let refused = answer.items.iter().any(|item| item.problem.is_some());
        payer.next = (!refused).then_some(next);
        Ok(())
    }

    /// A transfer and the number after it; nothing when numbers run out.
    fn sign(&self, key: &SecretKey, number: AccountNonce) -> Option<(Transaction, AccountNonce)> {
        let payment = Payment {
            number,
            to: self.to,
            amount: Amount::new(1).ok()?,
            data: String::new(),
            time: now(),
        };
        let txn = Transaction::sign(payment, key, &self.genesis_id).ok()?;
        Some((txn, number.checked_add(1)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_follows_the_clock_without_drift() {
        assert_eq!(due(Duration::from_millis(333), 3), 0);
        assert_eq!(due(Duration::from_millis(334), 3), 1);
        assert_eq!(due(Duration::from_secs(10), 3), 30);
        assert_eq!(due(Duration::from_secs(86_400), 5_000), 432_000_000);
    }

    #[test]
    fn a_transfer_of_one_coin_has_its_number_and_leads_to_the_next() {
        let key = SecretKey::generate(2048).unwrap();
        let transfers = Transfers {
            to: ccoin_core::Address::ZERO,
            count: 1,
            genesis_id: BlockId::new([7; 32]),
        };
        let number = AccountNonce::new(5).unwrap();
        let (txn, next) = transfers.sign(&key, number).unwrap();
        assert_eq!((txn.number.get(), txn.amount.get(), next.get()), (5, 1, 6));
    }
}
