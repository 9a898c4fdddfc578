//! The Merkle tree of RFC 6962, section 2.1, over 32-byte items, and its audit paths.
//! Our one addition: the root of nothing is 32 zero bytes.

use crate::{Hash, sha256};

fn leaf_hash(item: &Hash) -> Hash {
    sha256(&[&[0], item.as_bytes()])
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// One level up: neighbours are joined, a last one without neighbour moves up as it is.
fn parents(level: &[Hash]) -> Vec<Hash> {
    let join = |pair: &[Hash]| match pair {
        [left, right] => node_hash(left, right),
        _ => pair[0],
    };
    level.chunks(2).map(join).collect()
}

/// The root over `items` in their order; [`Hash::ZERO`] without items.
#[must_use]
pub fn root(items: &[Hash]) -> Hash {
    let mut level: Vec<Hash> = items.iter().map(leaf_hash).collect();
    while level.len() > 1 {
        level = parents(&level);
    }
    level.first().copied().unwrap_or(Hash::ZERO)
}

/// The siblings from the item at `index` (from 0) up to the root; empty if there is no such item.
#[must_use]
pub fn path(items: &[Hash], index: usize) -> Vec<Hash> {
    let mut siblings = Vec::new();
    if index >= items.len() {
        return siblings;
    }
    let mut at = index;
    let mut level: Vec<Hash> = items.iter().map(leaf_hash).collect();
    while level.len() > 1 {
        siblings.extend(level.get(at ^ 1));
        level = parents(&level);
        at /= 2;
    }
    siblings
}

/// Whether `path` proves that `item` stands at `index` of `size` items under `root`
/// (RFC 9162, 2.1.3.2). Every argument may come from an enemy.
#[must_use]
pub fn verify_path(item: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    let Some(mut last) = size.checked_sub(1).filter(|last| index <= *last) else {
        return false;
    };
    let mut at = index;
    let mut hash = leaf_hash(item);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            // a last one without neighbour has moved up to where it got one
            while at != 0 && at.is_multiple_of(2) {
                at /= 2;
                last /= 2;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        at /= 2;
        last /= 2;
    }
    last == 0 && hash == *root
}
