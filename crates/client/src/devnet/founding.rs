//! Makes a new network in its directory: keys on all cores, the genesis configuration,
//! block 1 in the data directory of the first validator. What exists is never touched:
//! `unfinished` has made room.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use ccoin_core::{Address, BlockId};
use ccoin_home::{
    DataDir, ExitCode, Failure, NewAccount, PassphraseSource, create_account, environment,
    replace_file,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::DevnetError;
use super::layout::{Layout, file_error};
use super::manifest::{Manifest, NAMES, Shape};
use super::process::command;
use super::programs::Programs;
use crate::cores::on_all_cores;
use crate::documents::{base_path, genesis_text};

/// Coins of each account at the start.
const BALANCE: u64 = 1_000_000;

/// Size of the keys.
const BITS: usize = 2048;

/// Bounds of a turn in milliseconds: shorter ones are missed on a busy machine, longer
/// ones are against the rules.
const TURNS: (u64, u64) = (1_000, 600_000);

/// Most characters of what `initc` said that are shown.
const MAX_SAID: usize = 500;

/// The name of a validator or basic node; the first is number 1.
pub(super) fn name(kind: &str, index: usize) -> String {
    format!("{kind}-{}", index + 1)
}

/// Makes keys and genesis; blocks the thread.
///
/// # Errors
/// [`DevnetError`] if a file cannot be written or the rules refuse the shape.
pub(super) fn make_accounts(layout: &Layout, shape: Shape) -> Result<Keys, DevnetError> {
    let validators = (0..shape.validators.into()).map(|n| layout.member(&name("validator", n)));
    let basics = (0..shape.basics.into()).map(|n| layout.member(&name("basic", n)));
    let accounts = NAMES.iter().take(shape.accounts.into());
    let dirs: Vec<_> = validators
        .chain(basics)
        .chain(accounts.map(|name| layout.account(name)))
        .collect();
    let mut made = on_all_cores("making keys", &dirs, |_| 1, |dir| make_account(dir))?;
    let accounts = made.split_off(usize::from(shape.validators + shape.basics));
    let basics = made.split_off(usize::from(shape.validators));
    let keys = Keys {
        validators: made,
        basics,
        accounts,
    };
    let text = genesis_text(&genesis(&keys, shape))?;
    write(&layout.genesis(), &text)?;
    Ok(keys)
}

/// The addresses of a new network, in the order of their names.
pub(super) struct Keys {
    validators: Vec<Address>,
    basics: Vec<Address>,
    accounts: Vec<Address>,
}

/// Mines block 1 with the real `initc` and writes down what network it is.
///
/// # Errors
/// [`DevnetError::Initc`] with what it said.
pub(super) async fn mine(
    programs: &Programs,
    layout: &Layout,
    keys: Keys,
    shape: Shape,
) -> Result<Manifest, DevnetError> {
    #[derive(Deserialize)]
    struct Mined {
        genesis_id: BlockId,
    }
    let output = command(&programs.initc)
        .arg("-c")
        .arg(config_file(&layout.member(&name("validator", 0))))
        .arg("-g")
        .arg(layout.genesis())
        .arg("--json")
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(|source| DevnetError::Spawn {
            program: programs.initc.clone(),
            source,
        })?;
    let mined = serde_json::from_slice::<Mined>(&output.stdout);
    let (true, Ok(mined)) = (output.status.success(), mined) else {
        let said = String::from_utf8_lossy(&output.stderr);
        let skipped = said.chars().count().saturating_sub(MAX_SAID);
        return Err(DevnetError::Initc {
            how: output.status.to_string(),
            said: said.trim_end().chars().skip(skipped).collect(),
        });
    };
    let manifest = Manifest {
        genesis_id: mined.genesis_id,
        block_time_ms: millis(shape),
        validators: keys.validators,
        basics: keys.basics,
        accounts: keys.accounts,
    };
    manifest.write(layout)?;
    Ok(manifest)
}

/// The configuration in the directory of a node or account.
pub(super) fn config_file(dir: &Path) -> std::path::PathBuf {
    dir.join("ccoin.json")
}

/// Writes a configuration, in place of the one of the last run.
///
/// # Errors
/// [`DevnetError::File`] with what the system says.
pub(super) fn write(path: &Path, text: &str) -> Result<(), DevnetError> {
    replace_file(path, text.as_bytes(), 0o600).map_err(file_error(path))
}

fn make_account(dir: &Path) -> Result<Address, DevnetError> {
    fs::create_dir_all(dir).map_err(file_error(dir))?;
    let config = config_file(dir);
    let document = json!({"app": {"base_path": base_path(dir)?}});
    write(&config, &format!("{document:#}\n"))?;
    let name = dir.file_name().and_then(|name| name.to_str());
    let account = create_account(
        &NewAccount {
            config,
            name: name.map(str::to_owned),
            bits: BITS,
            passphrase: PassphraseSource::Absent,
            update_config: true,
            update_genesis: None,
        },
        &environment,
    )?;
    Ok(account.address)
}

fn millis(shape: Shape) -> u64 {
    u64::try_from(shape.block_time.as_millis()).unwrap_or(u64::MAX)
}

/// Two block times are a turn: a network whose leader is stopped goes on soon.
fn genesis(keys: &Keys, shape: Shape) -> Value {
    let interval_ms = millis(shape);
    let slot_ms = interval_ms.saturating_mul(2).clamp(TURNS.0, TURNS.1);
    let alloc: serde_json::Map<_, _> = keys
        .accounts
        .iter()
        .map(|address| (address.to_string(), json!({"balance": BALANCE})))
        .collect();
    json!({
        "network_id": 1,
        "miners": keys.validators,
        "block_mining": {
            "interval": shape.block_time.as_secs_f64(),
            "min_bound": 1,
            "max_bound": 1_000,
            "difficulty": 4,
            "allow_empty": true,
        },
        "consensus": {"slot_ms": slot_ms},
        "alloc": alloc,
    })
}

/// The files of the account with this address below `dir`.
pub(super) fn data_dir(dir: &Path, address: Address) -> DataDir {
    DataDir::new(dir, address)
}

/// Reads a block time: seconds, or a number with a unit (`500ms`, `2s`, `1m`).
///
/// # Errors
/// [`Failure`] 2 for anything else, or less than 100 ms or more than an hour.
pub fn block_time(text: &str) -> Result<std::time::Duration, Failure> {
    let wrong = || {
        Failure::new(
            ExitCode::Usage,
            format!("{text:?} is not a block time, write 1s, 500ms or the like up to 1h"),
        )
    };
    let time = match text.parse::<f64>() {
        Ok(seconds) => std::time::Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?,
        Err(_) => humantime::parse_duration(text).map_err(|_| wrong())?,
    };
    let fits = (100..=3_600_000).contains(&time.as_millis());
    if fits && time.subsec_nanos() % 1_000_000 == 0 {
        Ok(time)
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devnet::layout::Home;
    use ccoin_home::{Config, GenesisDocument, load_key};
    use std::time::Duration;

    #[test]
    fn a_block_time_has_a_unit_or_is_in_seconds() {
        for (text, millis) in [("1s", 1_000), ("500ms", 500), ("2", 2_000), ("0.1", 100)] {
            assert_eq!(block_time(text).unwrap(), Duration::from_millis(millis));
        }
        for text in [
            "", "0", "99ms", "2h", "-1", "NaN", "inf", "1500us", "1e99", "x",
        ] {
            let error = block_time(text).unwrap_err();
            assert_eq!(error.code, ExitCode::Usage, "{text}");
        }
    }

    #[test]
    fn every_member_gets_a_key_and_the_genesis_names_them() {
        let home = Home::open(None).unwrap();
        let shape = Shape {
            validators: 1,
            basics: 1,
            accounts: 2,
            block_time: Duration::from_millis(1_500),
        };
        let keys = make_accounts(&home.layout, shape).unwrap();
        let text = fs::read_to_string(home.layout.genesis()).unwrap();
        let document = GenesisDocument::parse(&text, "genesis.json").unwrap();
        assert_eq!(document.config.miners, keys.validators);
        let mining = &document.config.block_mining;
        assert_eq!((mining.min_bound, mining.max_bound), (1, 1_000));
        assert_eq!((mining.interval_ms, mining.difficulty), (1_500, 4));
        assert_eq!(document.config.consensus.slot_ms, 3_000);
        let mut funded = keys.accounts.clone();
        funded.sort();
        assert_eq!(document.alloc.keys().copied().collect::<Vec<_>>(), funded);

        let members = [
            (home.layout.member("validator-1"), keys.validators[0]),
            (home.layout.member("basic-1"), keys.basics[0]),
            (home.layout.account("alice"), keys.accounts[0]),
            (home.layout.account("bob"), keys.accounts[1]),
        ];
        for (dir, address) in members {
            let config = Config::load(&config_file(&dir), &|_| None).unwrap();
            assert_eq!(config.data_dir().unwrap(), data_dir(&dir, address));
            load_key(&config.data_dir().unwrap(), None).unwrap();
        }
        home.close().unwrap();
    }
}
