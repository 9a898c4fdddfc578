//! `ccoin bench --init`: a throw-away network for measuring. One validator, funded bench
//! accounts, and a genesis that allows more transfers than a node can take.

use std::fs;
use std::path::PathBuf;

use ccoin_core::Address;
use ccoin_home::{ExitCode, Failure, write_new};
use serde_json::json;

use super::keys;
use crate::documents::{config_file, genesis_text, new_account};
use crate::files::unusable;

/// Coins of each bench account; every transfer moves one.
const BALANCE: u64 = 1_000_000_000;

/// Transfers per second that the least gap between blocks must allow.
const WANTED_CAP: u64 = 100_000;

/// The network to make.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "as in genesis.json")]
pub struct NewBench {
    /// Must not hold a ccoin.json yet.
    pub dir: PathBuf,
    /// Funded accounts.
    pub accounts: usize,
    pub min_bound: u32,
    pub max_bound: u32,
    pub difficulty: u8,
    /// In seconds, with at most three decimals.
    pub interval: f64,
    pub slot_ms: u64,
}

/// A network that can be started.
#[derive(Clone, Debug, serde::Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct BenchNetwork {
    /// Of the validator.
    pub address: Address,
    pub config: PathBuf,
    pub genesis: PathBuf,
    /// Directory of the bench keys.
    pub keys: PathBuf,
    /// Most transfers per second that the genesis allows: `max_bound` each `min_gap_ms`.
    pub cap_per_second: u64,
}

/// Writes validator, configuration, genesis and bench keys.
///
/// # Errors
/// [`Failure`] 8 if there is a network already, 3 if the numbers do not fit together or
/// a file cannot be written.
pub fn init(new: &NewBench) -> Result<BenchNetwork, Failure> {
    // Wrong numbers are refused before a file is written.
    let (_, cap_per_second) = genesis(new, Address::ZERO, &[])?;
    fs::create_dir_all(&new.dir).map_err(unusable(&new.dir))?;
    let dir = fs::canonicalize(&new.dir).map_err(unusable(&new.dir))?;
    let network = BenchNetwork {
        address: Address::ZERO,
        config: config_file(&dir),
        genesis: dir.join("genesis.json"),
        keys: dir.join("bench"),
        cap_per_second,
    };
    for path in [&network.config, &network.genesis, &network.keys] {
        if path.exists() {
            let message = format!("{} exists already", path.display());
            let hint = "name another directory, or remove this one with its chain";
            return Err(Failure::new(ExitCode::Busy, message).hint(hint));
        }
    }
    let address = new_account(&dir, "bench")?;
    let accounts = keys::create(&network.keys, new.accounts)?;
    let (text, _) = genesis(new, address, &accounts)?;
    let path = &network.genesis;
    write_new(path, text.as_bytes(), 0o644).map_err(unusable(path))?;
    Ok(BenchNetwork { address, ..network })
}

/// The genesis configuration and its `cap_per_second`.
fn genesis(new: &NewBench, miner: Address, accounts: &[Address]) -> Result<(String, u64), Failure> {
    let max_bound = u64::from(new.max_bound);
    // 50 ms is the default; a longer gap would only wait.
    let longest = (new.slot_ms / 4).clamp(1, 50);
    let min_gap_ms = (max_bound * 1_000 / WANTED_CAP).clamp(1, longest);
    let accounts = accounts.iter();
    let alloc = accounts.map(|address| (address.to_string(), json!({"balance": BALANCE})));
    let document = json!({
        "network_id": 1,
        "miners": [miner],
        "block_mining": {
            "interval": new.interval,
            "min_bound": new.min_bound,
            "max_bound": new.max_bound,
            "difficulty": new.difficulty,
            "allow_empty": false,
        },
        "consensus": {"slot_ms": new.slot_ms, "min_gap_ms": min_gap_ms},
        "alloc": alloc.collect::<serde_json::Map<_, _>>(),
    });
    Ok((genesis_text(&document)?, max_bound * 1_000 / min_gap_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccoin_core::genesis_config::GenesisDocument;
    use ccoin_home::{Config, load_key};
    use std::path::Path;

    fn new(dir: &Path) -> NewBench {
        NewBench {
            dir: dir.join("net"),
            accounts: 2,
            min_bound: 3,
            max_bound: 4_000,
            difficulty: 3,
            interval: 2.5,
            slot_ms: 2_000,
        }
    }

    #[test]
    fn everything_that_a_validator_needs_is_written_once() {
        let dir = tempfile::tempdir().unwrap();
        let network = init(&new(dir.path())).unwrap();
        let config = Config::load(&network.config, &|_| None).unwrap();
        assert_eq!(config.account_address, Some(network.address));
        let data_dir = config.data_dir().unwrap();
        load_key(&data_dir, None).unwrap();
        assert!(data_dir.votes().is_file());
        let text = fs::read_to_string(&network.genesis).unwrap();
        let document = GenesisDocument::parse(&text, "genesis.json").unwrap();
        assert_eq!(document.config.miners, [network.address]);
        assert_eq!(document.config.block_mining.interval_ms, 2_500);
        let funded: Vec<_> = document.alloc.keys().copied().collect();
        let mut keys: Vec<_> = keys::load(&network.keys)
            .unwrap()
            .iter()
            .map(|key| key.public_key().address())
            .collect();
        keys.sort();
        assert_eq!(funded, keys);
        assert_eq!(init(&new(dir.path())).unwrap_err().code, ExitCode::Busy);
    }

    #[test]
    fn the_gap_never_caps_below_what_is_to_be_measured() {
        let dir = Path::new("/nowhere");
        for (max_bound, slot_ms, cap) in [
            (4_000, 2_000, 100_000),
            (4_000, 200, 100_000),
            (100, 2_000, 100_000),
            (50, 200, 50_000),
            (20_000, 2_000, 400_000),
        ] {
            let new = NewBench {
                max_bound,
                slot_ms,
                ..new(dir)
            };
            let (text, allowed) = genesis(&new, Address::ZERO, &[]).unwrap();
            assert_eq!(allowed, cap, "max_bound {max_bound}");
            let config = GenesisDocument::parse(&text, "x").unwrap().config;
            assert_eq!(
                u64::from(max_bound) * 1_000 / config.consensus.min_gap_ms,
                cap
            );
        }
        let wrong = NewBench {
            max_bound: 2,
            ..new(dir)
        };
        assert_eq!(init(&wrong).unwrap_err().code, ExitCode::BadConfig);
        assert!(!dir.exists());
    }
}
