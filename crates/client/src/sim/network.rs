//! The network that is simulated: the rules of a genesis file, with its miners or another number
//! of them.

use std::fs::File;
use std::path::Path;

use ccoin_core::Address;
use ccoin_core::genesis_config::{BlockMining, ConsensusParams, GenesisConfig};
use ccoin_home::{ExitCode, Failure, GenesisDocument, read_text};

/// Bytes of the largest genesis file that is read.
const MAX_FILE: usize = 16 << 20;

/// Validators where nothing names a number.
const VALIDATORS: u16 = 4;

/// The configuration of the network.
///
/// # Errors
/// [`Failure`] 3 for a file that cannot be read, or that lists no miner where none are asked for.
pub(super) fn config(
    genesis: Option<&Path>,
    validators: Option<u16>,
) -> Result<GenesisConfig, Failure> {
    let mut config = match genesis {
        Some(path) => read(path)?,
        None => as_in_a_devnet(),
    };
    let named = match genesis {
        Some(_) => validators,
        None => validators.or(Some(VALIDATORS)),
    };
    if let Some(count) = named.filter(|count| usize::from(*count) != config.miners.len()) {
        // The simulation signs with keys of its own: these addresses only count its miners.
        config.miners = (0..count).map(stand_in).collect();
        let derived = ConsensusParams::new(config.consensus.slot_ms, count.into());
        config.consensus.quorum = derived.quorum;
    }
    if config.miners.is_empty() {
        let path = genesis.unwrap_or(Path::new("")).display();
        let message = format!("{path} lists no miners");
        return Err(Failure::new(ExitCode::BadConfig, message)
            .hint("--validators 4   simulates so many with its rules"));
    }
    Ok(config)
}

fn stand_in(index: u16) -> Address {
    let mut bytes = [0xcc; 20];
    bytes[..2].copy_from_slice(&index.to_be_bytes());
    Address::new(bytes)
}

fn as_in_a_devnet() -> GenesisConfig {
    let mut config = GenesisConfig::new(1, Vec::new());
    config.block_mining = BlockMining {
        interval_ms: 1_000,
        min_bound: 1,
        max_bound: 1_000,
        difficulty: 4,
        ..config.block_mining
    };
    config
}

fn read(path: &Path) -> Result<GenesisConfig, Failure> {
    let name = path.display().to_string();
    let text = File::open(path).and_then(|file| read_text(file, MAX_FILE));
    let text = text.map_err(|error| {
        let message = format!("cannot read the genesis file {name}: {error}");
        Failure::new(ExitCode::BadConfig, message).hint("name another one with --genesis FILE")
    })?;
    Ok(GenesisDocument::parse_draft(&text, &name)?.config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_file_decides_and_validators_replace_its_miners() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("genesis.json");
        let miners: Vec<_> = (1..=3).map(|n| format!("{n:040x}")).collect();
        let write = |miners: &[String]| {
            let consensus = serde_json::json!({"slot_ms": 4_000, "quorum": 3});
            let document = serde_json::json!({
                "network_id": 7, "miners": miners, "consensus": consensus
            });
            fs::write(&path, document.to_string()).unwrap();
        };
        write(&miners);
        let of = |validators| config(Some(&path), validators);
        let same = of(None).unwrap();
        assert_eq!((same.miners.len(), same.consensus.quorum), (3, 3));
        let more = of(Some(7)).unwrap();
        let found = (
            more.miners.len(),
            more.consensus.quorum,
            more.consensus.slot_ms,
        );
        assert_eq!(found, (7, 5, 4_000));
        assert!(more.check().is_ok());

        write(&[]);
        assert_eq!(of(None).unwrap_err().code, ExitCode::BadConfig);
        assert_eq!(of(Some(2)).unwrap().consensus.quorum, 2);
        assert_eq!(config(None, None).unwrap().miners.len(), 4);
        let absent = config(Some(&directory.path().join("x")), None).unwrap_err();
        assert_eq!(absent.code, ExitCode::BadConfig);
    }
}
