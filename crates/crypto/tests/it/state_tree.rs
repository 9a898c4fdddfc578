//! The state tree against its definition: a naive recursion over a plain map.

use ccoin_crypto::{Address, Hash, Proof, ProofError, StateTree, Value, sha256};
use proptest::prelude::*;
use std::collections::BTreeMap;

const ABSENT: Value = [0; 16];

fn address(n: u16) -> Address {
    let digest = sha256(&[&n.to_be_bytes()]);
    Address::new(*digest.as_bytes().first_chunk().unwrap())
}

fn path(address: &Address) -> Hash {
    sha256(&[address.as_bytes()])
}

fn value(n: u8) -> Value {
    (u128::from(n) << 64 | u128::from(n / 2)).to_be_bytes()
}

/// `root(S, depth)` as the definition has it.
fn naive(accounts: &[(Address, Value)], depth: usize) -> Hash {
    match accounts {
        [] => Hash::ZERO,
        [(address, value)] => sha256(&[&[0], path(address).as_bytes(), address.as_bytes(), value]),
        _ => {
            let one = |a: &Address| path(a).as_bytes()[depth / 8] & (0x80 >> (depth % 8)) != 0;
            let (ones, zeros): (Vec<_>, Vec<_>) = accounts.iter().partition(|(a, _)| one(a));
            let (zeros, ones) = (naive(&zeros, depth + 1), naive(&ones, depth + 1));
            sha256(&[&[1], zeros.as_bytes(), ones.as_bytes()])
        }
    }
}

fn expected(map: &BTreeMap<Address, Value>) -> Vec<(Address, Value)> {
    let mut accounts: Vec<_> = map.iter().map(|(a, v)| (*a, *v)).collect();
    accounts.sort_by_key(|(a, _)| path(a));
    accounts
}

