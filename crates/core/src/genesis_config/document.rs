//! Reads `genesis.json`: every key, its default and its check, in one place.
//! The canonical text of block 1 goes through the same checks.

use std::collections::{BTreeMap, BTreeSet};

use ccoin_crypto::Address;

use super::{
    BlockMining, ConsensusParams, GenesisConfig, GenesisConfigError, GenesisReward,
    MAX_BATCH_BYTES, MAX_BLOCK_DATA_BYTES, MAX_CANONICAL_BYTES, Placeholder, REWARDS, TXN_OVERHEAD,
    TransactionRules,
};
use crate::jsonc::{Document, JsoncError, Node, Section, UnknownKeys};
use crate::{AccountNonce, Amount, MAX_INTEGER};

/// Most miners of a network.
const MAX_MINERS: usize = 100;

/// Longest interval between blocks: a year of 365 days, in milliseconds.
const MAX_INTERVAL_MS: u64 = 31_536_000_000;

/// An account that exists from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// Transactions it counts as having sent.
    pub nonce: AccountNonce,
    /// Its coins.
    pub balance: Amount,
}

/// A whole genesis.json: the configuration and the first accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenesisDocument {
    /// What block 1 carries as its data.
    pub config: GenesisConfig,
    /// What block 1 carries as its body.
    pub alloc: BTreeMap<Address, Allocation>,
    /// What was odd but readable.
    pub warnings: Vec<String>,
}

impl GenesisDocument {
    /// Reads a genesis.json; `name` stands in messages.
    ///
    /// # Errors
    /// [`GenesisConfigError`] with the place, the value and what to write instead.
    pub fn parse(text: &str, name: &str) -> Result<Self, GenesisConfigError> {
        let document = Document::parse(text, name, UnknownKeys::Refuse)?;
        let mut root = document.root()?;
        let alloc = root.get("alloc").map_or(Ok(BTreeMap::new()), read_alloc)?;
        let config = read_config(root, "interval", &alloc)?;
        let got = config.canonical_json().len();
        if got > MAX_CANONICAL_BYTES {
            return Err(GenesisConfigError::TooLong { got });
        }
        Ok(Self {
            config,
            alloc,
            warnings: document.into_warnings(),
        })
    }
}

/// Reads the canonical text, where the interval is a number of milliseconds.
pub(super) fn read_canonical(text: &str) -> Result<GenesisConfig, GenesisConfigError> {
    let document = Document::parse(text, "block 1", UnknownKeys::Refuse)?;
    read_config(document.root()?, "interval_ms", &BTreeMap::new())
}

fn read_config(
    mut root: Section<'_>,
    interval: &'static str,
    alloc: &BTreeMap<Address, Allocation>,
) -> Result<GenesisConfig, GenesisConfigError> {
    let network_id = root
        .require("network_id", "\"network_id\": 1")?
        .integer32(0, u32::MAX)?;
    let miners_node = root.require("miners", "\"miners\": []")?;
    let miners = read_miners(&miners_node)?;
    let max_peers = root.read_or("max_peers", 0, |node| node.integer32(0, u32::MAX))?;
    let transaction = read_transaction(root.section("transaction")?)?;
    let block_mining = read_block_mining(
        root.section("block_mining")?,
        interval,
        transaction.max_data_bytes,
    )?;
    let genesis_block = read_genesis_block(root.section("genesis_block")?)?;
    let consensus = read_consensus(root.section("consensus")?, miners.len())?;
    check_supply(&root, alloc, &genesis_block, block_mining.reward)?;
    root.finish()?;
    // Last, so that a file in which only the miners are missing is known to be good otherwise.
    if miners.is_empty() {
        let JsoncError {
            name, line, column, ..
        } = miners_node.error("", "");
        return Err(GenesisConfigError::NoMiners { name, line, column });
    }
    Ok(GenesisConfig {
        block_mining,
        consensus,
        genesis_block,
        max_peers,
        miners,
        network_id,
        transaction,
    })
}

fn read_miners(node: &Node<'_>) -> Result<Vec<Address>, JsoncError> {
    let items = node.items()?;
    let mut miners = Vec::new();
    let mut seen = BTreeSet::new();
    for item in items {
        if miners.len() == MAX_MINERS {
            return Err(item.error(
                "is one too many",
                format!("list at most {MAX_MINERS} miners"),
            ));
        }
        let address = item.address()?;
        if !seen.insert(address) {
            return Err(item.error("stands there twice", "list each miner once"));
        }
        miners.push(address);
    }
    Ok(miners)
}

