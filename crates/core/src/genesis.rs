//! Block 1: it carries the configuration as its `data` and the first accounts as
//! its body, and its id names the network.

use crate::{
    AccountNonce, Amount, BlockId, Height, MAX_INTEGER, PowNonce, Timestamp,
    applied::Applied,
    block::{Header, MAX_BLOCK_BYTES, SealedBlock, SignedHeader, VERSION, block_id},
    consensus::schedule::Schedule,
    encoding::{DecodeError, decode, encode},
    genesis_config::{Allocation, GenesisConfig},
    ledger::{Account, Draft, State},
    pow,
};
use ccoin_crypto::{Address, Hash, Signature};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why bytes are not a genesis block, or why a configuration cannot become one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// Not the encoding of one.
    #[error("not a genesis block: {0}")]
    Decode(#[from] DecodeError),
    /// More accounts than a block holds.
    #[error(
        "the genesis block would have {got} bytes, at most {max} are allowed: about 30,000 accounts fit"
    )]
    Size {
        /// Bytes of the encoding.
        got: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// The configuration inside is not one that this version writes.
    #[error("the configuration in the genesis block is not valid: {0}")]
    Config(String),
    /// A field does not follow from the others.
    #[error("genesis field {field} is {got}, expected {expected}")]
    Field {
        /// Name of the header field.
        field: &'static str,
        /// What it is.
        got: String,
        /// What it must be.
        expected: String,
    },
    /// Accounts out of order, twice, or empty.
    #[error("account {0} of the genesis block is empty or not in ascending order")]
    Alloc(Address),
    /// More coins than can exist.
    #[error("the genesis block gives out more than {MAX_INTEGER} coins")]
    Supply,
}

/// One line of the body of block 1.
type AllocEntry = (Address, AccountNonce, Amount);

/// Block 1 as it is stored and sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct GenesisBlock {
    signed: SignedHeader,
    alloc: Vec<AllocEntry>,
}

/// What the header of block 1 says by itself: enough to check headers and votes.
#[derive(Clone, Debug)]
pub struct GenesisHeader {
    /// The network: id of block 1.
    pub id: BlockId,
    /// The rules that hold for ever.
    pub config: GenesisConfig,
    /// The order of the miners' turns, from `config`.
    pub schedule: Schedule,
}

impl GenesisHeader {
    /// Computes the id and parses the configuration. Whether the other fields fit is a
    /// question for those who do not know the id beforehand.
    ///
    /// # Errors
    /// [`GenesisError::Config`] and [`GenesisError::Field`].
    pub fn read(signed: &SignedHeader) -> Result<Self, GenesisError> {
        let SignedHeader {
            header,
            nonce,
            signature,
        } = signed;
        let config = GenesisConfig::from_canonical_json(&header.data)
            .map_err(|error| GenesisError::Config(error.to_string()))?;
        same("signature length", signature.as_bytes().len(), 0)?;
        Ok(Self {
            id: block_id(&header.genesis_mining_hash(), *nonce),
            schedule: Schedule::new(&config),
            config,
        })
    }
}

/// A checked genesis block and what follows from it.
#[derive(Clone, Debug)]
pub struct Genesis {
    header: GenesisHeader,
    /// Accounts before the first transaction, the genesis reward included.
    pub state: State,
    /// Coins in `state`.
    pub supply: Amount,
    block: GenesisBlock,
}

/// A genesis block that still needs its HashCash nonce.
#[derive(Clone, Debug)]
pub struct UnminedGenesis {
    header: Header,
    alloc: Vec<AllocEntry>,
}

impl UnminedGenesis {
    /// Builds block 1 of `config` with the accounts `alloc`, made at `time`.
    ///
    /// # Errors
    /// [`GenesisError::Supply`] if there are more coins than can exist.
    pub fn new(
        config: &GenesisConfig,
        alloc: &BTreeMap<Address, Allocation>,
        time: Timestamp,
    ) -> Result<Self, GenesisError> {
        let alloc: Vec<AllocEntry> = alloc
            .iter()
            .map(|(address, entry)| (*address, entry.nonce, entry.balance))
            .filter(|(_, nonce, balance)| nonce.get() > 0 || balance.get() > 0)
            .collect();
        let coinbase = config.genesis_block.coinbase;
        let reward = coinbase.map_or(Amount::ZERO, |_| config.genesis_block.coinbase_reward);
        let header = Header {
            version: VERSION,
            number: Height::GENESIS,
            hash_parent: BlockId::ZERO,
            hash_state: state(&alloc, coinbase, reward)?.0.root(),
            hash_txns: crate::TxnsHash::ZERO,
            coinbase: coinbase.unwrap_or(Address::ZERO),
            time,
            reward,
            difficulty: config.genesis_block.difficulty,
            data: config.canonical_json(),
        };
        Ok(Self { header, alloc })
    }

    /// What HashCash works on.
    #[must_use]
    pub fn mining_hash(&self) -> Hash {
        self.header.genesis_mining_hash()
    }

    /// Zero hex digits needed.
    #[must_use]
    pub fn difficulty(&self) -> u8 {
        self.header.difficulty
    }

    /// The finished block, checked as if it came from outside.
    ///
    /// # Errors
    /// [`GenesisError`] if the nonce does not fit or the block is too large.
    pub fn seal(self, nonce: PowNonce) -> Result<Genesis, GenesisError> {
        let signed = SignedHeader {
            header: self.header,
            nonce,
            signature: Signature::empty(),
        };
        Genesis::check(GenesisBlock {
            signed,
            alloc: self.alloc,
        })
    }
}

