//! `initc`: makes the chain of a new network, or installs the genesis block of one.

use anyhow::Context as _;
use ccoin_core::{
    genesis::{Genesis, UnminedGenesis},
    genesis_config::GenesisConfig,
};
use ccoin_home::{
    Config, DataDir, ExitCode, Failure, GenesisDocument, ensure_key, environment, load_public_key,
    miner_warnings, run,
};
use ccoin_node::{
    ChainPaths, NodeError, clock,
    genesis_mining::{SlotFit, hash_rate, mine_genesis, slot_fit, throughput_cap},
};
use ccoin_storage::{ChainLock, VoteFile, VoteRecord};
use clap::Parser;
use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode as ProcessExitCode,
    time::{Duration, Instant},
};

/// Bytes of the largest genesis file that is read.
const MAX_FILE: u64 = 16 << 20;

/// First byte of every encoded block: an array of two.
const BLOCK_START: u8 = 0x92;

/// Make the chain of a new network, or install a genesis block
#[derive(Debug, Parser)]
#[command(name = "initc", version)]
struct Options {
    /// Configuration that names the account and its data directory
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "ccoin.json",
        env = "CCOIN_CONFIG"
    )]
    config: PathBuf,
    /// A genesis configuration, or a block written by --out
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "genesis.json",
        env = "CCOIN_GENESIS_FILE"
    )]
    genesis: PathBuf,
    /// Look at both files and say what the network would be like; change nothing
    #[arg(long)]
    check: bool,
    /// Also write the genesis block to FILE, for others to install
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the chain that is there
    #[arg(long)]
    force: bool,
    /// Does nothing: for habits from servers
    #[arg(short, long, hide = true)]
    nodaemon: bool,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// The content of `--genesis`.
enum Source {
    Configuration(Box<GenesisDocument>),
    Block(Box<Genesis>),
}

impl Source {
    fn config(&self) -> &GenesisConfig {
        match self {
            Self::Configuration(document) => &document.config,
            Self::Block(genesis) => &genesis.config,
        }
    }
}

fn main() -> ProcessExitCode {
    let options: Options = ccoin_home::options();
    run(|| found(&options))
}

fn found(options: &Options) -> anyhow::Result<()> {
    let config = Config::load(&options.config, &environment).map_err(Failure::from)?;
    config.print_warnings();
    let dir = config.data_dir().map_err(Failure::from)?;
    let source = read(&options.genesis)?;
    describe(&source)?;
    for warning in miner_warnings(
        &config.app.base_path,
        dir.address(),
        &source.config().miners,
    ) {
        eprintln!("warning: {warning}");
    }
    let paths = ChainPaths::new(dir.chain());
    if options.check {
        return Ok(());
    }
    match config.signer {
        Some(_) => load_public_key(&dir).map(drop),
        None => ensure_key(&dir),
    }
    .map_err(Failure::from)?;
    let _lock = prepare(&dir, &paths, options.force)?;
    let (genesis, mined) = match source {
        Source::Block(genesis) => (*genesis, false),
        Source::Configuration(document) => (mine(&document)?, true),
    };
    if let Some(out) = &options.out {
        fs::write(out, genesis.encode())
            .with_context(|| format!("cannot write {}", out.display()))?;
    }
    if options.force {
        paths.remove().map_err(Failure::from)?;
    }
    if mined {
        note_new(&dir, &genesis)?;
    }
    paths.create(&genesis).map_err(Failure::from)?;
    print(&genesis, mined, options.json, &dir);
    Ok(())
}

/// On a network that is new no key has signed anything, also one whose vote file was lost.
fn note_new(dir: &DataDir, genesis: &Genesis) -> Result<(), Failure> {
    match VoteFile::open(&dir.votes()) {
        Ok(mut votes) if votes.record(&genesis.id).is_some() => {
            Ok(votes.store(VoteRecord::never_signed(genesis.id))?)
        }
        _ => Ok(()),
    }
}

