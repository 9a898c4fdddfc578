//! Blocks and branches that keep the rules, signed or with a filler instead of a signature.

use crate::{
    keys::{ghost, miner},
    time::{START, at},
    txns::give_from,
};
use ccoin_core::{
    Address, BlockId, Height, PowNonce, Timestamp,
    applied::Applied,
    block::{
        Block, Header, SealedBlock, SignedHeader, VERSION, VerifiedBlock, block_id, txns_hash,
    },
    execution::execute,
    genesis::Genesis,
    ledger::{Draft, State},
    pow::Midstate,
    rules::ParentContext,
    transaction::VerifiedTransaction,
};
use ccoin_crypto::{SecretKey, Signature};
use std::sync::Arc;

/// The header of a block that pays `miner` on top of `parent`, correct if `txns` apply.
#[must_use]
pub fn header(
    genesis: &Genesis,
    parent: &Applied,
    miner: Address,
    time: Timestamp,
    txns: &[VerifiedTransaction],
) -> Header {
    let mut draft = Draft::new(&parent.state);
    for txn in txns {
        // The root of a block that cannot be applied is never reached.
        let _ = draft.apply(txn);
    }
    let before = parent.block.header();
    let place = ParentContext {
        number: before.number,
        time: before.time,
        last_by_signer: None,
    };
    let reward = place.reward_at(time, genesis);
    let _ = draft.credit(miner, reward);
    Header {
        version: VERSION,
        number: Height::new(parent.block.header().number.get() + 1).expect("within the range"),
        hash_parent: parent.block.id,
        hash_state: draft.finish().0.root(),
        hash_txns: txns_hash(txns.iter().map(|txn| *txn.id())),
        coinbase: miner,
        time,
        reward,
        difficulty: genesis.config.block_mining.difficulty,
        data: String::new(),
    }
}

/// Finds a nonce; with a key also signs.
pub fn seal(
    genesis: &Genesis,
    header: Header,
    signer: Option<&SecretKey>,
    transactions: Vec<VerifiedTransaction>,
) -> SealedBlock {
    let hash = header.mining_hash(&genesis.id);
    let nonce = Midstate::new(&hash)
        .search(header.difficulty, PowNonce::ZERO, u64::MAX)
        .expect("small difficulties have solutions");
    let id = block_id(&hash, nonce);
    let signature = signer.map_or_else(Signature::empty, |key| {
        key.sign(&id.into()).expect("a fresh key signs")
    });
    let signed = SignedHeader {
        header,
        nonce,
        signature,
    };
    SealedBlock {
        id,
        signed,
        transactions,
    }
}

/// A correct block with a filler instead of a signature, executed.
#[must_use]
pub fn child(
    genesis: &Genesis,
    parent: &Applied,
    miner: Address,
    after_ms: u64,
    txns: &[VerifiedTransaction],
) -> Arc<Applied> {
    let header = header(genesis, parent, miner, at(after_ms), txns);
    let block = seal(genesis, header, None, txns.to_vec());
    Arc::new(execute(block, &parent.state, genesis).expect("a correct block"))
}

/// So many blocks of miner 0 on `parent`, `gap` ms apart.
#[must_use]
pub fn branch(genesis: &Genesis, parent: &Arc<Applied>, count: u64, gap: u64) -> Vec<Arc<Applied>> {
    let mut made = vec![Arc::clone(parent)];
    let start = parent.block.header().time.get() - START;
    for index in 1..=count {
        let tip = &made[made.len() - 1];
        let number = tip.state.account(&ghost(9).address()).nonce.get() + 1;
        let txn = give_from(genesis, &ghost(9), number);
        made.push(child(genesis, tip, miner(0), start + index * gap, &[txn]));
    }
    made.split_off(1)
}

/// The block as it arrives from outside.
#[must_use]
pub fn arrived(block: &SealedBlock) -> Block {
    Block::decode(&block.encode()).expect("our own encoding")
}

/// Coins of all accounts.
#[must_use]
pub fn total(state: &State) -> u64 {
    let balance = |value: [u8; 16]| u64::from_be_bytes(value[8..].try_into().expect("eight bytes"));
    state.values().map(|(_, value)| balance(value)).sum()
}

/// The id of a block that does not exist.
pub const NOWHERE: BlockId = BlockId::new([0x77; 32]);

/// The block with its bytes, as the checks of a node leave it.
#[must_use]
pub fn verified(block: &SealedBlock) -> VerifiedBlock {
    VerifiedBlock::made_here(block.clone())
}
