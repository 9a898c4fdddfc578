//! Watches the chain grow and notes when each transfer was first seen in a block.
//! When the node changes to another branch, the blocks it left are undone. It never
//! decides what is accepted.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ccoin_core::{BlockId, TxId};
use tokio::time::MissedTickBehavior;

use super::BenchError;
use super::senders::Flight;
use crate::progress::Progress;
use crate::{BlockIds, Connection, HttpError, StatusAnswer};

/// Time between two questions for the height.
const POLL: Duration = Duration::from_millis(10);

/// What was seen in blocks.
#[derive(Debug, Default)]
pub(super) struct Inclusions {
    /// Since the start, for each transfer in the order of the plan.
    pub(super) at: Vec<Option<Duration>>,
    /// Transfers of ours in each block that had any.
    pub(super) blocks: Vec<usize>,
}

/// Follows the chain above `height` until every transfer is in a block.
///
/// # Errors
/// [`BenchError::NotIncluded`] when no block took any for too long.
pub(super) async fn follow(
    mut connection: Connection,
    mut height: u64,
    flight: Arc<Flight>,
) -> Result<Inclusions, BenchError> {
    let positions: HashMap<TxId, usize> = flight
        .ids
        .iter()
        .enumerate()
        .map(|(position, id)| (*id, position))
        .collect();
    let total = flight.ids.len();
    let mut seen = Seen {
        at: vec![None; total],
        blocks: Vec::new(),
        included: 0,
    };
    // Those behind the sender's limit were told once, whatever becomes of their block.
    let mut most = 0;
    let mut moved = Instant::now();
    let mut progress = Progress::new("in blocks", total);
    let mut ticks = tokio::time::interval(POLL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while seen.included < total {
        ticks.tick().await;
        let status: StatusAnswer = connection.get("/v1/status").await?;
        let now = flight.start.elapsed();
        while height < status.height.get() {
            let path = format!("/v1/blocks/{}?body=ids", height + 1);
            let block: BlockIds = match connection.get(&path).await {
                Ok(block) => block,
                // The node has changed to a branch that is shorter at present.
                Err(HttpError::Refused(refusal)) if refusal.status == 404 => break,
                Err(error) => return Err(error.into()),
            };
            if seen.follows(&block) {
                seen.note(&block, &positions, now);
                height += 1;
            } else {
                seen.undo();
                height -= 1;
            }
            if seen.included > most {
                flight.places.add_permits(seen.included - most);
                most = seen.included;
                moved = Instant::now();
            }
        }
        let included = seen.included;
        progress.tell(included);
        let accepted = flight.accepted.load(Ordering::Relaxed);
        if accepted <= included {
            moved = Instant::now();
        }
        let since = flight.all_sent.get().copied().unwrap_or(moved).min(moved);
        if included < total && since.elapsed() > flight.patience {
            return Err(BenchError::NotIncluded {
                missing: accepted.saturating_sub(included),
                accepted,
                waited: since.elapsed().as_secs(),
                height,
            });
        }
    }
    progress.finish();
    Ok(Inclusions {
        at: seen.at,
        blocks: seen
            .blocks
            .iter()
            .map(|(_, ours)| ours.len())
            .filter(|ours| *ours > 0)
            .collect(),
    })
}

/// The node's branch, as far as it was followed.
struct Seen {
    at: Vec<Option<Duration>>,
    /// Id and transfers of ours of each block.
    blocks: Vec<(BlockId, Vec<usize>)>,
    included: usize,
}

impl Seen {
    fn follows(&self, block: &BlockIds) -> bool {
        let last = self.blocks.last();
        last.is_none_or(|(id, _)| *id == block.hash_parent)
    }

    /// Notes the transfers of a block that were not seen before.
    fn note(&mut self, block: &BlockIds, positions: &HashMap<TxId, usize>, now: Duration) {
        let mut ours = Vec::new();
        for position in block.body.iter().filter_map(|id| positions.get(id)) {
            if self.at[*position].is_none() {
                self.at[*position] = Some(now);
                ours.push(*position);
            }
        }
        self.included += ours.len();
        self.blocks.push((block.id, ours));
    }

    /// Forgets the newest block: the node has left it.
    fn undo(&mut self) {
        for position in self.blocks.pop().into_iter().flat_map(|(_, ours)| ours) {
            self.at[position] = None;
            self.included -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_counts_once_and_a_left_block_not_at_all() {
        let ids: Vec<_> = (0..3).map(|n| TxId::new([n; 32])).collect();
        let positions = ids
            .iter()
            .enumerate()
            .map(|(position, id)| (*id, position))
            .collect();
        let mut seen = Seen {
            at: vec![None; 3],
            blocks: Vec::new(),
            included: 0,
        };
        let first = Duration::from_millis(5);
        let stranger = TxId::new([9; 32]);
        let [one, two, rival] = [1, 2, 3].map(|n| BlockId::new([n; 32]));
        let block = |id, hash_parent, body| BlockIds {
            id,
            hash_parent,
            body,
        };
        seen.note(
            &block(one, BlockId::ZERO, vec![ids[2], stranger, ids[0]]),
            &positions,
            first,
        );
        let next = block(two, one, vec![ids[2], ids[1]]);
        assert!(seen.follows(&next));
        seen.note(&next, &positions, first * 2);
        assert_eq!(seen.at, [Some(first), Some(first * 2), Some(first)]);
        assert_eq!(seen.included, 3);

        let switch = block(rival, one, vec![]);
        assert!(!seen.follows(&switch));
        seen.undo();
        assert!(seen.follows(&switch));
        assert_eq!(seen.at, [Some(first), None, Some(first)]);
        assert_eq!(seen.included, 2);
    }
}
