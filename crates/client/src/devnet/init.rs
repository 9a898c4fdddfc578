//! Makes a new network in its directory: keys on all cores, the genesis configuration,
//! block 1 in the data directory of the first validator. A marker in the directory says
//! that this is not finished; the next start removes what was made and begins again.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use ccoin_core::{Address, BlockId};
use ccoin_home::{ExitCode, Failure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::layout::Layout;
use super::manifest::{MAX_MEMBERS, Manifest, NAMES, millis};
use super::process::{cannot_start, command};
use super::programs::Programs;
use super::{NewDevnet, NodeType};
use crate::cores::on_all_cores;
use crate::documents::{config_file, genesis_text, new_account};
use crate::files::{remove, unusable, write};

/// Coins of each account at the start.
const BALANCE: u64 = 1_000_000;

/// Time between two blocks, unless it is given.
const AUTOMATIC: Duration = Duration::from_secs(1);

/// The same for blocks by hand: an empty block must not follow sooner (T3).
const MANUAL: Duration = Duration::from_millis(100);

/// Bounds of a slot in milliseconds: a busy machine misses shorter ones, the rules refuse
/// longer ones.
const SLOTS: (u64, u64) = (1_000, 600_000);

/// Most characters of the messages of `initc` that are shown.
const MAX_SAID: usize = 500;

/// Text of the marker, for people who look into the file.
const MARKER: &str = "A devnet is being made here. The next start begins again.\n";

/// Makes all files of a new network.
///
/// # Errors
/// [`Failure`] if a file cannot be written, the rules refuse the genesis, or `initc` fails.
pub(super) async fn init(
    programs: &Programs,
    layout: &Layout,
    new: &NewDevnet,
) -> Result<Manifest, Failure> {
    begin(layout)?;
    let (place, shape) = (layout.clone(), new.clone());
    let making = tokio::task::spawn_blocking(move || make_accounts(&place, &shape));
    let mut manifest = making.await.expect("making keys does not panic")?;
    manifest.genesis_id = mine(programs, layout).await?;
    manifest.write(layout)?;
    Ok(manifest)
}

/// Sets the marker, and removes what an interrupted start has made.
fn begin(layout: &Layout) -> Result<(), Failure> {
    write(&layout.init_marker(), MARKER, 0o600)?;
    let nodes = [NodeType::Validator, NodeType::Basic];
    let names = nodes.map(|node| (0..MAX_MEMBERS).map(move |index| node.name(index)));
    let nodes = names.into_iter().flatten().map(|name| layout.member(&name));
    for dir in nodes.chain(NAMES.map(|name| layout.account(name))) {
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(unusable(&dir)(error)),
            _ => {}
        }
    }
    remove(&layout.genesis())?;
    let accounts = layout.accounts();
    fs::create_dir_all(&accounts).map_err(unusable(&accounts))
}

/// Makes the keys and the genesis configuration; the genesis id is still missing.
fn make_accounts(layout: &Layout, new: &NewDevnet) -> Result<Manifest, Failure> {
    let (validators, basics) = if new.manual { (1, 0) } else { (2, 1) };
    let validators = usize::from(new.validators.unwrap_or(validators));
    let basics = usize::from(new.basics.unwrap_or(basics));
    let miners = (0..validators).map(|n| NodeType::Validator.name(n));
    let nodes = miners.chain((0..basics).map(|n| NodeType::Basic.name(n)));
    let accounts = NAMES.iter().take(new.accounts());
    let accounts = accounts.map(|name| layout.account(name));
    let nodes = nodes.map(|name| layout.member(&name));
    let dirs: Vec<_> = nodes.chain(accounts).collect();
    let mut made = on_all_cores("making keys", &dirs, |_| 1, |dir| make_account(dir))?;
    let accounts = made.split_off(validators + basics);
    let basics = made.split_off(validators);
    let block_time = if new.manual { MANUAL } else { AUTOMATIC };
    let manifest = Manifest {
        genesis_id: BlockId::ZERO,
        block_time_ms: millis(new.block_time.unwrap_or(block_time)),
        manual: new.manual,
        validators: made,
        basics,
        accounts,
    };
    write(
        &layout.genesis(),
        &genesis_text(&genesis(&manifest))?,
        0o600,
    )?;
    Ok(manifest)
}

/// The parent directory must exist: an interrupted start removes it, and this ends.
fn make_account(dir: &Path) -> Result<Address, Failure> {
    fs::create_dir(dir).map_err(unusable(dir))?;
    let name = dir.file_name().and_then(|name| name.to_str());
    new_account(dir, name.unwrap_or_default())
}

