//! `ccoin bench --init`: a throw-away network for measuring. One validator, funded
//! bench accounts, and a genesis whose limits are above what is to be measured.

use std::fs;
use std::path::PathBuf;

use ccoin_core::Address;
use ccoin_home::{ExitCode, Failure, NewAccount, PassphraseSource, create_account, environment};
use serde_json::json;

use super::keys::{self, file_error, write_new};
use crate::documents::{base_path, genesis_text};

/// Coins of each bench account; every transfer moves one.
const BALANCE: u64 = 1_000_000_000;

/// Transfers per second that the least gap between blocks must allow.
const WANTED_CAP: u64 = 100_000;

/// What network to make.
#[derive(Clone, Debug)]
pub struct NewBench {
    /// Where; must not hold a ccoin.json yet.
    pub dir: PathBuf,
    /// Funded accounts.
    pub accounts: usize,
    /// `block_mining.min_bound`.
    pub min_bound: u32,
    /// `block_mining.max_bound`.
    pub max_bound: u32,
    /// `block_mining.difficulty`.
    pub difficulty: u8,
    /// `block_mining.interval` in seconds, with at most three decimals.
    pub interval: f64,
    /// `consensus.slot_ms`.
    pub slot_ms: u64,
}

/// A network that can be started now.
#[derive(Clone, Debug, serde::Serialize)]
pub struct BenchNetwork {
    /// Address of the validator.
    pub address: Address,
    /// The configuration of the validator.
    pub config: PathBuf,
    /// The genesis configuration.
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
    let text = genesis(new, Address::ZERO, &[])?;
    fs::create_dir_all(&new.dir).map_err(file_error(&new.dir))?;
    let dir = fs::canonicalize(&new.dir).map_err(file_error(&new.dir))?;
    let network = BenchNetwork {
        address: Address::ZERO,
        config: dir.join("ccoin.json"),
        genesis: dir.join("genesis.json"),
        keys: dir.join("bench"),
        cap_per_second: text.cap_per_second,
    };
    for path in [&network.config, &network.genesis, &network.keys] {
        if path.exists() {
            let message = format!("{} exists already", path.display());
            let hint = "name another directory, or remove this one with its chain";
            return Err(Failure::new(ExitCode::Busy, message).hint(hint));
        }
    }
    let config = json!({"app": {"base_path": base_path(&dir)?}, "client": {"account_address": ""}});
    write_new(&network.config, &format!("{config:#}\n"), 0o644)?;
    let account = create_account(
        &NewAccount {
            config: network.config.clone(),
            name: Some("bench".to_owned()),
            bits: 2048,
            passphrase: PassphraseSource::Absent,
            update_config: true,
            update_genesis: None,
        },
        &environment,
    )?;
    let accounts = keys::create(&network.keys, new.accounts)?;
    let text = genesis(new, account.address, &accounts)?.text;
    write_new(&network.genesis, &text, 0o644)?;
    Ok(BenchNetwork {
        address: account.address,
        ..network
    })
}

struct GenesisText {
    text: String,
    cap_per_second: u64,
}

fn genesis(new: &NewBench, miner: Address, accounts: &[Address]) -> Result<GenesisText, Failure> {
    let max_bound = u64::from(new.max_bound);
    // 50 ms is the default; a longer gap would only wait.
    let longest = (new.slot_ms / 4).clamp(1, 50);
    let min_gap_ms = (max_bound * 1_000 / WANTED_CAP).clamp(1, longest);
    let alloc: serde_json::Map<_, _> = accounts
        .iter()
        .map(|address| (address.to_string(), json!({"balance": BALANCE})))
        .collect();
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
        "alloc": alloc,
    });
    Ok(GenesisText {
        text: genesis_text(&document)?,
        cap_per_second: max_bound * 1_000 / min_gap_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccoin_home::{Config, GenesisDocument, VoteFile, load_key};
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
        assert_eq!(config.client.account_address, Some(network.address));
        let data_dir = config.data_dir().unwrap();
        load_key(&data_dir, None).unwrap();
        VoteFile::open(&data_dir.votes()).unwrap();
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
            let genesis = genesis(&new, Address::ZERO, &[]).unwrap();
            assert_eq!(genesis.cap_per_second, cap, "max_bound {max_bound}");
            let config = GenesisDocument::parse(&genesis.text, "x").unwrap().config;
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
