//! The rules of a configuration. They are the same for a file that is being written and
//! for block 1 of a peer, so a fault names the key: the reader of a file knows its place.

use super::{GenesisConfig, GenesisConfigError, MAX_CANONICAL_BYTES, MAX_INTERVAL_MS};
use crate::MAX_INTEGER;
use std::collections::BTreeSet;

/// Most miners of a network.
const MAX_MINERS: usize = 100;

/// Bytes that a transaction takes at most beside its data.
const TXN_OVERHEAD: u64 = 1_200;

/// Bytes of a block that `min_bound` transactions may fill; the block limit less its header.
const MAX_BATCH_BYTES: u64 = 2_800_000;

/// Rewards that the supply must have room for.
const REWARDS: u64 = 1_000_000_000;

impl GenesisConfig {
    /// Checks every rule but that there is a miner.
    ///
    /// # Errors
    /// [`GenesisConfigError`] for the first rule that is broken.
    pub fn check(&self) -> Result<(), GenesisConfigError> {
        self.check_miners()?;
        self.check_batch()?;
        for (key, got, min, max) in self.limits() {
            if !(min..=max).contains(&got) {
                let advice = format!("write a whole number from {min} to {max}");
                return Err(broken(key, "is out of range", advice));
            }
        }
        self.check_placeholders()?;
        self.check_supply(0)?;
        match self.canonical_json().len() {
            got if got > MAX_CANONICAL_BYTES => Err(GenesisConfigError::TooLong { got }),
            _ => Ok(()),
        }
    }

    /// Checks that all coins which can come into being in 10^9 blocks stay exact in JSON,
    /// when `allocated` coins exist from the start.
    ///
    /// # Errors
    /// [`GenesisConfigError::Rule`] of the reward.
    pub fn check_supply(&self, allocated: u64) -> Result<(), GenesisConfigError> {
        let reward = self.block_mining.reward.get();
        let fixed = allocated.saturating_add(self.genesis_block.coinbase_reward.get());
        if fixed.saturating_add(reward.saturating_mul(REWARDS)) <= MAX_INTEGER {
            return Ok(());
        }
        let largest = MAX_INTEGER.saturating_sub(fixed) / REWARDS;
        let fault = format!(
            "is too much: the supply of {fixed} coins and {REWARDS} rewards of {reward} \
             exceeds {MAX_INTEGER}"
        );
        let advice = format!("block_mining.reward at most {largest}, or less alloc");
        Err(broken("block_mining.reward", fault, advice))
    }

