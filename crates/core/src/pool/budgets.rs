//! Bytes an hour: what an account may send grows with its coins. There are no fees, so this
//! is what keeps a few coins from filling every node's disk.

use crate::Timestamp;
use ccoin_crypto::Address;
use std::collections::BTreeMap;

/// Bytes that every account with a coin may send in an hour.
pub const HOURLY_BYTES: u64 = 64 << 10;

/// A peer may bring so many times as much: an account may send through several nodes, and what
/// one node has taken is not to wait there for the others.
pub const TOLD_BY_PEERS: u64 = 4;

/// Further bytes an hour for each coin.
pub const HOURLY_BYTES_A_COIN: u64 = 1 << 10;

const HOUR_MS: u64 = 3_600_000;

/// Accounts that are remembered before those that have used nothing lately are forgotten.
const MANY: usize = 10_000;

/// What an account has used of its hour.
#[derive(Clone, Copy, Debug)]
struct Used {
    bytes: u64,
    at: Timestamp,
}

/// What every account has used.
#[derive(Clone, Debug, Default)]
pub(super) struct Budgets {
    used: BTreeMap<Address, Used>,
    /// How many were left when some were forgotten last.
    left: usize,
}

/// Bytes an hour for so many coins.
pub(super) fn allowance(coins: u64) -> u64 {
    HOURLY_BYTES_A_COIN
        .saturating_mul(coins)
        .saturating_add(HOURLY_BYTES)
}

/// `part` of `whole`, of `all`.
fn portion(whole: u64, part: u64, all: u64) -> u64 {
    let product = u128::from(whole).saturating_mul(u128::from(part));
    let portion = product.checked_div(u128::from(all)).unwrap_or(u128::MAX);
    u64::try_from(portion).unwrap_or(u64::MAX)
}

impl Used {
    fn now(self, allowance: u64, now: Timestamp) -> u64 {
        let passed = now.get().saturating_sub(self.at.get());
        self.bytes
            .saturating_sub(portion(allowance, passed, HOUR_MS))
    }
}

impl Budgets {
    fn used(&self, sender: &Address, allowance: u64, now: Timestamp) -> u64 {
        let used = self.used.get(sender);
        used.map_or(0, |used| used.now(allowance, now))
    }

    /// Whether an account may send so many bytes now; `times` its allowance count.
    ///
    /// # Errors
    /// Milliseconds until it may.
    pub(super) fn check(
        &self,
        sender: &Address,
        coins: u64,
        size: usize,
        (now, times): (Timestamp, u64),
    ) -> Result<(), u64> {
        let allowance = allowance(coins);
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        let after = self.used(sender, allowance, now).saturating_add(size);
        match after.saturating_sub(allowance.saturating_mul(times)) {
            // one that is larger than a whole hour's bytes passes alone
            over if over > 0 && after != size => Err(portion(HOUR_MS, over, allowance)),
            _ => Ok(()),
        }
    }

    /// An account has sent so many bytes.
    pub(super) fn charge(&mut self, sender: Address, coins: u64, size: usize, now: Timestamp) {
        let allowance = allowance(coins);
        if self.used.len() >= MANY.max(self.left.saturating_mul(2)) {
            // each has paid off all that it may have used
            let recent = |used: &Used| now.get().saturating_sub(used.at.get()) < HOUR_MS;
            self.used.retain(|_, used| recent(used));
            self.left = self.used.len();
        }
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        let bytes = self.used(&sender, allowance, now).saturating_add(size);
        self.used.insert(sender, Used { bytes, at: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::new(ms).unwrap()
    }

    #[test]
    fn an_account_gets_its_bytes_again_within_an_hour() {
        let (mut budgets, sender) = (Budgets::default(), Address::ZERO);
        let size = 1_024;
        let mut sent = 0;
        while budgets.check(&sender, 36, size, (at(0), 1)).is_ok() {
            budgets.charge(sender, 36, size, at(0));
            sent += size;
        }
        assert_eq!(sent, 100 << 10);
        assert_eq!(budgets.check(&sender, 36, size, (at(0), 1)), Err(36_000));
        assert!(budgets.check(&sender, 36, size, (at(35_999), 1)).is_err());
        assert_eq!(budgets.check(&sender, 36, size, (at(36_000), 1)), Ok(()));
        assert_eq!(budgets.check(&sender, 36, sent, (at(HOUR_MS), 1)), Ok(()));
        // coins that came since count, and a clock that was set back frees nothing
        assert_eq!(budgets.check(&sender, 1_000, size, (at(0), 1)), Ok(()));
        budgets.charge(sender, 36, size, at(36_000));
        assert!(budgets.check(&sender, 36, size, (at(0), 1)).is_err());
    }

    #[test]
    fn memory_is_bounded_by_what_was_sent_within_an_hour() {
        let mut budgets = Budgets::default();
        for n in 0..3 * MANY as u64 {
            let mut sender = [0; 20];
            sender[..8].copy_from_slice(&n.to_be_bytes());
            budgets.charge(Address::new(sender), 1, 600, at(n * HOUR_MS / MANY as u64));
        }
        assert!(budgets.used.len() <= MANY + 1, "{}", budgets.used.len());
    }
}
