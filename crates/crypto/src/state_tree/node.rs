//! Nodes of the state tree and the one recursion that makes new ones from old.
//! How accounts are grouped into nodes is for speed and never shows in a hash.

use super::{ABSENT, Value};
use crate::{Address, Hash, sha256};
use std::{sync::Arc, thread};

/// A sub-tree of at most this many accounts is one array whose inner hashes are not
/// kept. Single accounts as nodes take twice the time and 240 instead of 143 bytes
/// each, all of it memory traffic; 16 instead of 8 changes little.
const FEW: usize = 8;

/// Changes from which on a second thread saves more time than starting it takes.
const WORTH_A_THREAD: usize = 256;

/// A sub-tree and its hash.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) hash: Hash,
    shape: Shape,
}

#[derive(Clone)]
enum Shape {
    /// 0 to [`FEW`] accounts in the order of their paths.
    Few(Arc<[Account]>),
    /// More.
    Many(Arc<Many>),
}

/// Accounts split by one bit of their paths.
struct Many {
    len: usize,
    children: [Node; 2],
}

/// An account in the tree, with the hash of a sub-tree that holds it alone.
#[derive(Clone, Copy)]
pub(super) struct Account {
    path: Hash,
    hash: Hash,
    pub(super) address: Address,
    pub(super) value: Value,
}

/// An account that becomes `value`; `ABSENT` removes it.
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

/// Splits what is sorted by path and agrees above `depth` by bit `depth`.
fn split<T>(sorted: &[T], depth: usize, path: impl Fn(&T) -> &Hash) -> (&[T], &[T]) {
    sorted.split_at(sorted.partition_point(|item| bit(path(item), depth) == 0))
}

/// `root` of the definition, word for word. The paths are distinct, so that the
/// recursion ends at depth 256 at the latest.
fn root(accounts: &[Account], depth: usize) -> Hash {
    match accounts {
        [] => Hash::ZERO,
        [account] => account.hash,
        _ => {
            let (zeros, ones) = split(accounts, depth, |account| &account.path);
            inner_hash(&root(zeros, depth + 1), &root(ones, depth + 1))
        }
    }
}

impl Default for Node {
    fn default() -> Self {
        Self {
            hash: Hash::ZERO,
            shape: Shape::Few(Arc::default()),
        }
    }
}

impl Node {
    /// Number of accounts.
    pub(super) fn len(&self) -> usize {
        match &self.shape {
            Shape::Few(accounts) => accounts.len(),
            Shape::Many(many) => many.len,
        }
    }

    /// The sub-tree at `depth` after `changes`, which are sorted by path, have
    /// distinct paths and agree in their first `depth` bits.
    pub(super) fn update(&self, depth: usize, changes: &[Change]) -> Self {
        if changes.is_empty() {
            return self.clone();
        }
        match &self.shape {
            Shape::Few(accounts) => Self::build(&merge(accounts, changes), depth),
            Shape::Many(many) => {
                let (zeros, ones) = split(changes, depth, |change| &change.path);
                let [left, right] = &many.children;
                let left = || left.update(depth + 1, zeros);
                let right = || right.update(depth + 1, ones);
                let children = if depth == 0 && changes.len() >= WORTH_A_THREAD {
                    on_two_threads(left, right)
                } else {
                    [left(), right()]
                };
                Self::join(children, depth)
            }
        }
    }

    /// The sub-tree at `depth` of these accounts.
    fn build(accounts: &[Account], depth: usize) -> Self {
        if accounts.len() <= FEW {
            return Self {
                hash: root(accounts, depth),
                shape: Shape::Few(accounts.into()),
            };
        }
        let (zeros, ones) = split(accounts, depth, |account| &account.path);
        Self::join(
            [Self::build(zeros, depth + 1), Self::build(ones, depth + 1)],
            depth,
        )
    }

    /// The sub-tree at `depth` over two halves.
    fn join(children: [Self; 2], depth: usize) -> Self {
        let [left, right] = &children;
        let len = left.len().saturating_add(right.len());
        if let (true, Shape::Few(zeros), Shape::Few(ones)) = (len <= FEW, &left.shape, &right.shape)
        {
            return Self::build(&[&**zeros, &**ones].concat(), depth);
        }
        let hash = inner_hash(&left.hash, &right.hash);
        Self {
            hash,
            shape: Shape::Many(Arc::new(Many { len, children })),
        }
    }

