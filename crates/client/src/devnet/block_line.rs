//! Prints a line for each new block, read from any node that answers. A block that
//! replaces another one of the same height is not printed again.

use std::time::{Duration, SystemTime};

use crate::blocks::{BlockFollower, Change};
use crate::{BlockIds, NodeUrl};

/// Time between two requests for the height.
const POLL: Duration = Duration::from_millis(100);

/// Prints a line for each block from now on; goes on until it is dropped.
pub(super) async fn print_blocks(urls: Vec<NodeUrl>, print: impl Fn(String)) {
    let mut urls = urls.into_iter().cycle();
    let Some(first) = urls.next() else { return };
    let mut follower = BlockFollower::new(first);
    let (mut printed, mut last) = (0, None);
    loop {
        let mut number = follower.height();
        let polled = follower.poll(|change, _| match change {
            Change::Applied(block) => {
                number += 1;
                if number > printed {
                    print(line(number, &block, last));
                    (printed, last) = (number, time(&block));
                }
            }
            Change::Reverted => number -= 1,
        });
        // A node that was stopped does not answer: the next one is asked.
        if polled.await.is_err()
            && let Some(next) = urls.next()
        {
            follower.switch(next);
        }
        tokio::time::sleep(POLL).await;
    }
}

fn time(block: &BlockIds) -> Option<SystemTime> {
    humantime::parse_rfc3339(&block.time).ok()
}

fn line(number: u64, block: &BlockIds, last: Option<SystemTime>) -> String {
    let coinbase = block.coinbase.to_string();
    let miner = &coinbase[coinbase.len() - 8..];
    let since = time(block).zip(last);
    let since = since.and_then(|(time, last)| time.duration_since(last).ok());
    let since = since.map(|since| format!("   {:.1} s later", since.as_secs_f64()));
    let (txns, since) = (block.body.len(), since.unwrap_or_default());
    format!("block {number:<6} {txns:>5} transactions   by ...{miner}{since}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccoin_core::{Address, BlockId, TxId};

    #[test]
    fn a_line_has_number_transactions_miner_and_the_time_since_the_last() {
        let block = BlockIds {
            id: BlockId::ZERO,
            hash_parent: BlockId::ZERO,
            coinbase: Address::new([0xab; 20]),
            time: "2026-11-24T13:00:02.500Z".to_owned(),
            body: vec![TxId::ZERO; 34],
        };
        let last = humantime::parse_rfc3339("2026-11-24T13:00:01.000Z").unwrap();
        assert_eq!(
            line(12, &block, Some(last)),
            "block 12        34 transactions   by ...abababab   1.5 s later"
        );
        let first = "block 12        34 transactions   by ...abababab";
        assert_eq!(line(12, &block, None), first);
        assert_eq!(line(12, &block, Some(last + Duration::from_secs(9))), first);
    }
}
