//! Everything that a start needs, read and compared; and `--check`, which stops there.

use crate::options::{NodeType, Options};
use ccoin_core::genesis::Genesis;
use ccoin_crypto::SecretKey;
use ccoin_home::{Config, DataDir, ExitCode, Failure, PassphraseSource, environment, unlock_key};
use ccoin_node::ChainPaths;

/// What a start has read; nothing has been changed.
pub(crate) struct Found {
    pub(crate) config: Config,
    pub(crate) dir: DataDir,
    pub(crate) chain: ChainPaths,
    pub(crate) genesis: Genesis,
    pub(crate) key: SecretKey,
}

/// Reads configuration, chain and key, in the order in which they are made.
pub(crate) fn find(options: &Options) -> Result<Found, Failure> {
    let config = Config::load(&options.config, &environment)?;
    let dir = config.data_dir()?;
    let passphrase = match &options.passphrase_file {
        Some(path) => PassphraseSource::File(path.clone()),
        None => PassphraseSource::Terminal,
    };
    let key = unlock_key(&dir, &passphrase)?;
    let chain = ChainPaths::new(dir.chain());
    if !chain.exist()? {
        let message = format!("there is no chain in {}", dir.root().display());
        let hint = format!(
            "initc -c {} -g genesis.json   makes one",
            options.config.display()
        );
        return Err(Failure::new(ExitCode::BadConfig, message).hint(hint));
    }
    let genesis = chain.genesis()?;
    if let Some(wanted) = config.genesis_id.filter(|wanted| *wanted != genesis.id) {
        return Err(Failure::new(
            ExitCode::BadConfig,
            "the chain here is not the one that the configuration names",
        )
        .hint(format!(
            "mine {}   configured {wanted}   nothing was changed",
            genesis.id
        ))
        .hint(format!("correct genesis_id in {}", config.file)));
    }
    let miners = &genesis.config.miners;
    if options.node_type == NodeType::Validator && !miners.contains(&dir.address()) {
        return Err(Failure::new(
            ExitCode::BadConfig,
            format!("{} is not a miner of this network", dir.address()),
        )
        .hint(format!(
            "its genesis block lists {} miners, for ever",
            miners.len()
        ))
        .hint("start it as a basic node: cnode -t basic ..."));
    }
    Ok(Found {
        config,
        dir,
        chain,
        genesis,
        key,
    })
}

/// `--check`.
pub(crate) fn check(options: &Options) -> Result<(), Failure> {
    let found = find(options)?;
    found
        .config
        .warnings
        .iter()
        .for_each(|warning| eprintln!("warning: {warning}"));
    println!("configuration  {}", found.config.file);
    println!(
        "account        {} ({} bits)",
        found.dir.address(),
        found.key.public_key().bits()
    );
    println!("data directory {}", found.dir.root().display());
    println!("genesis        {}", found.genesis.id);
    println!("network        {}", found.genesis.config.fault_model());
    Ok(())
}
