//! Everything that a start needs, read and compared; and `--check`, which stops there.

use crate::{
    account_key::AccountKey,
    options::{NodeType, Options},
};
use ccoin_core::{BlockId, genesis::Genesis};
use ccoin_crypto::Lanes;
use ccoin_home::{
    Config, DataDir, ExitCode, Failure, PassphraseSource, environment, key_left_behind, lanes,
    miner_warnings,
};
use ccoin_node::{ChainPaths, NodeError};
use ccoin_storage::StorageError;

/// The files that a start has read; it has changed none.
pub(crate) struct Found {
    pub(crate) config: Config,
    pub(crate) dir: DataDir,
    pub(crate) chain: ChainPaths,
    /// `None`: it must come from a peer.
    pub(crate) genesis: Option<Genesis>,
    /// The network that was asked for.
    pub(crate) wanted: Option<BlockId>,
    pub(crate) key: AccountKey,
    pub(crate) lanes: Lanes,
    /// What the operator should know.
    pub(crate) remarks: Vec<String>,
}

/// Reads configuration, chain and key, in the order in which they are made.
pub(crate) fn find(options: &Options) -> Result<Found, Failure> {
    let config = Config::load(&options.config, &environment)?;
    // A misspelt key may be the reason of a failure.
    let warnings = config.clone();
    find_in(config, options).inspect_err(|_| warnings.print_warnings())
}

fn find_in(config: Config, options: &Options) -> Result<Found, Failure> {
    let lanes = lanes(&environment)?;
    let dir = config.data_dir()?;
    let passphrase = match &options.passphrase_file {
        Some(path) => PassphraseSource::File(path.clone()),
        None => PassphraseSource::Terminal,
    };
    let key = AccountKey::find(&config, &dir, &passphrase)?;
    let chain = ChainPaths::new(dir.chain());
    let wanted = options.genesis_id.or(config.genesis_id);
    let genesis = chain.exist()?.then(|| chain.genesis()).transpose()?;
    if let Some(genesis) = &genesis {
        check_network(genesis, wanted, &config.file)?;
        check_miner(genesis, options.node_type, &dir)?;
    }
    let mut remarks = genesis.as_ref().map_or_else(Vec::new, |genesis| {
        miner_warnings(&config.app.base_path, dir.address(), &genesis.config.miners)
    });
    if config.signer.is_some() {
        remarks.extend(key_left_behind(&dir.private_key()));
    }
    Ok(Found {
        config,
        dir,
        chain,
        genesis,
        wanted,
        key,
        lanes,
        remarks,
    })
}

fn check_network(genesis: &Genesis, wanted: Option<BlockId>, file: &str) -> Result<(), Failure> {
    let Some(wanted) = wanted.filter(|wanted| *wanted != genesis.id) else {
        return Ok(());
    };
    let message = "the chain here is not the one that was asked for";
    Err(Failure::new(ExitCode::BadConfig, message)
        .hint(format!(
            "mine {}   asked for {wanted}   nothing was changed",
            genesis.id
        ))
        .hint(format!(
            "correct --genesis-id or genesis_id in {file}, or use another account there"
        )))
}

/// A validator must be listed.
pub(crate) fn check_miner(
    genesis: &Genesis,
    node_type: NodeType,
    dir: &DataDir,
) -> Result<(), Failure> {
    let miners = &genesis.config.miners;
    if node_type == NodeType::Basic || miners.contains(&dir.address()) {
        return Ok(());
    }
    let message = format!("{} is not a miner of this network", dir.address());
    Err(Failure::new(ExitCode::BadConfig, message)
        .hint(format!(
            "its genesis block lists {} miners, for ever",
            miners.len()
        ))
        .hint("start it as a basic node: cnode -t basic ..."))
}

/// `--check`.
pub(crate) fn check(options: &Options) -> Result<(), Failure> {
    let found = find(options)?;
    found.config.print_warnings();
    for remark in &found.remarks {
        eprintln!("warning: {remark}");
    }
    println!("configuration  {}", found.config.file);
    println!(
        "account        {} ({} bits)",
        found.dir.address(),
        found.key.public_key().bits()
    );
    found.key.check()?;
    println!("data directory {}", found.dir.root().display());
    println!("signatures     {}", found.lanes);
    match &found.genesis {
        Some(genesis) => {
            println!("genesis        {}", genesis.id);
            println!("network        {}", genesis.config.fault_model());
            check_chain(&found.chain, genesis)?;
        }
        None => println!("genesis        none yet: block 1 will come from a peer"),
    }
    Ok(())
}

/// A node that runs has read its chain at its start, and writes to it.
fn check_chain(chain: &ChainPaths, genesis: &Genesis) -> Result<(), Failure> {
    match chain.check(genesis) {
        Ok(found) => println!(
            "chain          {} blocks, {} waiting transactions, nothing damaged",
            found.height, found.waiting
        ),
        Err(NodeError::Storage(StorageError::Busy { .. })) => {
            println!("chain          not read: a node uses it");
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