/// A slot is two block times: when a leader is stopped, the next one soon takes over.
fn genesis(manifest: &Manifest) -> Value {
    let interval_ms = manifest.block_time_ms;
    let slot_ms = interval_ms.saturating_mul(2).clamp(SLOTS.0, SLOTS.1);
    let accounts = manifest.accounts.iter();
    let alloc = accounts.map(|address| (address.to_string(), json!({"balance": BALANCE})));
    json!({
        "network_id": 1,
        "miners": manifest.validators,
        "block_mining": {
            "interval": Duration::from_millis(interval_ms).as_secs_f64(),
            "min_bound": 1,
            "max_bound": 1_000,
            "difficulty": 4,
            "allow_empty": true,
        },
        "consensus": {"slot_ms": slot_ms},
        "alloc": alloc.collect::<serde_json::Map<_, _>>(),
    })
}

/// Mines block 1 with the real `initc`.
async fn mine(programs: &Programs, layout: &Layout) -> Result<BlockId, Failure> {
    #[derive(Deserialize)]
    struct Mined {
        genesis_id: BlockId,
    }
    let first = layout.member(&NodeType::Validator.name(0));
    let output = command(&programs.initc)
        .arg("-c")
        .arg(config_file(&first))
        .arg("-g")
        .arg(layout.genesis())
        .arg("--json")
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(cannot_start(&programs.initc))?;
    match serde_json::from_slice::<Mined>(&output.stdout) {
        Ok(mined) if output.status.success() => Ok(mined.genesis_id),
        _ => {
            let said = String::from_utf8_lossy(&output.stderr);
            let skipped = said.chars().count().saturating_sub(MAX_SAID);
            let said: String = said.trim_end().chars().skip(skipped).collect();
            let message = format!("initc ended with {}: {said}", output.status);
            Err(Failure::new(ExitCode::Unexpected, message))
        }
    }
}

/// Reads a block time: seconds, or a number with a unit (`500ms`, `2s`, `1m`).
///
/// # Errors
/// [`Failure`] 2 for anything else, or less than 100 ms or more than an hour.
pub fn block_time(text: &str) -> Result<Duration, Failure> {
    let seconds = text.parse::<f64>().ok();
    let time = match seconds {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        None => humantime::parse_duration(text).ok(),
    };
    let fits = |time: &Duration| {
        (100..=3_600_000).contains(&time.as_millis())
            && time.subsec_nanos().is_multiple_of(1_000_000)
    };
    time.filter(fits).ok_or_else(|| {
        let message = format!("{text:?} is not a block time, write 1s, 500ms or the like up to 1h");
        Failure::new(ExitCode::Usage, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccoin_home::GenesisDocument;
    use ccoin_home::{Config, DataDir, load_key};
    use std::path::PathBuf;

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
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path().to_owned());
        let new = NewDevnet {
            validators: Some(1),
            accounts: Some(2),
            block_time: Some(Duration::from_millis(1_500)),
            ..NewDevnet::default()
        };
        begin(&layout).unwrap();
        let made = make_accounts(&layout, &new).unwrap();
        let text = fs::read_to_string(layout.genesis()).unwrap();
        let document = GenesisDocument::parse(&text, "genesis.json").unwrap();
        assert_eq!(document.config.miners, made.validators);
        let mining = &document.config.block_mining;
        assert_eq!((mining.min_bound, mining.max_bound), (1, 1_000));
        assert_eq!((mining.interval_ms, mining.difficulty), (1_500, 4));
        assert_eq!(document.config.consensus.slot_ms, 3_000);
        let mut funded = made.accounts.clone();
        funded.sort();
        assert_eq!(document.alloc.keys().copied().collect::<Vec<_>>(), funded);

        let members = [
            (layout.member("validator-1"), made.validators[0]),
            (layout.member("basic-1"), made.basics[0]),
            (layout.account("alice"), made.accounts[0]),
            (layout.account("bob"), made.accounts[1]),
        ];
        for (dir, address) in members {
            let config = Config::load(&config_file(&dir), &|_| None).unwrap();
            assert_eq!(config.data_dir().unwrap(), DataDir::new(&dir, address));
            load_key(&config.data_dir().unwrap(), None).unwrap();
        }
    }

    #[test]
    fn a_second_start_removes_what_an_interrupted_one_made_and_no_other_file() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path().to_owned());
        let key = |dir: PathBuf| {
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("key"), "").unwrap();
            dir
        };
        let made = ["validator-1", "basic-20", "accounts/wendy"].map(|dir| key(layout.member(dir)));
        fs::write(layout.genesis(), "").unwrap();
        let kept = ["discovery", "accounts/zoe"].map(|dir| key(layout.member(dir)));
        fs::write(dir.path().join("notes.txt"), "mine").unwrap();
        begin(&layout).unwrap();
        assert!(layout.init_marker().exists());
        assert!(made.iter().all(|dir| !dir.exists()));
        assert!(!layout.genesis().exists());
        assert!(kept.iter().all(|dir| dir.join("key").exists()));
        assert!(dir.path().join("notes.txt").exists());
    }
}
