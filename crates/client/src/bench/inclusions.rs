//! Records when each transfer was first seen in a block. A block that the node reverts
//! does not count. It never decides what is accepted.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ccoin_core::TxId;
use ccoin_home::{ExitCode, Failure};
use tokio::time::MissedTickBehavior;

use super::senders::Flight;
use crate::blocks::{BlockFollower, Change};
use crate::progress::Progress;

/// Time between two requests for the height.
const POLL: Duration = Duration::from_millis(10);

/// The transfers that were seen in blocks.
#[derive(Debug, Default)]
pub(super) struct Inclusions {
    /// Since the start, for each transfer in the order of the plan.
    pub(super) at: Vec<Option<Duration>>,
    /// Positions of the transfers in each block.
    pub(super) blocks: Vec<Vec<usize>>,
    pub(super) included: usize,
}

/// Follows the chain until every transfer is in a block.
///
/// # Errors
/// [`Failure`] 1 when no block takes a transfer for too long.
pub(super) async fn follow(
    mut follower: BlockFollower,
    flight: Arc<Flight>,
) -> Result<Inclusions, Failure> {
    let positions = flight.ids.iter().enumerate();
    let positions: HashMap<_, _> = positions.map(|(position, id)| (*id, position)).collect();
    let total = flight.ids.len();
    let mut seen = Inclusions::new(total);
    // A place is freed once, even if the block of its transfer is reverted.
    let mut most = 0;
    let mut moved = Instant::now();
    let mut progress = Progress::new("in blocks", total);
    let mut ticks = tokio::time::interval(POLL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while seen.included < total {
        ticks.tick().await;
        let polling = follower.poll(|change, answered| {
            match change {
                Change::Applied(block) => {
                    let now = answered.saturating_duration_since(flight.start);
                    seen.apply(&block.body, &positions, now);
                }
                Change::Reverted(_) => seen.revert(),
            }
            if seen.included > most {
                flight.places.add_permits(seen.included - most);
                most = seen.included;
                moved = Instant::now();
            }
        });
        polling.await?;
        progress.tell(seen.included as u64);
        let accepted = flight.accepted.load(Ordering::Relaxed);
        if accepted <= seen.included {
            moved = Instant::now();
        }
        let since = flight.all_sent.get().copied().unwrap_or(moved).min(moved);
        if seen.included < total && since.elapsed() > flight.patience {
            let (missing, waited) = (accepted.saturating_sub(seen.included), since.elapsed());
            let message = format!(
                "{missing} of {accepted} accepted transfers were in no block {} s later, \
                 the height is {}",
                waited.as_secs(),
                follower.height()
            );
            return Err(Failure::new(ExitCode::Unexpected, message)
                .hint("ask the node: GET /v1/why, GET /v1/status"));
        }
    }
    progress.finish();
    Ok(seen)
}

impl Inclusions {
    /// The start, with `total` transfers in no block.
    pub(super) fn new(total: usize) -> Self {
        Self {
            at: vec![None; total],
            ..Self::default()
        }
    }

    /// Blocks that hold transfers of the plan.
    pub(super) fn block_count(&self) -> usize {
        self.blocks.iter().filter(|block| !block.is_empty()).count()
    }

    /// Records the transfers of a block that were in no block before.
    fn apply(&mut self, body: &[TxId], positions: &HashMap<TxId, usize>, now: Duration) {
        let mut block = Vec::new();
        for position in body.iter().filter_map(|id| positions.get(id)) {
            if self.at[*position].is_none() {
                self.at[*position] = Some(now);
                block.push(*position);
            }
        }
        self.included += block.len();
        self.blocks.push(block);
    }

    /// Takes the last block back.
    fn revert(&mut self) {
        for position in self.blocks.pop().into_iter().flatten() {
            self.at[position] = None;
            self.included -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_counts_once_and_not_in_a_reverted_block() {
        let ids: Vec<_> = (0..3).map(|n| TxId::new([n; 32])).collect();
        let positions = ids.iter().enumerate();
        let positions = positions.map(|(position, id)| (*id, position)).collect();
        let mut seen = Inclusions::new(3);
        let first = Duration::from_millis(5);
        let other = TxId::new([9; 32]);
        seen.apply(&[ids[2], other, ids[0]], &positions, first);
        seen.apply(&[ids[2], ids[1]], &positions, first * 2);
        seen.apply(&[other], &positions, first * 3);
        assert_eq!(seen.at, [Some(first), Some(first * 2), Some(first)]);
        assert_eq!((seen.included, seen.block_count()), (3, 2));
        seen.revert();
        seen.revert();
        assert_eq!(seen.at, [Some(first), None, Some(first)]);
        assert_eq!((seen.included, seen.block_count()), (2, 1));
    }
}