fn read_transaction(section: Option<Section<'_>>) -> Result<TransactionRules, JsoncError> {
    let mut rules = TransactionRules {
        max_data_bytes: 4_096,
        placeholder_data: None,
    };
    let Some(mut section) = section else {
        return Ok(rules);
    };
    rules.max_data_bytes = section.read_or("max_data_bytes", rules.max_data_bytes, |node| {
        node.integer32(0, 65_536)
    })?;
    rules.placeholder_data = section.read_or("placeholder_data", None, |node| {
        read_placeholder(&node, rules.max_data_bytes)
    })?;
    section.finish()?;
    Ok(rules)
}

fn read_block_mining(
    section: Option<Section<'_>>,
    interval: &'static str,
    max_data_bytes: u32,
) -> Result<BlockMining, JsoncError> {
    let mut mining = BlockMining {
        allow_empty: true,
        difficulty: 5,
        interval_ms: 600_000,
        max_bound: 100,
        min_bound: 10,
        placeholder_data: None,
        reward: amount(100),
    };
    let Some(mut section) = section else {
        return Ok(mining);
    };
    mining.interval_ms = section.read_or(interval, mining.interval_ms, |node| {
        if interval == "interval_ms" {
            node.integer(1, MAX_INTERVAL_MS)
        } else {
            node.seconds_as_ms(MAX_INTERVAL_MS)
        }
    })?;
    mining.min_bound = section.read_or("min_bound", mining.min_bound, |node| {
        let min_bound = node.integer32(1, u32::MAX)?;
        let txn_bytes = TXN_OVERHEAD.saturating_add(max_data_bytes.into());
        let largest = MAX_BATCH_BYTES.checked_div(txn_bytes).unwrap_or(0);
        if u64::from(min_bound) > largest {
            let fault = format!("transactions of {max_data_bytes} bytes do not fit into a block");
            return Err(node.error(fault, format!("write at most {largest}")));
        }
        Ok(min_bound)
    })?;
    let bounds = mining.min_bound;
    if let Some(node) = section.get("max_bound") {
        mining.max_bound = node.integer32(bounds, u32::MAX)?;
    } else if mining.max_bound < bounds {
        let fault = format!("min_bound {bounds} is greater than max_bound, by default 100");
        return Err(section.error(fault, format!("add \"max_bound\": {bounds}")));
    }
    mining.reward = section.read_or("reward", mining.reward, read_amount)?;
    mining.difficulty = section.read_or("difficulty", mining.difficulty, read_difficulty)?;
    mining.allow_empty = section.read_or("allow_empty", mining.allow_empty, |node| node.flag())?;
    mining.placeholder_data = section.read_or("placeholder_data", None, |node| {
        read_placeholder(&node, MAX_BLOCK_DATA_BYTES)
    })?;
    section.finish()?;
    Ok(mining)
}

fn read_genesis_block(section: Option<Section<'_>>) -> Result<GenesisReward, JsoncError> {
    let mut reward = GenesisReward {
        coinbase: None,
        coinbase_reward: amount(100),
        difficulty: 4,
    };
    let Some(mut section) = section else {
        return Ok(reward);
    };
    reward.coinbase = section.read_or("coinbase", None, |node| match node.text()? {
        "" => Ok(None),
        _ => node.address().map(Some),
    })?;
    reward.coinbase_reward =
        section.read_or("coinbase_reward", reward.coinbase_reward, read_amount)?;
    reward.difficulty = section.read_or("difficulty", reward.difficulty, read_difficulty)?;
    section.finish()?;
    Ok(reward)
}

/// The checks keep, for a slot: guard and skew below half, the gap at most a quarter.
fn read_consensus(
    section: Option<Section<'_>>,
    miners: usize,
) -> Result<ConsensusParams, JsoncError> {
    let miners = u32::try_from(miners).unwrap_or(u32::MAX);
    let two_thirds = miners.saturating_mul(2).div_ceil(3);
    let derived = |slot_ms: u64| ConsensusParams {
        guard_ms: slot_ms / 5,
        max_skew_ms: slot_ms / 4,
        min_gap_ms: 50,
        quorum: two_thirds,
        slot_ms,
    };
    let Some(mut section) = section else {
        return Ok(derived(2_000));
    };
    let slot_ms = section.read_or("slot_ms", 2_000, |node| node.integer(200, 600_000))?;
    let mut params = derived(slot_ms);
    let below_half = slot_ms.saturating_sub(1) / 2;
    params.guard_ms = section.read_or("guard_ms", params.guard_ms, |node| {
        node.integer(0, below_half)
    })?;
    params.max_skew_ms = section.read_or("max_skew_ms", params.max_skew_ms, |node| {
        node.integer(0, below_half)
    })?;
    params.min_gap_ms = section.read_or("min_gap_ms", params.min_gap_ms, |node| {
        node.integer(1, slot_ms / 4)
    })?;
    if let Some(node) = section.get("quorum") {
        // Without miners no quorum is right; the missing miners are reported instead.
        let most = if miners == 0 { u32::MAX } else { miners };
        params.quorum = node.integer32((miners / 2).saturating_add(1), most)?;
    }
    section.finish()?;
    Ok(params)
}