/// Takes the chain directory and makes sure that nothing is overwritten by accident.
fn prepare(dir: &DataDir, paths: &ChainPaths, force: bool) -> anyhow::Result<ChainLock> {
    fs::create_dir_all(&paths.root)
        .with_context(|| format!("cannot create {}", paths.root.display()))?;
    let lock =
        ChainLock::acquire(&paths.root).map_err(|error| Failure::from(NodeError::from(error)))?;
    if !force && paths.exist().map_err(Failure::from)? {
        let message = format!(
            "there is a chain in {} already; nothing was changed",
            dir.root().display()
        );
        let hint = "initc --force   throws it away and makes a new one";
        return Err(Failure::new(ExitCode::Busy, message).hint(hint).into());
    }
    Ok(lock)
}

fn read(path: &Path) -> anyhow::Result<Source> {
    let name = path.display().to_string();
    let unreadable = |error| {
        Failure::new(
            ExitCode::BadConfig,
            format!("cannot read the genesis file {name}: {error}"),
        )
        .hint("name another one with --genesis FILE")
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE {
        let message = format!("{name} has more than {MAX_FILE} bytes: that is no genesis file");
        return Err(Failure::new(ExitCode::BadConfig, message).into());
    }
    if bytes.first() == Some(&BLOCK_START) {
        let genesis = Genesis::decode(&bytes)
            .map_err(|error| Failure::new(ExitCode::BadConfig, format!("{name}: {error}")))?;
        return Ok(Source::Block(Box::new(genesis)));
    }
    let text = String::from_utf8(bytes).map_err(|_| {
        Failure::new(
            ExitCode::BadConfig,
            format!("{name} is neither UTF-8 text nor a genesis block"),
        )
    })?;
    let document = GenesisDocument::parse(&text, &name).map_err(Failure::from)?;
    Ok(Source::Configuration(Box::new(document)))
}

/// Says what the network will be like, and refuses one that cannot work here.
fn describe(source: &Source) -> anyhow::Result<()> {
    if let Source::Configuration(document) = source {
        for warning in &document.warnings {
            eprintln!("warning: {warning}");
        }
    }
    let config = source.config();
    eprintln!("{}", config.fault_model());
    eprintln!(
        "the first block of a slot pays its miner {} coins, further blocks of that slot pay none",
        config.block_mining.reward
    );
    eprintln!(
        "at most {} transactions per second: max_bound {} in blocks at least {} ms apart",
        throughput_cap(config),
        config.block_mining.max_bound,
        config.consensus.min_gap_ms
    );
    match slot_fit(config, hash_rate()) {
        SlotFit::Comfortable => Ok(()),
        SlotFit::Tight(words) => {
            eprintln!("warning: {words}; 4 x the search is comfortable, the slowest validator counts");
            Ok(())
        }
        SlotFit::TooShort(words) => Err(Failure::new(ExitCode::BadConfig, words)
            .hint("lower block_mining.difficulty or raise consensus.slot_ms to at least 2 x the search")
            .into()),
    }
}

fn mine(document: &GenesisDocument) -> anyhow::Result<Genesis> {
    let bad = |error: ccoin_core::genesis::GenesisError| {
        Failure::new(ExitCode::BadConfig, error.to_string())
    };
    let unmined =
        UnminedGenesis::new(&document.config, &document.alloc, clock::wall()).map_err(bad)?;
    let mut told = Instant::now();
    let genesis = mine_genesis(unmined, &mut |tries| {
        if told.elapsed() > Duration::from_secs(1) {
            told = Instant::now();
            eprintln!("mining block 1: {tries} tries");
        }
    });
    Ok(genesis.map_err(bad)?)
}

fn print(genesis: &Genesis, mined: bool, json: bool, dir: &DataDir) {
    let nonce = genesis.signed().nonce;
    if json {
        let line = serde_json::json!({
            "genesis_id": genesis.id, "nonce": nonce, "mined": mined, "data_dir": dir.root(),
        });
        println!("{line}");
    } else if mined {
        println!(
            "Genesis block has been mined: nonce={nonce}, pow_hash={}",
            genesis.id
        );
    } else {
        println!("Genesis block has been installed: pow_hash={}", genesis.id);
    }
}
