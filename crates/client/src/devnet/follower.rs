//! A line for each new block, read from whichever node answers. It shows blocks as they
//! come; one that replaces another at the same height is not shown again.

use std::time::{Duration, SystemTime};

use ccoin_core::Address;
use serde::Deserialize;

use crate::{Connection, HttpError, NodeUrl, StatusAnswer};

/// Time between two questions for the height.
const POLL: Duration = Duration::from_millis(100);

/// A block as it is listed.
#[derive(Deserialize)]
struct Seen {
    number: u64,
    coinbase: Address,
    time: String,
    txn_count: usize,
}

impl Seen {
    fn time(&self) -> Option<SystemTime> {
        humantime::parse_rfc3339(&self.time).ok()
    }

    fn line(&self, last: Option<SystemTime>) -> String {
        let coinbase = self.coinbase.to_string();
        let miner = coinbase.get(coinbase.len().saturating_sub(8)..);
        let since = self.time().zip(last);
        let since = since.and_then(|(time, last)| time.duration_since(last).ok());
        let since = since.map(|since| format!("   {:.1} s later", since.as_secs_f64()));
        format!(
            "block {:<6} {:>5} transactions   by ...{}{}",
            self.number,
            self.txn_count,
            miner.unwrap_or_default(),
            since.unwrap_or_default()
        )
    }
}

/// Where the reading stands.
struct Follower {
    height: Option<u64>,
    last: Option<SystemTime>,
}

/// Gives a line for each block from now on to `show`; goes on until it is dropped.
pub(super) async fn follow(urls: Vec<NodeUrl>, show: impl Fn(String)) {
    let mut follower = Follower {
        height: None,
        last: None,
    };
    // A node that was stopped does not answer: the next one is asked.
    for url in urls.iter().cycle() {
        let mut connection = Connection::new(url.clone());
        while follower.step(&mut connection, &show).await.is_ok() {
            tokio::time::sleep(POLL).await;
        }
        tokio::time::sleep(POLL).await;
    }
}

impl Follower {
    async fn step(
        &mut self,
        connection: &mut Connection,
        show: &impl Fn(String),
    ) -> Result<(), HttpError> {
        let status: StatusAnswer = connection.get("/v1/status").await?;
        let newest = status.height.get();
        let mut height = self.height.unwrap_or(newest);
        self.height = Some(height);
        while height < newest {
            height += 1;
            let path = format!("/v1/blocks/{height}?body=ids");
            let block: Seen = connection.get(&path).await?;
            show(block.line(self.last));
            self.last = block.time();
            self.height = Some(height);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_number_transactions_miner_and_the_time_since_the_last() {
        let block = Seen {
            number: 12,
            coinbase: Address::new([0xab; 20]),
            time: "2026-11-24T13:00:02.500Z".to_owned(),
            txn_count: 34,
        };
        let last = humantime::parse_rfc3339("2026-11-24T13:00:01.000Z").unwrap();
        assert_eq!(
            block.line(Some(last)),
            "block 12        34 transactions   by ...abababab   1.5 s later"
        );
        let first = "block 12        34 transactions   by ...abababab";
        assert_eq!(block.line(None), first);
        assert_eq!(block.line(Some(last + Duration::from_secs(9))), first);
    }
}
