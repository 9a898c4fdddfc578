//! The clock says who leads: time is cut into slots and the miners take turns.
//! A pure function of time, so every reader can check the turn of any block for ever
//! (Aura's slots; Wood 2015).

use crate::{Timestamp, genesis_config::GenesisConfig};
use ccoin_crypto::Address;

/// Number of a slot: milliseconds since 1970 divided by the slot's length.
pub type Slot = u64;

/// Who leads when.
#[derive(Clone, Debug)]
pub struct Schedule {
    miners: Vec<Address>,
    slot_ms: u64,
}

impl Schedule {
    /// The schedule of a genesis configuration.
    #[must_use]
    pub fn new(config: &GenesisConfig) -> Self {
        Self {
            miners: config.miners.clone(),
            slot_ms: config.consensus.slot_ms.max(1),
        }
    }

    /// The slot that holds `time`.
    #[must_use]
    pub fn slot(&self, time: Timestamp) -> Slot {
        time.get().checked_div(self.slot_ms).unwrap_or(0)
    }

    /// First millisecond after `slot`.
    #[must_use]
    pub fn end(&self, slot: Slot) -> u64 {
        slot.saturating_add(1).saturating_mul(self.slot_ms)
    }

    /// The one miner that may sign blocks of `slot`.
    #[must_use]
    pub fn leader(&self, slot: Slot) -> Option<Address> {
        let turn = slot.checked_rem(self.miners.len() as u64)?;
        self.miners.get(usize::try_from(turn).ok()?).copied()
    }

    /// The one miner that may sign blocks of this moment.
    #[must_use]
    pub fn leader_at(&self, time: Timestamp) -> Option<Address> {
        self.leader(self.slot(time))
    }

    /// Position of a miner in the genesis list.
    #[must_use]
    pub fn index(&self, miner: &Address) -> Option<usize> {
        self.miners.iter().position(|listed| listed == miner)
    }

    /// The miner at a position of the genesis list.
    #[must_use]
    pub fn miner(&self, index: u8) -> Option<Address> {
        self.miners.get(usize::from(index)).copied()
    }

    /// How many miners take turns.
    #[must_use]
    pub fn miners(&self) -> usize {
        self.miners.len()
    }
}
