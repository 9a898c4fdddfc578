//! Small networks: block 1 of any configuration that a run needs.

use crate::{
    keys::{ghost, ghost_miner, miner},
    time::at,
};
use ccoin_core::{
    AccountNonce, Address, Amount, Height, PowNonce,
    genesis::{Genesis, UnminedGenesis},
    genesis_config::{Allocation, ConsensusParams, GenesisConfig},
    ledger::Account,
};
use std::sync::Arc;

/// What distinguishes the networks of the tests; times in ms.
#[derive(Clone, Debug)]
pub struct Network {
    pub miners: usize,
    /// Whether they are [`ghost_miner`]s.
    pub ghosts: bool,
    pub interval: u64,
    pub min_bound: u32,
    pub max_bound: u32,
    pub allow_empty: bool,
    pub reward: u64,
    pub difficulty: u8,
    pub slot: u64,
    pub guard: u64,
    pub gap: u64,
    pub max_data: u32,
    pub alloc: Vec<(Address, u64, u64)>,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            miners: 1,
            ghosts: false,
            interval: 1_000,
            min_bound: 2,
            max_bound: 3,
            allow_empty: true,
            reward: 10,
            difficulty: 1,
            slot: 2_000,
            guard: 400,
            gap: 50,
            max_data: 64,
            alloc: payers().map(|payer| (payer, 0, 1_000)).collect(),
        }
    }
}

/// The first miners, and the ghosts that pay in the tests.
fn payers() -> impl Iterator<Item = Address> {
    let ghosts = (0..5).chain([9, 99]).map(|index| ghost(index).address());
    (0..4).map(miner).chain(ghosts)
}

impl Network {
    /// A network that makes a block of whatever waits, and none without.
    #[must_use]
    pub fn ready(miners: usize) -> Self {
        Self {
            miners,
            min_bound: 1,
            max_bound: 50,
            allow_empty: false,
            difficulty: 0,
            ..Self::default()
        }
    }

    /// Block 1 of this network, made at [`START`](crate::START).
    #[must_use]
    pub fn found(&self) -> Arc<Genesis> {
        let miners = (0..self.miners)
            .map(if self.ghosts { ghost_miner } else { miner })
            .collect();
        let mut config = GenesisConfig::new(1, miners);
        config.block_mining.interval_ms = self.interval;
        config.block_mining.min_bound = self.min_bound;
        config.block_mining.max_bound = self.max_bound;
        config.block_mining.allow_empty = self.allow_empty;
        config.block_mining.reward = coins(self.reward);
        config.block_mining.difficulty = self.difficulty;
        config.transaction.max_data_bytes = self.max_data;
        config.genesis_block.difficulty = 0;
        config.consensus = ConsensusParams {
            guard_ms: self.guard,
            min_gap_ms: self.gap,
            ..ConsensusParams::new(self.slot, self.miners)
        };
        let alloc = self.alloc.iter().map(|(address, nonce, balance)| {
            let nonce = AccountNonce::new(*nonce).expect("within the range");
            let balance = coins(*balance);
            (*address, Allocation { nonce, balance })
        });
        let unmined = UnminedGenesis::new(&config, &alloc.collect(), at(0)).expect("fits a block");
        Arc::new(
            unmined
                .seal(PowNonce::ZERO)
                .expect("difficulty 0 takes any nonce"),
        )
    }
}

/// One miner whose blocks may hold 1 to 100 transactions; miner `i` has sent `i` already.
#[must_use]
pub fn open_network() -> Arc<Genesis> {
    let alloc = (0..4)
        .map(|index| (miner(index), index as u64, 1_000))
        .collect();
    Network {
        difficulty: 0,
        max_bound: 100,
        min_bound: 1,
        alloc,
        ..Network::default()
    }
    .found()
}

/// An account with this nonce and balance.
#[must_use]
pub fn account(nonce: u64, balance: u64) -> Account {
    Account {
        nonce: AccountNonce::new(nonce).expect("within the range"),
        balance: coins(balance),
    }
}

/// A number of a block.
#[must_use]
pub fn height(number: u64) -> Height {
    Height::new(number).expect("within the range")
}

/// Whole coins.
#[must_use]
pub fn coins(amount: u64) -> Amount {
    Amount::new(amount).expect("within the range")
}
