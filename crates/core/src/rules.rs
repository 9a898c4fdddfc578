//! When a block is valid: one small check per rule, called in order from cheap to
//! dear; the first failure decides. Every failure says whose fault it is.
//!
//! [`check_header`] and [`check_body`] need only the genesis block, [`check_against_parent`] the
//! parent, [`execute`](crate::execution::execute) the parent's state. `block` checks size and
//! encoding before; the machine knows which blocks are here and how far clocks may differ.

use crate::{
    Amount, BlockId, Height, StateHash, Timestamp, TxId, TxnsHash,
    block::{Block, Header, MAX_BLOCK_DATA, SealedBlock, SignedHeader, VERSION, txns_hash},
    consensus::schedule::Schedule,
    genesis::{Genesis, GenesisHeader},
    genesis_config::BlockMining,
    ledger::ApplyError,
    pow,
    transaction::{TransactionError, VerifiedTransaction},
};
use ccoin_crypto::{Address, Claim, PublicKey, SignatureError, Verifier};

/// Whose fault a refused block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The sender, which could have seen this itself.
    Sender,
    /// The miner that signed it; the block is evidence.
    Signer,
    /// No peer: a clock is wrong or something is missing. Try again later.
    Later,
}

/// The rule that a block breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages name every field")]
pub enum BlockError {
    #[error("block data has {got} bytes, at most {max} are allowed")]
    Data { got: usize, max: usize },
    #[error("block version is {got}, this network speaks {expected}")]
    Version { got: u8, expected: u8 },
    #[error("block difficulty is {got}, genesis says {expected}")]
    Difficulty { got: u8, expected: u8 },
    #[error("block reward is {got}, {expected} is due: only the first block of a slot is paid")]
    Reward { got: Amount, expected: Amount },
    #[error("block is signed by {got}, but at its time it was the turn of {expected}")]
    Turn { got: Address, expected: Address },
    #[error("block id {got} does not start with {difficulty} zeros")]
    Pow { got: BlockId, difficulty: u8 },
    #[error("key {got} where the block names {expected}")]
    Key { got: Address, expected: Address },
    #[error("bad signature of block {id}: {source}")]
    Signature { id: BlockId, source: SignatureError },
    #[error("block {0} is already known")]
    Known(BlockId),
    #[error(
        "block time {time} lies {ahead_ms} ms ahead of this node's clock, {tolerated_ms} are tolerated"
    )]
    Future {
        time: Timestamp,
        ahead_ms: u64,
        tolerated_ms: u64,
    },
    #[error("parent {0} is not here")]
    Parent(BlockId),
    #[error("block {number} {id} is not above final block {last_final}")]
    Settled {
        id: BlockId,
        number: Height,
        last_final: Height,
    },
    #[error("block {number} is {got}, this node was told to trust {expected}")]
    Untrusted {
        number: Height,
        got: BlockId,
        expected: BlockId,
    },
    #[error("block {0} or an ancestor of it was refused before")]
    Refused(BlockId),
    #[error("miner {signer} has signed more than two blocks {number} in one turn")]
    Rivals { signer: Address, number: Height },
    #[error("block number is {got}, the parent's child is {expected}")]
    Number { got: Height, expected: u64 },
    #[error("block time is {got}, at least {expected} is needed after the parent")]
    TooEarly { got: Timestamp, expected: u64 },
    #[error("{got} transactions in a block, at most {max} are allowed")]
    TooMany { got: usize, max: u32 },
    #[error("a block with {txns} transactions is not due: {min_bound} are needed, or {interval_ms} ms since the parent ({since_parent_ms} have passed){empty}", empty = if *allow_empty { "" } else { ", and never without a transaction" })]
    NotDue {
        txns: usize,
        min_bound: u32,
        since_parent_ms: u64,
        interval_ms: u64,
        allow_empty: bool,
    },
    #[error("hash_txns is {got}, the body gives {expected}")]
    TxnsHash { got: TxnsHash, expected: TxnsHash },
    #[error("transaction {index}: {source}")]
    Transaction {
        index: usize,
        source: TransactionError,
    },
    #[error("transaction {index}: {source}")]
    Apply { index: usize, source: ApplyError },
    #[error("the reward cannot be paid: all coins exist")]
    Supply,
    #[error("hash_state is {got}, executing gives {expected}")]
    StateHash { got: StateHash, expected: StateHash },
}