    /// Follows `path` down to its end, showing the hash of every sibling on the way,
    /// and returns the account there, which may be another one.
    pub(super) fn descend(&self, path: &Hash, mut pass: impl FnMut(Hash)) -> Option<&Account> {
        let mut depth = 0;
        let mut node = self;
        while let Shape::Many(many) = &node.shape {
            let side = bit(path, depth);
            pass(many.children[1 - side].hash);
            node = &many.children[side];
            depth += 1;
        }
        let Shape::Few(accounts) = &node.shape else {
            return None;
        };
        let mut accounts = &**accounts;
        while accounts.len() > 1 {
            let (zeros, ones) = split(accounts, depth, |account| &account.path);
            let (on, off) = if bit(path, depth) == 0 {
                (zeros, ones)
            } else {
                (ones, zeros)
            };
            depth += 1;
            pass(root(off, depth));
            accounts = on;
        }
        accounts.first()
    }

    /// The account with this path.
    pub(super) fn find(&self, path: &Hash) -> Option<&Account> {
        let mut depth = 0;
        let mut node = self;
        loop {
            match &node.shape {
                Shape::Few(accounts) => {
                    return accounts.iter().find(|account| account.path == *path);
                }
                Shape::Many(many) => node = &many.children[bit(path, depth)],
            }
            depth += 1;
        }
    }

    /// All accounts in the order of their paths.
    pub(super) fn accounts(&self) -> impl Iterator<Item = &Account> {
        let mut waiting = vec![self];
        let groups = std::iter::from_fn(move || {
            loop {
                match &waiting.pop()?.shape {
                    Shape::Few(accounts) => return Some(&**accounts),
                    Shape::Many(many) => waiting.extend(many.children.iter().rev()),
                }
            }
        });
        groups.flatten()
    }
}

/// Two halves at the same time; one after the other if the system has no thread left.
fn on_two_threads(left: impl Fn() -> Node + Sync, right: impl Fn() -> Node) -> [Node; 2] {
    thread::scope(|scope| {
        let half = thread::Builder::new().spawn_scoped(scope, &left);
        let right = right();
        let done = half.ok().and_then(|half| half.join().ok());
        [done.unwrap_or_else(&left), right]
    })
}

/// The accounts after `changes`; both and the result are in the order of paths.
fn merge(accounts: &[Account], changes: &[Change]) -> Vec<Account> {
    let mut merged = Vec::with_capacity(accounts.len().saturating_add(changes.len()));
    let mut old = accounts.iter().peekable();
    for change in changes {
        while let Some(account) = old.next_if(|account| account.path < change.path) {
            merged.push(*account);
        }
        old.next_if(|account| account.path == change.path);
        if change.value != ABSENT {
            let Change {
                path,
                address,
                value,
            } = *change;
            let hash = leaf_hash(&path, &address, &value);
            merged.push(Account {
                path,
                hash,
                address,
                value,
            });
        }
    }
    merged.extend(old);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(path: [u8; 32], n: u8) -> Change {
        Change {
            path: Hash::new(path),
            address: Address::new([n; 20]),
            value: [n; 16],
        }
    }

    /// Paths that SHA-256 will not give: all but the last bits in common.
    fn deep(count: u8) -> Vec<Change> {
        let path = |n: u8| {
            let mut path = [0xa5; 32];
            path[31] = n;
            path
        };
        (0..count).map(|n| change(path(n), n + 1)).collect()
    }

    #[test]
    fn accounts_that_part_at_the_last_bit() {
        for count in [2, 8, 9, 16, 40] {
            let changes = deep(count);
            let all = Node::default().update(0, &changes);
            let mut grown = Node::default();
            for change in &changes {
                grown = grown.update(0, std::slice::from_ref(change));
            }
            let accounts: Vec<Account> = all.accounts().copied().collect();
            assert_eq!(accounts.len(), usize::from(count));
            assert_eq!(all.hash, root(&accounts, 0));
            assert_eq!(grown.hash, all.hash);
            for change in &changes {
                let mut depth = 0;
                let end = all.descend(&change.path, |_| depth += 1);
                assert_eq!(end.map(|account| account.address), Some(change.address));
                assert!(depth > 250);
                assert_eq!(
                    all.find(&change.path).map(|account| account.value),
                    Some(change.value)
                );
            }
            let gone: Vec<Change> = changes
                .into_iter()
                .skip(1)
                .map(|change| Change {
                    value: ABSENT,
                    ..change
                })
                .collect();
            let one = all.update(0, &gone);
            assert_eq!((one.len(), one.hash), (1, accounts[0].hash));
        }
    }

    #[test]
    fn few_accounts_are_one_array_again_after_removals() {
        let all = Node::default().update(0, &deep(40));
        let gone = |count| -> Vec<Change> {
            deep(40)
                .into_iter()
                .skip(count)
                .map(|change| Change {
                    value: ABSENT,
                    ..change
                })
                .collect()
        };
        assert!(matches!(
            all.update(0, &gone(FEW + 1)).shape,
            Shape::Many(_)
        ));
        assert!(matches!(all.update(0, &gone(FEW)).shape, Shape::Few(_)));
    }
}
