//! Watches the chain grow and notes when each transfer was first seen in a block.
//! It never decides what is accepted; a block that replaces another is not undone.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ccoin_core::TxId;
use tokio::time::MissedTickBehavior;

use super::BenchError;
use super::senders::Flight;
use crate::progress::Progress;
use crate::{BlockIds, Connection, StatusAnswer};

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
    let mut seen = Inclusions {
        at: vec![None; total],
        blocks: Vec::new(),
    };
    let mut included = 0;
    let mut moved = Instant::now();
    let mut progress = Progress::new("in blocks", total);
    let mut ticks = tokio::time::interval(POLL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while included < total {
        ticks.tick().await;
        let status: StatusAnswer = connection.get("/v1/status").await?;
        let now = flight.start.elapsed();
        while height < status.height.get() {
            height += 1;
            let path = format!("/v1/blocks/{height}?body=ids");
            let block: BlockIds = connection.get(&path).await?;
            let ours = note(&block, &positions, now, &mut seen.at);
            if ours > 0 {
                included += ours;
                seen.blocks.push(ours);
                flight.places.add_permits(ours);
                moved = Instant::now();
            }
        }
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
    Ok(seen)
}

/// Notes the transfers of a block that were not seen before; how many they are.
fn note(
    block: &BlockIds,
    positions: &HashMap<TxId, usize>,
    now: Duration,
    at: &mut [Option<Duration>],
) -> usize {
    let mut ours = 0;
    for position in block.body.iter().filter_map(|id| positions.get(id)) {
        if at[*position].is_none() {
            at[*position] = Some(now);
            ours += 1;
        }
    }
    ours
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_counts_once_and_those_of_others_never() {
        let ids: Vec<_> = (0..3).map(|n| TxId::new([n; 32])).collect();
        let positions = ids
            .iter()
            .enumerate()
            .map(|(position, id)| (*id, position))
            .collect();
        let mut at = vec![None; 3];
        let first = Duration::from_millis(5);
        let stranger = TxId::new([9; 32]);
        let block = BlockIds {
            body: vec![ids[2], stranger, ids[0]],
        };
        assert_eq!(note(&block, &positions, first, &mut at), 2);
        let block = BlockIds {
            body: vec![ids[2], ids[1]],
        };
        assert_eq!(note(&block, &positions, first * 2, &mut at), 1);
        assert_eq!(at, [Some(first), Some(first * 2), Some(first)]);
    }
}
