//! `cnode recover-votes`: the operator vouches for what a lost vote file held (A4, A5).

use crate::{
    check::{check_miner, find},
    options::{NodeType, Options, RecoverVotes},
};
use ccoin_core::{consensus::voter_record::Standing, genesis::Genesis};
use ccoin_home::{DataDir, ExitCode, Failure, LockFile};
use ccoin_node::{ChainPaths, IntactValidator, clock};
use ccoin_storage::{ChainLock, VoteFile, VoteRecord};
use std::path::{Path, PathBuf};

/// Signatures for a time further ahead than this were made by a wrong clock, in ms.
const FAR_MS: u64 = 60_000;

/// Writes a vote file from the certificates of other validators.
pub(crate) fn run(options: &Options, given: &RecoverVotes) -> Result<(), Failure> {
    let found = find(options)?;
    let Some(genesis) = &found.genesis else {
        let message = "there is no chain here, so nothing was voted on it";
        return Err(
            Failure::new(ExitCode::BadConfig, message).hint("start cnode: a peer sends the chain")
        );
    };
    check_miner(genesis, NodeType::Validator, &found.dir)?;
    if !given.no_other_copy {
        let message = "two machines that run one key can make two chains final";
        return Err(Failure::new(ExitCode::BadConfig, message)
            .hint("say --no-other-copy if no other machine runs this key, and none will"));
    }
    let (_key_lock, _chain_lock) = hold(&found.dir, &found.chain)?;
    let path = found.dir.votes();
    let old = match VoteFile::open(&path) {
        Ok(votes) => votes.record(&genesis.id),
        Err(_) => None,
    };
    let alone = genesis.config.miners.len() == 1;
    let ahead = old.as_ref().is_some_and(|old| is_ahead(genesis, old));
    if ahead && !alone {
        let message = "the vote file tells of signatures for a time that has not come";
        return Err(Failure::new(ExitCode::BadConfig, message)
            .hint("this key votes again when that time has come: others may keep those signatures,")
            .hint("and a second one for the same turn could make two chains final"));
    }
    if old.is_some_and(|old| old.voter.standing == Standing::Intact) && !ahead {
        println!("nothing to do: the vote file {} is whole", path.display());
        return Ok(());
    }
    let others = intact_validators(genesis, &found.dir, &given.from)?;
    let record = found.chain.recover_votes(genesis, &others)?;
    store(&path, record)?;
    println!(
        "this key votes again, locked on block {}; start its node now",
        record.voter.lock.number
    );
    Ok(())
}

/// Whether a record tells of signatures for a time that has not come: a clock was wrong.
fn is_ahead(genesis: &Genesis, record: &VoteRecord) -> bool {
    let slot = record.last_sealed_slot.max(record.voter.max_vote1.slot());
    let begins = genesis.schedule.end(slot).saturating_sub(FAR_MS);
    begins > clock::wall().get()
}

/// No node may use the key or the chain meanwhile.
pub(crate) fn hold(dir: &DataDir, chain: &ChainPaths) -> Result<(LockFile, ChainLock), Failure> {
    let key_lock = LockFile::take(&dir.lock())
        .map_err(|error| Failure::from(error).hint("stop the node first"))?;
    let chain_lock = ChainLock::acquire(&chain.root)
        .map_err(|error| Failure::from(ccoin_node::NodeError::from(error)))?;
    Ok((key_lock, chain_lock))
}

/// The validators in these data directories: so many that every quorum of the network holds
/// this key or one of them.
fn intact_validators(
    genesis: &Genesis,
    own: &DataDir,
    from: &[PathBuf],
) -> Result<Vec<IntactValidator>, Failure> {
    let miners = genesis.config.miners.len();
    let quorum = usize::try_from(genesis.config.consensus.quorum).unwrap_or(usize::MAX);
    let needed = match miners {
        1 => 0,
        miners => miners.saturating_sub(quorum) + 1,
    };
    let mut found: Vec<IntactValidator> = Vec::new();
    for path in from {
        let dir = DataDir::at(path).map_err(Failure::from)?;
        let known = found.iter().any(|known| known.address == dir.address());
        if !known && dir.address() != own.address() {
            found.push(intact_validator(genesis, &dir)?);
        }
    }
    if found.len() < needed {
        let message = format!(
            "{} data directories of other validators were given, {needed} are needed: with fewer \
             this key could vote against what is final",
            found.len()
        );
        return Err(Failure::new(ExitCode::BadConfig, message).hint(
            "stop their nodes and say --from DIR for each; a copy of the directory will do",
        ));
    }
    Ok(found)
}

fn intact_validator(genesis: &Genesis, dir: &DataDir) -> Result<IntactValidator, Failure> {
    let chain = ChainPaths::new(dir.chain());
    let refuse = |reason: &str| {
        Err(Failure::new(
            ExitCode::BadConfig,
            format!("{}: {reason}", dir.root().display()),
        ))
    };
    if !genesis.config.miners.contains(&dir.address()) {
        return refuse("is not the data directory of a miner of this network");
    }
    if !chain.exist()? || chain.genesis()?.id != genesis.id {
        return refuse("holds no chain of this network");
    }
    let _lock = ChainLock::hold(&chain.root)
        .map_err(|error| Failure::from(ccoin_node::NodeError::from(error)))?;
    let votes = VoteFile::open(&dir.votes())?;
    let record = votes.record(&genesis.id);
    let record = record.unwrap_or_else(|| VoteRecord::never_signed(genesis.id));
    if record.voter.standing != Standing::Intact {
        return refuse("its vote file was lost too");
    }
    Ok(IntactValidator {
        address: dir.address(),
        chain,
        record: record.voter,
    })
}

/// Replaces the record; a damaged file stays beside the new one.
pub(crate) fn store(path: &Path, record: VoteRecord) -> Result<(), Failure> {
    let io = |error| {
        let message = format!("cannot replace {}: {error}", path.display());
        Failure::new(ExitCode::Disk, message)
    };
    if let Ok(mut votes) = VoteFile::open(path) {
        return Ok(votes.replace(record)?);
    }
    if path.exists() {
        std::fs::rename(path, path.with_extension("damaged")).map_err(io)?;
    }
    Ok(VoteFile::create_with(path, record).map(drop)?)
}
