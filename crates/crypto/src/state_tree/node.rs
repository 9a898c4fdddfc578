//! Nodes of the state tree and the one recursion that makes new ones from old.
//! A sub-tree of one account is always a leaf and of none always empty, so the
//! shape, like the hash, depends on the accounts alone.

use super::{ABSENT, Value};
use crate::{Address, Hash, sha256};
use std::sync::Arc;

/// A sub-tree.
#[derive(Clone, Default)]
pub(super) enum Node {
    /// No account.
    #[default]
    Empty,
    /// One account.
    Leaf(Arc<Leaf>),
    /// Two or more accounts.
    Inner(Arc<Inner>),
}

/// One account. Its path is computed when it is needed, which is rare.
pub(super) struct Leaf {
    hash: Hash,
    pub(super) address: Address,
    pub(super) value: Value,
}

/// Accounts split by one bit of their paths.
pub(super) struct Inner {
    hash: Hash,
    len: usize,
    children: [Node; 2],
}

/// An account that becomes `value`; `ABSENT` removes it.
#[derive(Clone)]
pub(super) struct Change {
    pub(super) path: Hash,
    pub(super) address: Address,
    pub(super) value: Value,
}

/// Bit `depth` (0..=255) of a path, the most significant bit of byte 0 first.
pub(super) fn bit(path: &Hash, depth: usize) -> usize {
    usize::from(path.as_bytes()[depth / 8] >> (7 - depth % 8) & 1)
}

/// The hash of a sub-tree with one account.
pub(super) fn leaf_hash(path: &Hash, address: &Address, value: &Value) -> Hash {
    sha256(&[&[0], path.as_bytes(), address.as_bytes(), value])
}

/// The hash of a sub-tree with two or more accounts.
pub(super) fn inner_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left.as_bytes(), right.as_bytes()])
}

impl Node {
    pub(super) fn hash(&self) -> Hash {
        match self {
            Self::Empty => Hash::ZERO,
            Self::Leaf(leaf) => leaf.hash,
            Self::Inner(inner) => inner.hash,
        }
    }

    /// Number of accounts.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Leaf(_) => 1,
            Self::Inner(inner) => inner.len,
        }
    }

    fn leaf(change: &Change) -> Self {
        let Change { path, address, value } = change;
        let hash = leaf_hash(path, address, value);
        Self::Leaf(Arc::new(Leaf { hash, address: *address, value: *value }))
    }

    /// The sub-tree over two halves.
    fn join(children: [Self; 2]) -> Self {
        match children {
            [Self::Empty, Self::Empty] => Self::Empty,
            [Self::Empty, leaf @ Self::Leaf(_)] | [leaf @ Self::Leaf(_), Self::Empty] => leaf,
            [left, right] => Self::Inner(Arc::new(Inner {
                hash: inner_hash(&left.hash(), &right.hash()),
                len: left.len().saturating_add(right.len()),
                children: [left, right],
            })),
        }
    }

    /// The sub-tree at `depth` after `changes`, which are sorted by path, have
    /// distinct paths and agree in the first `depth` bits. Recursion ends at depth
    /// 256, where distinct paths have parted.
    pub(super) fn update(
        &self,
        depth: usize,
        changes: &[Change],
        path_of: fn(&Address) -> Hash,
    ) -> Self {
        match (self, changes) {
            (_, []) => self.clone(),
            (Self::Inner(inner), _) => {
                let (zeros, ones) = split(changes, depth);
                let [left, right] = &inner.children;
                let below = depth + 1;
                Self::join([left.update(below, zeros, path_of), right.update(below, ones, path_of)])
            }
            (Self::Leaf(leaf), _) if changes.iter().all(|change| change.address != leaf.address) => {
                let Leaf { address, value, .. } = **leaf;
                let path = path_of(&address);
                let mut accounts = existing(changes);
                let at = accounts.partition_point(|account| account.path < path);
                accounts.insert(at, Change { path, address, value });
                Self::build(depth, &accounts)
            }
            _ => Self::build(depth, &existing(changes)),
        }
    }

    /// The sub-tree at `depth` of accounts that all exist.
    fn build(depth: usize, accounts: &[Change]) -> Self {
        match accounts {
            [] => Self::Empty,
            [account] => Self::leaf(account),
            _ => {
                let (zeros, ones) = split(accounts, depth);
                Self::join([Self::build(depth + 1, zeros), Self::build(depth + 1, ones)])
            }
        }
    }

    /// Follows `path` down to its end, showing every sibling on the way, and returns
    /// the account there, which may be another one.
    pub(super) fn descend(&self, path: &Hash, mut pass: impl FnMut(&Self)) -> Option<&Leaf> {
        let mut depth = 0;
        let mut node = self;
        loop {
            match node {
                Self::Empty => return None,
                Self::Leaf(leaf) => return Some(leaf),
                Self::Inner(inner) => {
                    let side = bit(path, depth);
                    pass(&inner.children[1 - side]);
                    node = &inner.children[side];
                    depth += 1;
                }
            }
        }
    }

    /// All accounts in the order of their paths.
    pub(super) fn leaves(&self) -> impl Iterator<Item = &Leaf> {
        let mut waiting = vec![self];
        std::iter::from_fn(move || {
            loop {
                match waiting.pop()? {
                    Self::Empty => {}
                    Self::Leaf(leaf) => return Some(&**leaf),
                    Self::Inner(inner) => waiting.extend(inner.children.iter().rev()),
                }
            }
        })
    }
}

/// The changes whose bit `depth` is 0, and those whose bit is 1.
fn split(changes: &[Change], depth: usize) -> (&[Change], &[Change]) {
    changes.split_at(changes.partition_point(|change| bit(&change.path, depth) == 0))
}

/// The changes that leave an account behind.
fn existing(changes: &[Change]) -> Vec<Change> {
    changes.iter().filter(|change| change.value != ABSENT).cloned().collect()
}
