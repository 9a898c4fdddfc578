//! Founding a network: is its difficulty fit for its slots on this machine, and the
//! mining of block 1.

use ccoin_core::{
    PowNonce,
    genesis::{Genesis, GenesisError, UnminedGenesis},
    genesis_config::GenesisConfig,
    pow::Midstate,
};
use ccoin_crypto::sha256;
use std::time::{Duration, Instant};

/// Tries between two looks at the clock.
const TRIES: u64 = 1 << 18;

/// How long the hash rate is measured.
const MEASURING: Duration = Duration::from_millis(100);

/// A slot should have room for this many expected searches; below half of it, no
/// leader would reliably finish a block in its turn.
const COMFORTABLE: u64 = 4;

/// How the expected time of a search compares with a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotFit {
    /// Room enough.
    Comfortable,
    /// It works, but slow machines will miss their turns.
    Tight(String),
    /// It cannot work.
    TooShort(String),
}

/// HashCash tries per second of one core of this machine, measured now.
#[must_use]
pub fn hash_rate() -> u64 {
    let midstate = Midstate::new(&sha256(&[b"hash rate"]));
    let started = Instant::now();
    let mut tries = 0u64;
    while started.elapsed() < MEASURING {
        // Eight zeros are not found in so few tries; if they were, the rate would read low.
        let _ = midstate.search(8, PowNonce::ZERO, TRIES);
        tries += TRIES;
    }
    let micros = u64::try_from(started.elapsed().as_micros())
        .unwrap_or(u64::MAX)
        .max(1);
    tries.saturating_mul(1_000_000) / micros
}

/// Compares the slot of a configuration with the expected search at `rate` tries/s.
#[must_use]
pub fn slot_fit(config: &GenesisConfig, rate: u64) -> SlotFit {
    let difficulty = config.block_mining.difficulty;
    let tries = 16u64.saturating_pow(u32::from(difficulty));
    let expected_ms = tries.saturating_mul(1000) / rate.max(1);
    let slot_ms = config.consensus.slot_ms;
    let words = || {
        format!(
            "difficulty {difficulty} takes about {expected_ms} ms on this machine ({rate} tries/s), a slot has {slot_ms} ms"
        )
    };
    if slot_ms < expected_ms.saturating_mul(COMFORTABLE / 2) {
        SlotFit::TooShort(words())
    } else if slot_ms < expected_ms.saturating_mul(COMFORTABLE) {
        SlotFit::Tight(words())
    } else {
        SlotFit::Comfortable
    }
}

/// Most transactions per second that a configuration admits.
#[must_use]
pub fn throughput_cap(config: &GenesisConfig) -> u64 {
    u64::from(config.block_mining.max_bound) * 1000 / config.consensus.min_gap_ms.max(1)
}

/// Mines block 1; `progress` hears the number of tries now and then.
///
/// # Errors
/// [`GenesisError`] if the finished block is too large.
pub fn mine_genesis(
    unmined: UnminedGenesis,
    progress: &mut dyn FnMut(u64),
) -> Result<Genesis, GenesisError> {
    let midstate = Midstate::new(&unmined.mining_hash());
    let mut from = PowNonce::ZERO;
    loop {
        if let Some(nonce) = midstate.search(unmined.difficulty(), from, TRIES) {
            return unmined.seal(nonce);
        }
        from = from.checked_add(TRIES).expect("2^53 tries take years");
        progress(from.get());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccoin_core::Address;
    use ccoin_core::genesis_config::ConsensusParams;

    #[test]
    fn a_slot_must_hold_the_search() {
        let mut config = GenesisConfig::new(1, vec![Address::ZERO]);
        config.block_mining.difficulty = 4;
        config.consensus = ConsensusParams::new(1_000, 1);
        // 65,536 tries: at 65,536 tries/s one second.
        assert!(matches!(slot_fit(&config, 65_536), SlotFit::TooShort(_)));
        assert!(matches!(slot_fit(&config, 2 * 65_536), SlotFit::Tight(_)));
        assert_eq!(slot_fit(&config, 4 * 65_536), SlotFit::Comfortable);
        assert_eq!(throughput_cap(&config), 2_000);
    }
}
