//! Waits until a block holds a transaction, or is final, and says meanwhile what holds it up.

use std::time::{Duration, Instant};

use ccoin_core::{TxId, genesis_config::GenesisConfig};
use ccoin_home::{ExitCode, Failure};
use serde::Deserialize;

use crate::{Connection, GenesisAnswer};

/// How often the node is asked for the transaction, and how often a reason is told.
const POLL: Duration = Duration::from_millis(200);
const TELL: Duration = Duration::from_secs(5);

/// What a sender waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A block holds the payment.
    Included,
    /// That block is final.
    Final,
}

/// What to wait for and how long.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    /// The status that ends it.
    pub goal: Goal,
    /// `None`: the interval of the network, two slots and ten seconds.
    pub timeout: Option<Duration>,
}

/// What is known of a transaction: `GET /v1/txns/{id}`.
#[derive(Debug, Deserialize)]
pub(crate) struct TxnAnswer {
    pub(crate) id: TxId,
    pub(crate) status: String,
    pub(crate) block_number: Option<u64>,
    reason: Option<String>,
}

impl TxnAnswer {
    /// One that was just accepted.
    pub(crate) fn new(id: TxId, status: String) -> Self {
        Self {
            id,
            status,
            block_number: None,
            reason: None,
        }
    }
}

#[derive(Deserialize)]
struct Why {
    sentence: String,
}

impl Wait {
    fn goes_on(self, status: &str) -> bool {
        status == "pending" || (self.goal == Goal::Final && status == "included")
    }

    /// Waits; `tell` hears every five seconds what holds the transaction up.
    ///
    /// # Errors
    /// [`Failure`] 6 if the transaction is dropped, 5 if the time is over.
    pub(crate) async fn end(
        self,
        node: &mut Connection,
        mut answer: TxnAnswer,
        tell: impl Fn(&str),
    ) -> Result<TxnAnswer, Failure> {
        let patience = match self.timeout {
            Some(timeout) => timeout,
            None => usual_patience(node).await?,
        };
        let (begun, mut told) = (Instant::now(), Instant::now());
        let path = format!("/v1/txns/{}", answer.id);
        while self.goes_on(&answer.status) {
            if begun.elapsed() >= patience {
                return Err(too_late(node, &answer, patience).await);
            }
            if told.elapsed() >= TELL {
                told = Instant::now();
                tell(&format!("waiting: {}", reason(node).await));
            }
            tokio::time::sleep(POLL).await;
            answer = node.get(&path).await?;
        }
        match answer.reason {
            None => Ok(answer),
            Some(reason) => {
                let message = format!("{} was dropped: {reason}", answer.id);
                Err(Failure::new(ExitCode::Refused, message))
            }
        }
    }
}

async fn too_late(node: &mut Connection, answer: &TxnAnswer, patience: Duration) -> Failure {
    let (message, stays) = match answer.status.as_str() {
        "included" => ("is in a block, which is not final", "it stays there"),
        _ => ("is in no block", "it stays queued"),
    };
    let seconds = patience.as_secs();
    let message = format!("{} {message} after {seconds} s", answer.id);
    Failure::new(ExitCode::Connect, message)
        .hint(format!("{stays}: {}", reason(node).await))
        .hint(format!("ccoin txn {}   shows what became of it", answer.id))
}

/// As long as a block may take: interval, two slots, ten seconds.
async fn usual_patience(node: &mut Connection) -> Result<Duration, Failure> {
    let genesis: GenesisAnswer = node.get("/v1/blocks/1").await?;
    let config = GenesisConfig::from_canonical_json(&genesis.data)
        .map_err(|error| Failure::new(ExitCode::Unexpected, error.to_string()))?;
    let slots = config.consensus.slot_ms.saturating_mul(2);
    let ms = config.block_mining.interval_ms.saturating_add(slots);
    Ok(Duration::from_millis(ms).saturating_add(Duration::from_secs(10)))
}

async fn reason(node: &mut Connection) -> String {
    match node.get::<Why>("/v1/why").await {
        Ok(why) => why.sentence,
        Err(error) => error.to_string(),
    }
}
