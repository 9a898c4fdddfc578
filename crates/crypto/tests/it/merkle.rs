//! The transaction tree against `ct-merkle`, another implementation of RFC 6962.

use ccoin_crypto::{Hash, merkle, sha256};
use ct_merkle::{InclusionProof, mem_backed_tree::MemoryBackedTree};
use proptest::prelude::*;
use rsa::sha2::Sha256;

fn items(count: usize) -> Vec<Hash> {
    (0..count).map(|n| sha256(&[&n.to_be_bytes()])).collect()
}

fn their_tree(items: &[Hash]) -> MemoryBackedTree<Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    for item in items {
        tree.push(item.as_bytes().to_vec());
    }
    tree
}

#[test]
fn roots_equal_those_of_another_implementation() {
    let items = items(300);
    for count in 1..=items.len() {
        let theirs = their_tree(&items[..count]).root();
        let root = merkle::root(&items[..count]);
        assert_eq!(root.as_bytes()[..], theirs.as_bytes()[..], "{count} items");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn paths_equal_those_of_another_implementation(
        count in 1..500_usize, at in any::<prop::sample::Index>(),
    ) {
        let items = items(count);
        let index = at.index(count);
        let (tree, path) = (their_tree(&items), merkle::path(&items, index));
        let bytes: Vec<u8> = path.iter().flat_map(|hash| *hash.as_bytes()).collect();
        let proof = tree.prove_inclusion(index);
        prop_assert_eq!(proof.as_bytes(), &bytes[..]);

        let (item, position) = (items[index].as_bytes().to_vec(), index as u64);
        let ours = InclusionProof::from_bytes(bytes);
        let checked = tree.root().verify_inclusion(&item, position, &ours);
        prop_assert!(checked.is_ok(), "{:?}", checked.err());
    }
}