    /// Key, value, least and greatest value. Of a slot, guard and skew take less than half
    /// and the gap takes at most a quarter.
    fn limits(&self) -> [(&'static str, u64, u64, u64); 11] {
        let (mining, consensus) = (&self.block_mining, &self.consensus);
        let (max_data, slot) = (self.transaction.max_data_bytes, consensus.slot_ms);
        let (least, most) = (mining.min_bound.into(), mining.max_bound.into());
        let below_half = slot.saturating_sub(1) / 2;
        let genesis_difficulty = self.genesis_block.difficulty.into();
        let miners = self.miners.len() as u64;
        // Without miners any quorum will do.
        let (majority, all) = match miners {
            0 => (0, u64::MAX),
            _ => ((miners / 2).saturating_add(1), miners),
        };
        [
            ("transaction.max_data_bytes", max_data.into(), 0, 65_536),
            (
                "block_mining.interval_ms",
                mining.interval_ms,
                1,
                MAX_INTERVAL_MS,
            ),
            ("block_mining.min_bound", least, 1, u32::MAX.into()),
            ("block_mining.max_bound", most, least, u32::MAX.into()),
            ("block_mining.difficulty", mining.difficulty.into(), 0, 8),
            ("genesis_block.difficulty", genesis_difficulty, 0, 8),
            ("consensus.slot_ms", slot, 200, 600_000),
            ("consensus.guard_ms", consensus.guard_ms, 0, below_half),
            (
                "consensus.max_skew_ms",
                consensus.max_skew_ms,
                0,
                below_half,
            ),
            ("consensus.min_gap_ms", consensus.min_gap_ms, 1, slot / 4),
            ("consensus.quorum", consensus.quorum.into(), majority, all),
        ]
    }

    fn check_miners(&self) -> Result<(), GenesisConfigError> {
        let mut seen = BTreeSet::new();
        for (index, miner) in self.miners.iter().enumerate() {
            let key = format!("miners.{index}");
            if index == MAX_MINERS {
                let advice = format!("list at most {MAX_MINERS} miners");
                return Err(broken(key, "is one too many", advice));
            }
            if !seen.insert(miner) {
                return Err(broken(key, "stands there twice", "list each miner once"));
            }
        }
        Ok(())
    }

    /// Data of a block has at most 1,024 bytes.
    fn check_placeholders(&self) -> Result<(), GenesisConfigError> {
        let (rules, mining) = (&self.transaction, &self.block_mining);
        let max_data = rules.max_data_bytes.into();
        for (section, placeholder, max) in [
            ("transaction", &rules.placeholder_data, max_data),
            ("block_mining", &mining.placeholder_data, 1_024),
        ] {
            let got = placeholder.as_ref().map_or(0, |data| data.bytes());
            if got > max {
                let key = format!("{section}.placeholder_data");
                let fault = format!("fills {got} bytes");
                return Err(broken(key, fault, format!("write at most {max} bytes")));
            }
        }
        Ok(())
    }

    fn check_batch(&self) -> Result<(), GenesisConfigError> {
        let max_data = u64::from(self.transaction.max_data_bytes);
        let txn_bytes = TXN_OVERHEAD.saturating_add(max_data);
        let largest = MAX_BATCH_BYTES.checked_div(txn_bytes).unwrap_or(0);
        if u64::from(self.block_mining.min_bound) <= largest {
            return Ok(());
        }
        let fault = format!("transactions of {max_data} bytes do not fit into a block");
        let advice = format!("write at most {largest}");
        Err(broken("block_mining.min_bound", fault, advice))
    }
}

fn broken(
    key: impl Into<String>,
    fault: impl Into<String>,
    advice: impl Into<String>,
) -> GenesisConfigError {
    GenesisConfigError::Rule {
        key: key.into(),
        fault: fault.into(),
        advice: advice.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ConsensusParams, Placeholder};
    use super::*;
    use crate::Amount;
    use ccoin_crypto::Address;

    fn config(miners: u8) -> GenesisConfig {
        GenesisConfig::new(1, (0..miners).map(|n| Address::new([n; 20])).collect())
    }

    fn amount(coins: u64) -> Amount {
        Amount::new(coins).unwrap()
    }

    #[test]
    fn every_broken_rule_names_its_key_and_the_remedy() {
        type Edit = fn(&mut GenesisConfig);
        let edits: [(Edit, &str, &str); 18] = [
            (
                |c| c.block_mining.interval_ms = 0,
                "block_mining.interval_ms",
                "from 1",
            ),
            (
                |c| c.block_mining.interval_ms = MAX_INTERVAL_MS + 1,
                "block_mining.interval_ms",
                "out",
            ),
            (
                |c| c.block_mining.min_bound = 0,
                "block_mining.min_bound",
                "from 1",
            ),
            (
                |c| c.block_mining.min_bound = 529,
                "block_mining.min_bound",
                "at most 528",
            ),
            (
                |c| c.block_mining.max_bound = 9,
                "block_mining.max_bound",
                "from 10",
            ),
            (
                |c| c.block_mining.difficulty = 9,
                "block_mining.difficulty",
                "0 to 8",
            ),
            (
                |c| c.block_mining.reward = amount(9_007_200),
                "block_mining.reward",
                "most 9007199",
            ),
            (
                |c| c.genesis_block.difficulty = 9,
                "genesis_block.difficulty",
                "0 to 8",
            ),
            (
                |c| c.transaction.max_data_bytes = 65_537,
                "transaction.max_data_bytes",
                "65536",
            ),
            (
                |c| c.consensus.slot_ms = 199,
                "consensus.slot_ms",
                "200 to 600000",
            ),
            (
                |c| c.consensus.guard_ms = 1_000,
                "consensus.guard_ms",
                "to 999",
            ),
            (
                |c| c.consensus.max_skew_ms = 1_000,
                "consensus.max_skew_ms",
                "to 999",
            ),
            (
                |c| c.consensus.min_gap_ms = 501,
                "consensus.min_gap_ms",
                "1 to 500",
            ),
            (
                |c| c.consensus.quorum = 2,
                "consensus.quorum",
                "from 3 to 4",
            ),
            (
                |c| c.consensus.quorum = 5,
                "consensus.quorum",
                "from 3 to 4",
            ),
            (|c| c.miners[2] = c.miners[1], "miners.2", "each miner once"),
            (
                |c| c.block_mining.placeholder_data = Some(Placeholder::Random(1_025)),
                "block_mining.placeholder_data",
                "at most 1024",
            ),
            (
                |c| {
                    c.transaction.max_data_bytes = 3;
                    c.transaction.placeholder_data = Some(Placeholder::Fixed("four".into()));
                },
                "transaction.placeholder_data",
                "at most 3 bytes",
            ),
        ];
        for (edit, key, advice) in edits {
            let mut config = config(4);
            config.check().unwrap();
            edit(&mut config);
            let error = config.check().unwrap_err();
            assert!(error.to_string().starts_with(key), "{error}");
            assert!(error.to_string().contains(advice), "{error}");
        }
        let error = config(101).check().unwrap_err().to_string();
        assert!(error.starts_with("miners.100 is one too many"), "{error}");
        let mut long = config(1);
        long.transaction.max_data_bytes = 65_536;
        let text = Placeholder::Fixed("\u{1}".repeat(20_000));
        long.transaction.placeholder_data = Some(text);
        assert!(matches!(
            long.check(),
            Err(GenesisConfigError::TooLong { .. })
        ));
    }

    #[test]
    fn limits_themselves_are_allowed() {
        config(100).check().unwrap();
        let mut limits = config(3);
        limits.block_mining.reward = amount(9_007_199);
        limits.block_mining.min_bound = 528;
        limits.block_mining.max_bound = 528;
        limits.genesis_block.coinbase_reward = amount(254_740_991);
        limits.consensus = ConsensusParams {
            guard_ms: 299_999,
            max_skew_ms: 0,
            min_gap_ms: 150_000,
            quorum: 2,
            slot_ms: 600_000,
        };
        limits.check().unwrap();
        assert!(limits.check_supply(1).is_err());
    }
}
