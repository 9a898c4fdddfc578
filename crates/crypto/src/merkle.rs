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
    Tree::new(items).path(index)
}

/// All levels of a tree: for many audit paths over the same items.
#[derive(Clone, Debug)]
pub struct Tree {
    /// From the hashed items up to the root.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// Hashes all items.
    #[must_use]
    pub fn new(items: &[Hash]) -> Self {
        let mut levels = Vec::new();
        let mut level: Vec<Hash> = items.iter().map(leaf_hash).collect();
        while level.len() > 1 {
            let above = parents(&level);
            levels.push(level);
            level = above;
        }
        levels.push(level);
        Self { levels }
    }

    /// As [`root`].
    #[must_use]
    pub fn root(&self) -> Hash {
        let top = self.levels.last().and_then(|level| level.first());
        top.copied().unwrap_or(Hash::ZERO)
    }

    /// As [`path`].
    #[must_use]
    pub fn path(&self, index: usize) -> Vec<Hash> {
        let mut siblings = Vec::new();
        if self.levels.first().is_none_or(|items| index >= items.len()) {
            return siblings;
        }
        let mut at = index;
        for level in &self.levels {
            siblings.extend(level.get(at ^ 1));
            at /= 2;
        }
        siblings
    }
}

/// Whether `path` proves that `item` stands at `index` of `size` items under `root`
/// (RFC 9162, 2.1.3.2). Every argument may come from an enemy.
#[must_use]
pub fn verify_path(item: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    path_root(item, index, size, path) == Some(*root)
}

/// The root that `path` leads to from `item` at `index` of `size` items; `None` if no path of a
/// tree of that size has this length. Every argument may come from an enemy.
#[must_use]
pub fn path_root(item: &Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    let mut last = size.checked_sub(1).filter(|last| index <= *last)?;
    let mut at = index;
    let mut hash = leaf_hash(item);
    for sibling in path {
        if last == 0 {
            return None;
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
    (last == 0).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MTH(D[n]) of RFC 6962, 2.1: split at the largest power of two below n.
    fn naive(items: &[Hash]) -> Hash {
        match items {
            [] => Hash::ZERO,
            [item] => leaf_hash(item),
            _ => {
                let half = items.len().next_power_of_two() / 2;
                node_hash(&naive(&items[..half]), &naive(&items[half..]))
            }
        }
    }

    fn items(count: usize) -> Vec<Hash> {
        (0..count).map(|n| sha256(&[&n.to_be_bytes()])).collect()
    }

    #[test]
    fn root_and_paths_follow_the_rfc() {
        assert_eq!(root(&[]), Hash::ZERO);
        for count in 1..=70 {
            let items = items(count);
            let root = root(&items);
            assert_eq!(root, naive(&items), "{count}");
            assert_eq!(root, Tree::new(&items).root());
            let size = count as u64;
            for (index, item) in items.iter().enumerate() {
                let path = path(&items, index);
                let at = index as u64;
                assert!(
                    verify_path(item, at, size, &path, &root),
                    "{index} of {count}"
                );
                for other in (0..size + 2).filter(|other| *other != at) {
                    assert!(!verify_path(item, other, size, &path, &root));
                }
                assert!(!verify_path(&root, at, size, &path, &root));
                assert!(!verify_path(item, at, size, &path, item));
                let longer = [path.as_slice(), &[root]].concat();
                assert!(!verify_path(item, at, size, &longer, &root));
                if let Some((_, shorter)) = path.split_last() {
                    assert!(!verify_path(item, at, size, shorter, &root));
                }
            }
        }
    }

    #[test]
    fn hostile_numbers_are_refused() {
        let items = items(3);
        let (root, path) = (root(&items), path(&items, 0));
        for (index, size) in [
            (0, 0),
            (3, 3),
            (u64::MAX, u64::MAX),
            (u64::MAX - 1, u64::MAX),
        ] {
            assert!(!verify_path(&items[0], index, size, &path, &root));
            assert!(!verify_path(
                &items[0],
                index,
                size,
                &[Hash::ZERO; 64],
                &root
            ));
            assert!(!verify_path(
                &items[0],
                index,
                size,
                &[Hash::ZERO; 500],
                &root
            ));
        }
        assert!(super::path(&items, 3).is_empty());
    }
}
