//! The recorded chain and the cases of a sixth block, through all rules in their order.

use super::{Case, World, get, raw, trees::Line};
use base64::{Engine, engine::general_purpose::STANDARD};
use ccoin_core::{
    BlockId,
    applied::Applied,
    block::{Block, SealedBlock},
    chain::{Chain, Origin},
    encoding::encode,
    execution::execute,
    genesis::Genesis,
    ledger::{Account, ApplyError, State},
    rules::{BlockError, check_against_parent, check_body, check_header},
    transaction::{Transaction, TransactionError, VerifiedTransaction},
};
use ccoin_crypto::{PublicKey, Verifier};
use serde_json::Value;
use std::sync::Arc;

/// Replays the recorded chain through decoding, rules, ledger and chain.
pub(crate) fn chain(case: &Case, verifier: &mut Verifier) -> (Arc<Genesis>, Chain, Vec<PublicKey>) {
    let (input, expected) = (&case.input, &case.expected);
    let bytes = raw(input, "genesis");
    let genesis = Arc::new(Genesis::decode(&bytes).unwrap());
    assert_eq!(genesis.encode(), bytes);
    assert_eq!(genesis.id, get(expected, "genesis_id"));
    assert_eq!(genesis.signed().header.data, expected["genesis_data"]);
    assert_eq!(
        genesis.config.canonical_json(),
        genesis.signed().header.data
    );
    let keys: Vec<PublicKey> = get::<Vec<String>>(input, "miner_keys")
        .iter()
        .map(|text| PublicKey::from_der(&STANDARD.decode(text).unwrap()).unwrap())
        .collect();
    let mut chain = Chain::new(Arc::new(genesis.applied()), None, &genesis);
    let (mut ids, mut roots) = (vec![genesis.id], vec![genesis.state.root()]);
    for text in get::<Vec<String>>(input, "blocks") {
        let bytes = STANDARD.decode(text).unwrap();
        let applied = judge(&bytes, &genesis, &chain, &keys, verifier).unwrap();
        assert_eq!(applied.block.encode(), bytes);
        for ((offset, length), txn) in applied
            .block
            .transaction_ranges()
            .zip(&applied.block.transactions)
        {
            assert_eq!(bytes[offset as usize..][..length as usize], encode(txn));
        }
        ids.push(applied.block.id);
        roots.push(applied.state.root());
        assert!(
            chain
                .insert(Arc::new(applied), true, Origin::Fetched)
                .is_some()
        );
    }
    assert_eq!(ids, get::<Vec<BlockId>>(expected, "ids"));
    assert_eq!(
        serde_json::to_value(roots).unwrap(),
        expected["state_roots"]
    );
    let end = get::<Vec<Line>>(expected, "state");
    let end = State::from_accounts(
        end.into_iter()
            .map(|(a, nonce, balance)| (a, Account { nonce, balance })),
    );
    assert_eq!(
        chain.head().state.values().collect::<Vec<_>>(),
        end.values().collect::<Vec<_>>()
    );
    (genesis, chain, keys)
}

/// All rules in their order, as the node applies them.
fn judge(
    bytes: &[u8],
    genesis: &Genesis,
    chain: &Chain,
    keys: &[PublicKey],
    verifier: &mut Verifier,
) -> Result<Applied, BlockError> {
    let block = Block::decode(bytes).unwrap();
    let header = &block.signed.header;
    let key = keys
        .iter()
        .find(|key| key.address() == header.coinbase)
        .unwrap_or(&keys[0]);
    check_header(&block.signed, genesis, key, verifier)?;
    let ids = block.transactions.iter().map(|txn| txn.id(&genesis.id));
    check_body(header, ids)?;
    let context = chain
        .parent_context(&header.hash_parent, &header.coinbase)
        .ok_or(BlockError::Parent(header.hash_parent))?;
    check_against_parent(header, block.transactions.len(), &context, genesis)?;
    let max_data = genesis.config.transaction.max_data_bytes as usize;
    let verdict = |(index, txn): (usize, &Transaction)| {
        let verified = VerifiedTransaction::verify(txn.clone(), &genesis.id, max_data, verifier);
        verified
            .err()
            .map(|source| BlockError::Transaction { index, source })
    };
    let forged = block.transactions.iter().enumerate().find_map(verdict);
    let parent = &chain.get(&header.hash_parent).unwrap().state;
    let result = execute(
        SealedBlock::already_verified(block, &genesis.id),
        parent,
        genesis,
    );
    match (forged, result) {
        (Some(_), Err(error @ BlockError::TxnsHash { .. })) => Err(error),
        (Some(forged), _) => Err(forged),
        (None, result) => result,
    }
}

pub(crate) fn block_6(input: &Value, world: &mut World) -> &'static str {
    let (genesis, chain, keys) = world.chain.as_ref().expect("the chain comes first");
    match judge(
        &raw(input, "block"),
        genesis,
        chain,
        keys,
        &mut world.verifier,
    ) {
        Ok(_) => "valid",
        Err(BlockError::Data { .. }) => "size",
        Err(BlockError::Version { .. }) => "version",
        Err(BlockError::Difficulty { .. }) => "difficulty",
        Err(BlockError::Reward { .. }) => "reward",
        Err(BlockError::Turn { .. }) => "turn",
        Err(BlockError::Pow { .. }) => "pow",
        Err(BlockError::Signature { .. }) => "signature",
        Err(BlockError::Parent(_)) => "parent",
        Err(BlockError::Number { .. }) => "number",
        Err(BlockError::TooEarly { .. }) => "gap",
        Err(BlockError::TooMany { .. }) => "max_bound",
        Err(BlockError::NotDue { .. }) => "batch",
        Err(BlockError::TxnsHash { .. }) => "hash_txns",
        Err(BlockError::Transaction {
            source: TransactionError::Data { .. },
            ..
        }) => "txn_size",
        Err(BlockError::Transaction {
            source: TransactionError::Signature { .. },
            ..
        }) => "txn_signature",
        Err(BlockError::Apply {
            source: ApplyError::Number { .. },
            ..
        }) => "txn_number",
        Err(BlockError::Apply {
            source: ApplyError::Funds { .. },
            ..
        }) => "txn_funds",
        Err(BlockError::StateHash { .. }) => "hash_state",
        Err(error) => panic!("no name for {error}"),
    }
}