fn read_alloc(node: Node<'_>) -> Result<BTreeMap<Address, Allocation>, JsoncError> {
    let mut alloc = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for (address, node) in node.section()?.by_address()? {
        if !seen.insert(address) {
            let fault = format!("for {address} stands there twice");
            return Err(node.error(fault, "keep one; upper and lower case are the same address"));
        }
        let mut section = node.clone().section()?;
        let balance = section.read_or("balance", Amount::ZERO, |node| {
            read_amount(node.named("alloc balance"))
        })?;
        let nonce = section.read_or("nonce", AccountNonce::ZERO, |node| {
            let nonce = node.named("alloc nonce").integer(0, MAX_INTEGER)?;
            Ok(AccountNonce::new(nonce).expect("the range was checked"))
        })?;
        section.finish()?;
        if nonce == AccountNonce::ZERO && balance == Amount::ZERO {
            node.warn(format!(
                "alloc {address} has nonce 0 and balance 0: dropped"
            ));
        } else {
            alloc.insert(address, Allocation { nonce, balance });
        }
    }
    Ok(alloc)
}

/// All coins that can come into being in 10^9 blocks stay exact in JSON.
fn check_supply(
    root: &Section<'_>,
    alloc: &BTreeMap<Address, Allocation>,
    genesis: &GenesisReward,
    reward: Amount,
) -> Result<(), JsoncError> {
    let rewards = reward.get().saturating_mul(REWARDS);
    let fixed = alloc
        .values()
        .fold(genesis.coinbase_reward.get(), |sum, account| {
            sum.saturating_add(account.balance.get())
        });
    let supply = fixed.saturating_add(rewards);
    if supply <= MAX_INTEGER {
        return Ok(());
    }
    let fault = format!(
        "the supply of {fixed} coins and {REWARDS} rewards of {reward} exceeds {MAX_INTEGER}"
    );
    let largest = MAX_INTEGER.saturating_sub(fixed) / REWARDS;
    Err(root.error(
        fault,
        format!("block_mining.reward at most {largest}, or less alloc"),
    ))
}

/// `["rnd", 15]`, `["predef", "text"]` or null.
fn read_placeholder(node: &Node<'_>, max_bytes: u32) -> Result<Option<Placeholder>, JsoncError> {
    if node.is_null() {
        return Ok(None);
    }
    let advice = "write [\"rnd\", 15], [\"predef\", \"text\"] or null";
    let items = node
        .items()
        .map_err(|_| node.error("is not a placeholder", advice))?;
    let [kind, value] = items.as_slice() else {
        return Err(node.error(
            format!("with {} elements is not a placeholder", items.len()),
            advice,
        ));
    };
    match kind.text()? {
        "rnd" => Ok(Some(Placeholder::Random(value.integer32(0, max_bytes)?))),
        "predef" => {
            let text = value.text()?;
            if text.len() > max_bytes as usize {
                let fault = format!("has {} bytes", text.len());
                return Err(value.error(fault, format!("write at most {max_bytes} bytes")));
            }
            Ok(Some(Placeholder::Fixed(text.to_owned())))
        }
        _ => Err(kind.error("is not a kind of placeholder", advice)),
    }
}

fn read_amount(node: Node<'_>) -> Result<Amount, JsoncError> {
    Ok(amount(node.integer(0, MAX_INTEGER)?))
}

fn amount(coins: u64) -> Amount {
    Amount::new(coins).expect("callers pass a constant or a number checked against the limit")
}

fn read_difficulty(node: Node<'_>) -> Result<u8, JsoncError> {
    let digits = node.integer(0, 8)?;
    Ok(u8::try_from(digits).expect("the range was checked"))
}
