//! Roots and proofs: the tree of a block's transactions and the tree of the accounts.

use super::get;
use ccoin_core::{AccountNonce, Address, Amount, ledger::Account};
use ccoin_crypto::{Hash, StateTree, merkle};
use serde_json::Value;

pub(crate) type Line = (Address, AccountNonce, Amount);

pub(crate) fn merkle_tree(input: &Value, expected: &Value) {
    let ids: Vec<Hash> = get(input, "ids");
    let root: Hash = get(expected, "root");
    assert_eq!(merkle::root(&ids), root);
    let paths: Option<Value> = expected.get("paths").cloned();
    for (index, path) in paths.iter().flat_map(|p| p.as_array().unwrap()).enumerate() {
        let path: Vec<Hash> = serde_json::from_value(path.clone()).unwrap();
        assert_eq!(merkle::path(&ids, index), path);
        assert!(merkle::verify_path(
            &ids[index],
            index as u64,
            ids.len() as u64,
            &path,
            &root
        ));
    }
}

fn change(&(address, nonce, balance): &Line) -> (Address, [u8; 16]) {
    (address, Account { nonce, balance }.to_value())
}

fn tree(input: &Value) -> StateTree {
    StateTree::from_values(get::<Vec<Line>>(input, "accounts").iter().map(change))
}

pub(crate) fn state(input: &Value, expected: &Value) {
    let tree = tree(input);
    assert_eq!(tree.root(), get(expected, "root"));
    let then: Option<Vec<Line>> = get(input, "then");
    assert_eq!(then.is_some(), expected.get("root_after").is_some());
    if let Some(then) = then {
        let changes: Vec<_> = then.iter().map(change).collect();
        assert_eq!(tree.update(&changes).root(), get(expected, "root_after"));
    }
}

pub(crate) fn state_proof(input: &Value, expected: &Value) {
    let (tree, address) = (tree(input), get::<Address>(input, "address"));
    let proof = tree.prove(&address);
    assert_eq!(tree.root(), get(expected, "root"));
    assert_eq!(proof.siblings, get::<Vec<Hash>>(expected, "siblings"));
    assert_eq!(
        proof.end,
        get::<Option<Line>>(expected, "end").as_ref().map(change)
    );
    assert_eq!(proof.verify(&tree.root(), &address), Ok(tree.get(&address)));
}