impl BlockError {
    /// Whose fault it is. Under a good signature, what the block does is its signer's; but
    /// a signature covers the body only through `hash_txns`, so a body that does not fit
    /// is the sender's.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::Data { .. }
            | Self::Version { .. }
            | Self::Difficulty { .. }
            | Self::Reward { .. }
            | Self::Turn { .. }
            | Self::Pow { .. }
            | Self::Key { .. }
            | Self::Signature { .. }
            | Self::TxnsHash { .. }
            | Self::Number { .. }
            | Self::Refused(_)
            | Self::Untrusted { .. }
            | Self::TooEarly { .. } => Blame::Sender,
            Self::Known(_)
            | Self::Future { .. }
            | Self::Parent(_)
            | Self::Settled { .. }
            | Self::Rivals { .. } => Blame::Later,
            Self::TooMany { .. }
            | Self::NotDue { .. }
            | Self::Transaction { .. }
            | Self::Apply { .. }
            | Self::Supply
            | Self::StateHash { .. } => Blame::Signer,
        }
    }
}

/// Rules 1 to 7: what the header and the genesis block alone decide. `key` is the
/// public key of `coinbase`.
///
/// # Errors
/// The first [`BlockError`] in order.
pub fn check_header(
    signed: &SignedHeader,
    genesis: &GenesisHeader,
    key: &PublicKey,
    verifier: &mut Verifier,
) -> Result<BlockId, BlockError> {
    let id = check_unsigned(signed, genesis, key)?;
    verifier
        .verify(key, &id.into(), &signed.signature)
        .map_err(|source| BlockError::Signature { id, source })?;
    Ok(id)
}

/// The outcomes of [`check_header`] for many headers with their miners' keys, in their order;
/// the signatures are judged together.
#[must_use]
pub fn check_headers(
    headers: &[(&SignedHeader, &PublicKey)],
    genesis: &GenesisHeader,
    verifier: &mut Verifier,
) -> Vec<Result<BlockId, BlockError>> {
    let ids = headers
        .iter()
        .map(|(signed, key)| check_unsigned(signed, genesis, key));
    let ids: Vec<_> = ids.collect();
    let claims = headers.iter().zip(&ids).filter_map(|((signed, key), id)| {
        Some(Claim {
            key,
            message: id.as_ref().ok().copied()?.into(),
            signature: &signed.signature,
        })
    });
    let claims: Vec<_> = claims.collect();
    let mut verdicts = verifier.verify_many(&claims).into_iter();
    let judged = |id: Result<BlockId, BlockError>| {
        let id = id?;
        // One verdict came for each claim.
        let verdict = verdicts.next().unwrap_or(Err(SignatureError::Mismatch));
        verdict.map_err(|source| BlockError::Signature { id, source })?;
        Ok(id)
    };
    ids.into_iter().map(judged).collect()
}

/// What [`check_header`] checks before the signature.
fn check_unsigned(
    signed: &SignedHeader,
    genesis: &GenesisHeader,
    key: &PublicKey,
) -> Result<BlockId, BlockError> {
    let header = &signed.header;
    check_constants(header, genesis)?;
    check_turn(header, &genesis.schedule)?;
    let id = signed.id(&genesis.id);
    if !pow::meets(&id, header.difficulty) {
        return Err(BlockError::Pow {
            got: id,
            difficulty: header.difficulty,
        });
    }
    if key.address() != header.coinbase {
        return Err(BlockError::Key {
            got: key.address(),
            expected: header.coinbase,
        });
    }
    Ok(id)
}

/// The block under [`check_header`], [`check_body`], and the signature of every transaction.
///
/// # Errors
/// The first [`BlockError`].
pub fn check_block(
    block: Block,
    genesis: &GenesisHeader,
    key: &PublicKey,
    verifier: &mut Verifier,
) -> Result<SealedBlock, BlockError> {
    let id = check_header(&block.signed, genesis, key, verifier)?;
    let max_data = genesis.config.transaction.max_data_bytes;
    let max_data = usize::try_from(max_data).unwrap_or(usize::MAX);
    let txns =
        VerifiedTransaction::verify_many(block.transactions, &genesis.id, max_data, verifier);
    let txns = txns
        .into_iter()
        .enumerate()
        .map(|(index, txn)| txn.map_err(|source| BlockError::Transaction { index, source }));
    let block = SealedBlock {
        id,
        transactions: txns.collect::<Result<_, _>>()?,
        signed: block.signed,
    };
    check_body(block.header(), block.txn_ids())?;
    Ok(block)
}