impl core::ops::Deref for Genesis {
    type Target = GenesisHeader;
    fn deref(&self) -> &GenesisHeader {
        &self.header
    }
}

impl Genesis {
    /// Parses and checks everything about block 1.
    ///
    /// # Errors
    /// [`GenesisError`] names the first thing that does not fit.
    pub fn decode(bytes: &[u8]) -> Result<Self, GenesisError> {
        if bytes.len() > MAX_BLOCK_BYTES {
            return Err(GenesisError::Size {
                got: bytes.len(),
                max: MAX_BLOCK_BYTES,
            });
        }
        Self::check(decode("genesis block", bytes)?)
    }

    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(&self.block)
    }

    /// The signed header of block 1; its signature is empty.
    #[must_use]
    pub fn signed(&self) -> &SignedHeader {
        &self.block.signed
    }

    /// Block 1 as the root of a chain: all first accounts are its changes.
    #[must_use]
    pub fn applied(&self) -> Applied {
        let account = |(address, value)| Some((address, Account::from_value(value)?));
        let mut changes: Vec<_> = self.state.values().filter_map(account).collect();
        changes.sort_unstable_by_key(|(address, _)| *address);
        Applied {
            block: self.sealed(),
            state: self.state.clone(),
            changes,
        }
    }

    /// Block 1 as any other block: it has no transactions.
    #[must_use]
    pub fn sealed(&self) -> SealedBlock {
        SealedBlock {
            id: self.id,
            signed: self.block.signed.clone(),
            transactions: Vec::new(),
        }
    }

    /// The first balances.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The most coins that can exist after block `height`: those of block 1, and a reward for
    /// each later block. Blocks that are not the first of their slot pay none.
    #[must_use]
    pub fn most_supply_at(&self, height: Height) -> Option<Amount> {
        let blocks = height.get().checked_sub(Height::GENESIS.get())?;
        let rewards = self.config.block_mining.reward.get().checked_mul(blocks)?;
        self.supply.checked_add(rewards)
    }

    fn check(block: GenesisBlock) -> Result<Self, GenesisError> {
        let GenesisBlock { signed, alloc } = &block;
        let header = &signed.header;
        let GenesisHeader {
            id,
            config,
            schedule,
        } = GenesisHeader::read(signed)?;
        let mut last = None;
        for (address, account_nonce, balance) in alloc {
            let empty = account_nonce.get() == 0 && balance.get() == 0;
            if empty || last.is_some_and(|last| last >= *address) {
                return Err(GenesisError::Alloc(*address));
            }
            last = Some(*address);
        }
        let coinbase = config.genesis_block.coinbase;
        let reward = coinbase.map_or(Amount::ZERO, |_| config.genesis_block.coinbase_reward);
        let (state, supply) = state(alloc, coinbase, reward)?;
        same("version", header.version, VERSION)?;
        same("number", header.number, Height::GENESIS)?;
        same("hash_parent", header.hash_parent, BlockId::ZERO)?;
        same("hash_txns", header.hash_txns, crate::TxnsHash::ZERO)?;
        same(
            "coinbase",
            header.coinbase,
            coinbase.unwrap_or(Address::ZERO),
        )?;
        same("reward", header.reward, reward)?;
        same(
            "difficulty",
            header.difficulty,
            config.genesis_block.difficulty,
        )?;
        same("hash_state", header.hash_state, state.root())?;
        if !pow::meets(&id, header.difficulty) {
            let expected = format!("{} leading zeros", header.difficulty);
            return Err(GenesisError::Field {
                field: "id",
                got: id.to_string(),
                expected,
            });
        }
        let got = encode(&block).len();
        if got > MAX_BLOCK_BYTES {
            return Err(GenesisError::Size {
                got,
                max: MAX_BLOCK_BYTES,
            });
        }
        let header = GenesisHeader {
            id,
            config,
            schedule,
        };
        Ok(Self {
            header,
            state,
            supply,
            block,
        })
    }
}

fn same<T: PartialEq + ToString>(
    field: &'static str,
    got: T,
    expected: T,
) -> Result<(), GenesisError> {
    if got == expected {
        return Ok(());
    }
    Err(GenesisError::Field {
        field,
        got: got.to_string(),
        expected: expected.to_string(),
    })
}

/// The first accounts with the genesis reward, and how many coins they hold.
fn state(
    alloc: &[AllocEntry],
    coinbase: Option<Address>,
    reward: Amount,
) -> Result<(State, Amount), GenesisError> {
    let supply = alloc
        .iter()
        .map(|(_, _, balance)| balance.get())
        .try_fold(reward, Amount::checked_add)
        .ok_or(GenesisError::Supply)?;
    let accounts = alloc.iter().map(|(address, nonce, balance)| {
        (
            *address,
            Account {
                nonce: *nonce,
                balance: *balance,
            },
        )
    });
    let base = State::from_accounts(accounts);
    let Some(coinbase) = coinbase else {
        return Ok((base, supply));
    };
    let mut draft = Draft::new(&base);
    draft
        .credit(coinbase, reward)
        .map_err(|_| GenesisError::Supply)?;
    Ok((draft.finish().0, supply))
}
