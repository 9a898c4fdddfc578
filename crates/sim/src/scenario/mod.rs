//! `ccoin sim`: a network of a user's configuration, the faults that the user names, and what
//! comes of them. Plain data in, plain data out; a seed repeats a run.

mod attack;
mod command;
mod error;
mod faults;
mod happened;
mod lanes;
mod observer;
mod parse;
mod report;
mod run;
mod summary;
mod watchdog;
mod words;

pub use attack::{ATTACKS, Attack};
pub use error::ScenarioError;
pub use faults::{Fault, Planned};
pub use happened::Happened;
pub use parse::ScenarioTexts;
pub use report::Report;
pub use run::{Run, simulate};
pub use summary::{Spread, Summary};

use crate::{
    keys::{ghost, ghost_miner},
    latency::Latency,
    network::coins,
    payments::FIRST_USER,
    time::at,
};
use ccoin_core::{
    AccountNonce, PowNonce,
    genesis::{Genesis, UnminedGenesis},
    genesis_config::{Allocation, BlockMining, GenesisConfig},
};
use std::sync::Arc;

/// HashCash tries of a core in a millisecond, as the README measures them.
const TRIES_PER_MS: u64 = 20_000;

/// Longest times of a sync of the disk and of a signature, in ms.
const DISK_MS: u64 = 4;
const KEY_MS: u64 = 2;

/// Bytes of a transaction's data: enough for what makes a payment unlike others.
const DATA_BYTES: u32 = 64;

/// Coins of each user.
const BALANCE: u64 = 1_000_000;

/// A network and what shall happen to it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The user's configuration; its miners are replaced by simulated ones.
    pub config: GenesisConfig,
    pub faults: Vec<Planned>,
    /// Validators that lie, and how.
    pub attacks: Vec<(Vec<usize>, Attack)>,
    /// Between any two validators, there and back, in ms.
    pub rtt_ms: u64,
    /// From the first moment at which all is well on.
    pub length_ms: u64,
}

impl Scenario {
    /// How many validators the network has.
    #[must_use]
    pub fn validators(&self) -> usize {
        self.config.miners.len()
    }

    pub(crate) fn slot_ms(&self) -> u64 {
        self.config.consensus.slot_ms
    }

    /// Mean time of a search for a nonce, in ms.
    pub(crate) fn pow_ms(&self) -> u64 {
        16u64.saturating_pow(self.config.block_mining.difficulty.into()) / TRIES_PER_MS
    }

    /// Why finality is not promised whatever happens; `None`: it is.
    #[must_use]
    pub fn hindrance(&self) -> Option<String> {
        let (slot, one_way, pow) = (self.slot_ms(), self.rtt_ms / 2, self.pow_ms());
        if one_way * 4 >= slot {
            let quarter = slot / 4;
            return Some(format!(
                "a message takes {one_way} ms: less than a quarter of a slot, {quarter} ms, is due"
            ));
        }
        (pow * 2 > slot).then(|| {
            let difficulty = self.config.block_mining.difficulty;
            format!("difficulty {difficulty} takes {pow} ms a block, more than half of a slot")
        })
    }

    pub(crate) fn latency(&self) -> Latency {
        Latency {
            disk: DISK_MS,
            miner: 2 * self.pow_ms(),
            key: KEY_MS,
        }
    }

    /// Block 1: the user's rules of consensus, simulated miners, a search that takes virtual
    /// time only, and coins for one user of each validator.
    pub(crate) fn genesis(&self) -> Arc<Genesis> {
        let miners = (0..self.validators()).map(ghost_miner).collect();
        let mut config = GenesisConfig::new(self.config.network_id, miners);
        config.block_mining = BlockMining {
            difficulty: 0,
            placeholder_data: None,
            reward: coins(1),
            ..self.config.block_mining.clone()
        };
        config.consensus = self.config.consensus.clone();
        config.genesis_block.difficulty = 0;
        config.transaction.max_data_bytes = DATA_BYTES;
        let users = (0..self.validators()).map(|index| {
            let balance = coins(BALANCE);
            let nonce = AccountNonce::ZERO;
            let user = ghost(FIRST_USER + index as u32).address();
            (user, Allocation { nonce, balance })
        });
        let unmined = UnminedGenesis::new(&config, &users.collect(), at(0))
            .expect("the rules of the file were checked, and the rest is less");
        Arc::new(
            unmined
                .seal(PowNonce::ZERO)
                .expect("difficulty 0 takes any nonce"),
        )
    }
}