fn check_constants(header: &Header, genesis: &GenesisHeader) -> Result<(), BlockError> {
    let mining = &genesis.config.block_mining;
    if header.data.len() > MAX_BLOCK_DATA {
        return Err(BlockError::Data {
            got: header.data.len(),
            max: MAX_BLOCK_DATA,
        });
    }
    if header.version != VERSION {
        return Err(BlockError::Version {
            got: header.version,
            expected: VERSION,
        });
    }
    if header.difficulty != mining.difficulty {
        return Err(BlockError::Difficulty {
            got: header.difficulty,
            expected: mining.difficulty,
        });
    }
    // Which of the two is due depends on the parent: `check_against_parent`.
    if header.reward != mining.reward && header.reward != Amount::ZERO {
        return Err(BlockError::Reward {
            got: header.reward,
            expected: mining.reward,
        });
    }
    Ok(())
}

fn check_turn(header: &Header, schedule: &Schedule) -> Result<(), BlockError> {
    let expected = schedule
        .leader(schedule.slot(header.time))
        .unwrap_or(Address::ZERO);
    if header.coinbase == expected {
        return Ok(());
    }
    Err(BlockError::Turn {
        got: header.coinbase,
        expected,
    })
}

/// Rule 12: the body is the one that the header was made for. It comes before all rules
/// that look at the body: a relay could put another one behind a good header.
///
/// # Errors
/// [`BlockError::TxnsHash`].
pub fn check_body(header: &Header, txns: impl IntoIterator<Item = TxId>) -> Result<(), BlockError> {
    let expected = txns_hash(txns);
    if header.hash_txns == expected {
        return Ok(());
    }
    Err(BlockError::TxnsHash {
        got: header.hash_txns,
        expected,
    })
}

/// What the validity of a block depends on in the branch that it continues.
#[derive(Clone, Copy, Debug)]
pub struct ParentContext {
    /// The parent's number.
    pub number: Height,
    /// The parent's time.
    pub time: Timestamp,
    /// Time of the newest ancestor after block 1 that the block's signer made.
    pub last_by_signer: Option<Timestamp>,
}

impl ParentContext {
    /// The reward of a child made at `time`: the first block of its slot on its branch is
    /// paid. Otherwise a miner alone on an idle network could pay itself for thousands of
    /// blocks in its past slots. Block 1 takes no slot.
    #[must_use]
    pub fn reward_at(&self, time: Timestamp, genesis: &Genesis) -> Amount {
        let slot = |time| genesis.schedule.slot(time);
        if self.number == Height::GENESIS || slot(time) != slot(self.time) {
            genesis.config.block_mining.reward
        } else {
            Amount::ZERO
        }
    }
}

/// Rules 4, 9 and 11: number, time, reward and size against the parent, and the batch rule.
///
/// # Errors
/// The first [`BlockError`] in order.
pub fn check_against_parent(
    header: &Header,
    txns: usize,
    parent: &ParentContext,
    genesis: &Genesis,
) -> Result<(), BlockError> {
    let expected = parent.number.get().saturating_add(1);
    if header.number.get() != expected {
        return Err(BlockError::Number {
            got: header.number,
            expected,
        });
    }
    let earliest = parent
        .time
        .get()
        .saturating_add(genesis.config.consensus.min_gap_ms);
    if header.time.get() < earliest {
        return Err(BlockError::TooEarly {
            got: header.time,
            expected: earliest,
        });
    }
    let due = parent.reward_at(header.time, genesis);
    if header.reward != due {
        return Err(BlockError::Reward {
            got: header.reward,
            expected: due,
        });
    }
    let mining = &genesis.config.block_mining;
    if txns > usize::try_from(mining.max_bound).unwrap_or(usize::MAX) {
        return Err(BlockError::TooMany {
            got: txns,
            max: mining.max_bound,
        });
    }
    if is_due(mining, parent, header.time, txns) {
        return Ok(());
    }
    Err(BlockError::NotDue {
        txns,
        min_bound: mining.min_bound,
        since_parent_ms: header.time.get().saturating_sub(parent.time.get()),
        interval_ms: mining.interval_ms,
        allow_empty: mining.allow_empty,
    })
}

/// The batch rule. Empty-block spam is invalid by its first two clauses; the third
/// keeps a miner with many transactions of its own from shutting others out.
#[must_use]
pub fn is_due(mining: &BlockMining, parent: &ParentContext, time: Timestamp, txns: usize) -> bool {
    let passed = |since: Timestamp| time.get().saturating_sub(since.get()) >= mining.interval_ms;
    let full = txns >= usize::try_from(mining.min_bound).unwrap_or(usize::MAX);
    full || (passed(parent.time) && (txns >= 1 || mining.allow_empty))
        || (txns >= 1 && parent.last_by_signer.is_none_or(passed))
}
