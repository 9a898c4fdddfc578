//! Makes a block of a network whose blocks are made by hand: its validator gets a signal, and
//! makes the block as soon as the rules allow it.

use std::time::{Duration, Instant};

use ccoin_core::{Amount, BlockId, Height};
use ccoin_home::{ExitCode, Failure};
use serde::{Deserialize, Serialize};

use super::NodeType;
use super::apply::refused;
use super::network::Network;
use crate::files::json;
use crate::{Connection, StatusAnswer};

/// Longest wait for a block. The rules let an empty one follow after the block time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Time between two looks at the heights of the nodes.
const LOOK: Duration = Duration::from_millis(5);

/// A block that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinedBlock {
    /// Its number.
    pub number: Height,
    /// Its id.
    pub id: BlockId,
    /// How many transactions it has.
    pub txns: usize,
    /// Coins of its miner: 0 unless it is the first block of its slot.
    pub reward: Amount,
}

/// `GET /v1/blocks/{n}?body=ids`.
#[derive(Deserialize)]
struct Made {
    id: BlockId,
    reward: Amount,
    body: Vec<String>,
}

impl Network {
    /// Makes one block, and waits until it is final at all nodes that run and are not cut off.
    ///
    /// # Errors
    /// [`Failure`] 6 if blocks are not made by hand or the validator does not run, 5 if a node
    /// has no such block after a minute.
    pub(super) async fn mine(&mut self) -> Result<String, Failure> {
        if !self.manual {
            let message = "the blocks of this devnet are made by themselves".to_owned();
            return Err(
                refused(message).hint("ccoin devnet --manual   starts one where they are not")
            );
        }
        let validator = NodeType::Validator.name(0);
        self.running(&validator)?;
        let url = self.report.nodes[0].http.parse()?;
        let mut connection = Connection::new(url);
        let before: StatusAnswer = connection.get("/v1/status").await?;
        let number = before.height.next().unwrap_or(Height::MAX);
        self.running(&validator)?.make_block();
        self.reach(number).await?;
        let path = format!("/v1/blocks/{number}?body=ids");
        let made: Made = connection.get(&path).await?;
        Ok(json(&MinedBlock {
            number,
            id: made.id,
            txns: made.body.len(),
            reward: made.reward,
        }))
    }

    /// Waits until a block is final at the validator, and at all others that meet it.
    async fn reach(&mut self, number: Height) -> Result<(), Failure> {
        let deadline = Instant::now() + PATIENCE;
        let met = if self.cut.is_some() { 1 } else { usize::MAX };
        let nodes = self.report.nodes.iter().take(met);
        let nodes = nodes.filter(|node| node.pid.is_some());
        let nodes: Vec<_> = nodes.map(|node| node.name.clone()).collect();
        for name in nodes {
            let index = self.position(&name)?;
            let mut connection = Connection::new(self.report.nodes[index].http.parse()?);
            while connection
                .get::<StatusAnswer>("/v1/status")
                .await?
                .last_final
                .number
                < number
            {
                if Instant::now() > deadline {
                    let seconds = PATIENCE.as_secs();
                    let message = format!("{name} has no final block {number} after {seconds} s");
                    return Err(Failure::new(ExitCode::Connect, message)
                        .hint(format!("log: {}", self.layout.log(&name).display())));
                }
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(())
    }
}