/// Blocks of changes over few accounts, so that most are changed and removed again.
fn blocks() -> impl Strategy<Value = Vec<Vec<(u16, u8)>>> {
    let value = prop_oneof![2 => Just(0), 3 => any::<u8>()];
    prop::collection::vec(prop::collection::vec((0..80_u16, value), 0..60), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn follows_the_definition(blocks in blocks()) {
        let mut map = BTreeMap::new();
        let mut tree = StateTree::default();
        for block in blocks {
            let before = (tree.clone(), tree.root());
            let changes: Vec<_> = block.iter().map(|(n, v)| (address(*n), value(*v))).collect();
            tree = tree.update(&changes);
            for (address, value) in changes {
                map.insert(address, value);
                if value == ABSENT {
                    map.remove(&address);
                }
            }
            let accounts = expected(&map);
            prop_assert_eq!(tree.root(), naive(&accounts, 0));
            prop_assert_eq!(tree.len(), accounts.len());
            prop_assert_eq!(tree.iter().collect::<Vec<_>>(), accounts.clone());
            prop_assert_eq!(StateTree::from_values(accounts.into_iter().rev()).root(), tree.root());
            prop_assert_eq!(before.0.root(), before.1, "an old tree has changed");
            for n in 0..80 {
                let address = address(n);
                let value = map.get(&address).copied();
                prop_assert_eq!(tree.get(&address), value);
                prop_assert_eq!(tree.prove(&address).verify(&tree.root(), &address), Ok(value));
            }
        }
    }

    #[test]
    fn altered_proofs_are_refused(
        count in 1..300_u16, n in 0..400_u16, at in any::<prop::sample::Index>(), flip in 0..256_usize,
    ) {
        let tree = StateTree::from_values((0..count).map(|n| (address(n), value(7))));
        let (root, address) = (tree.root(), address(n));
        let proof = tree.prove(&address);
        let refused = |proof: &Proof| proof.verify(&root, &address).is_err();

        if !proof.siblings.is_empty() {
            let mut altered = proof.clone();
            let at = at.index(altered.siblings.len());
            let mut bytes = *altered.siblings[at].as_bytes();
            bytes[flip / 8] ^= 1 << (flip % 8);
            altered.siblings[at] = Hash::new(bytes);
            prop_assert!(refused(&altered), "a changed sibling");
            let mut shorter = proof.clone();
            shorter.siblings.remove(at);
            prop_assert!(refused(&shorter), "a sibling less");
        }
        let mut longer = proof.clone();
        longer.siblings.insert(0, Hash::ZERO);
        prop_assert!(refused(&longer), "a sibling more");

        let mut other_value = proof.clone();
        if let Some((_, value)) = other_value.end.as_mut() {
            value[flip / 16] ^= 1 << (flip % 8);
        }
        prop_assert!(proof.end.is_none() || refused(&other_value), "another value");
        let nothing = Proof { end: None, ..proof.clone() };
        prop_assert!(proof.end.is_none() || refused(&nothing), "an account hidden");
        let invented = Proof { end: Some((address, value(9))), ..proof.clone() };
        prop_assert!(refused(&invented), "an account invented");
        prop_assert!(proof.verify(&sha256(&[b"other"]), &address).is_err());
    }
}

#[test]
fn an_account_cannot_be_hidden_behind_another() {
    let tree = StateTree::from_values((0..50).map(|n| (address(n), value(7))));
    let (victim, decoy) = (address(3), address(4));
    let proof = tree.prove(&decoy);
    assert_eq!(
        proof.verify(&tree.root(), &victim),
        Err(ProofError::Elsewhere {
            got: decoy,
            expected: victim
        })
    );
    let absent = Proof {
        siblings: Vec::new(),
        end: Some((victim, ABSENT)),
    };
    assert_eq!(
        absent.verify(&tree.root(), &victim),
        Err(ProofError::Absent { got: victim })
    );
    let deep = Proof {
        siblings: vec![Hash::ZERO; 257],
        end: None,
    };
    assert_eq!(
        deep.verify(&tree.root(), &victim),
        Err(ProofError::Depth { got: 257 })
    );
    let full = Proof {
        siblings: vec![Hash::ZERO; 256],
        end: Some((victim, value(7))),
    };
    assert!(matches!(
        full.verify(&tree.root(), &victim),
        Err(ProofError::Root { .. })
    ));
}

#[test]
fn both_kinds_of_absence_occur() {
    let tree = StateTree::from_values((0..50).map(|n| (address(n), value(7))));
    let ends: Vec<_> = (100..200)
        .map(|n| tree.prove(&address(n)).end.is_some())
        .collect();
    assert!(ends.contains(&true) && ends.contains(&false));
    let empty = StateTree::default();
    assert_eq!((empty.root(), empty.len()), (Hash::ZERO, 0));
    assert_eq!(
        empty.prove(&address(1)).verify(&Hash::ZERO, &address(1)),
        Ok(None)
    );
}

#[test]
fn of_equal_addresses_the_last_counts() {
    let twice = StateTree::default().update(&[(address(1), value(1)), (address(1), value(2))]);
    assert_eq!(
        twice.root(),
        StateTree::from_values([(address(1), value(2))]).root()
    );
    let gone = StateTree::default().update(&[(address(1), value(1)), (address(1), ABSENT)]);
    assert!(gone.is_empty());
}

#[test]
fn proofs_travel_as_json_and_as_bytes() {
    let tree = StateTree::from_values((0..50).map(|n| (address(n), value(7))));
    for n in [3, 100, 101, 102, 103] {
        let proof = tree.prove(&address(n));
        let json = serde_json::to_string(&proof).unwrap();
        assert_eq!(serde_json::from_str::<Proof>(&json).unwrap(), proof);
        let bytes = rmp_serde::to_vec(&proof).unwrap();
        assert_eq!(rmp_serde::from_slice::<Proof>(&bytes).unwrap(), proof);
    }
    let one = StateTree::from_values([(address(0), value(7))]).prove(&address(0));
    let json = format!(r#"{{"siblings":[],"end":[["{}",7,3]]}}"#, address(0));
    assert_eq!(serde_json::to_string(&one).unwrap(), json);
    let two = json.replace("]]", &format!(r#"],["{}",7,3]]"#, address(1)));
    assert!(serde_json::from_str::<Proof>(&two).is_err());
    let deep = Proof {
        siblings: vec![Hash::ZERO; 257],
        end: None,
    };
    assert!(rmp_serde::from_slice::<Proof>(&rmp_serde::to_vec(&deep).unwrap()).is_err());
}

#[test]
fn snapshots_may_be_read_by_other_threads() {
    fn shared<T: Clone + Send + Sync + 'static>(_: &T) {}
    let tree = StateTree::from_values((0..500).map(|n| (address(n), value(7))));
    shared(&tree);
    let (snapshot, root) = (tree.clone(), tree.root());
    let reader = std::thread::spawn(move || {
        (0..500)
            .all(|n| snapshot.prove(&address(n)).verify(&root, &address(n)) == Ok(Some(value(7))))
    });
    let changes: Vec<_> = (0..500).map(|n| (address(n), value(8))).collect();
    assert_ne!(tree.update(&changes).root(), root);
    drop(tree);
    assert!(reader.join().unwrap());
}
