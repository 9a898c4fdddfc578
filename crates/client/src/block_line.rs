//! The line for people about a new block.

use std::time::SystemTime;

use crate::BlockIds;
use crate::words::count;

/// When a block was made.
pub(crate) fn time(block: &BlockIds) -> Option<SystemTime> {
    humantime::parse_rfc3339(&block.time).ok()
}

/// `last` is the time of the block before it.
pub(crate) fn line(number: u64, block: &BlockIds, last: Option<SystemTime>, miner: &str) -> String {
    let since = time(block).zip(last);
    let since = since.and_then(|(time, last)| time.duration_since(last).ok());
    let since = since.map(|since| format!("  {:.1} s later", since.as_secs_f64()));
    let (txns, since) = (block.body.len() as u64, since.unwrap_or_default());
    let txns = count(txns, "transaction");
    format!("block {number:<6} {txns:>16}  by {miner}{since}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccoin_core::{Address, BlockId, TxId};
    use std::time::Duration;

    #[test]
    fn a_line_has_number_transactions_miner_and_the_time_since_the_last() {
        let mut block = BlockIds {
            id: BlockId::ZERO,
            hash_parent: BlockId::ZERO,
            coinbase: Address::ZERO,
            time: "2026-11-24T13:00:02.500Z".to_owned(),
            body: vec![TxId::ZERO; 34],
        };
        let last = humantime::parse_rfc3339("2026-11-24T13:00:01.000Z").unwrap();
        let said = line(12, &block, Some(last), "validator-1");
        assert_eq!(
            said,
            "block 12      34 transactions  by validator-1  1.5 s later"
        );
        assert!(said.len() <= 60);
        block.body.truncate(1);
        let first = "block 12        1 transaction  by validator-1";
        assert_eq!(line(12, &block, None, "validator-1"), first);
        let later = Some(last + Duration::from_secs(9));
        assert_eq!(line(12, &block, later, "validator-1"), first);
    }
}
