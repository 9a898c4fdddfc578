//! Prints a line for each new block, read from any node that answers. A block that
//! replaces another one of the same height is not printed again.

use std::collections::BTreeMap;
use std::time::Duration;

use ccoin_core::Address;

use super::DevnetReport;
use crate::NodeUrl;
use crate::block_line::{line, time};
use crate::blocks::{BlockFollower, Change};

/// Time between two requests for the height.
const POLL: Duration = Duration::from_millis(100);

/// Prints a line for each block from now on; goes on until it is dropped.
pub(super) async fn print_blocks(
    urls: Vec<NodeUrl>,
    miners: BTreeMap<Address, String>,
    print: impl Fn(String),
) {
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
                    let miner = miners.get(&block.coinbase).map_or("?", String::as_str);
                    print(line(number, &block, last, miner));
                    (printed, last) = (number, time(&block));
                }
            }
            Change::Reverted(_) => number -= 1,
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

/// The names of the nodes.
pub(super) fn miners(report: &DevnetReport) -> BTreeMap<Address, String> {
    let nodes = report.nodes.iter();
    nodes
        .map(|node| (node.address, node.name.clone()))
        .collect()
}
