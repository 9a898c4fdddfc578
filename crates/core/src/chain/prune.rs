//! Keeps the chain within its memory. Whole canonical blocks beyond the budget lose body and
//! state, then the longest unused of the other branches; whole branches go last.

use super::{Chain, canonical::Key, tree::Entry, unlogged::Origin};
use crate::BlockId;

impl Chain {
    pub(super) fn prune(&mut self) {
        while self
            .window
            .is_canonical_over(self.canonical.whole.len(), self.canonical.bytes)
        {
            self.sink_oldest();
        }
        self.forget_unreachable();
        while self.window.is_side_over(self.side.len(), self.side.bytes()) {
            if !(self.strip_oldest() || self.forget_worst_leaf()) {
                break;
            }
        }
        while self.tree.len().saturating_sub(self.canonical.len()) > self.window.side_blocks {
            if !self.forget_worst_leaf() {
                break;
            }
        }
    }

    /// The oldest of the whole canonical blocks joins the older ones.
    pub(super) fn sink_oldest(&mut self) {
        if let Some(oldest) = self.canonical.whole.pop_front() {
            self.canonical.bytes = self
                .canonical
                .bytes
                .saturating_sub(self.cost(&oldest.block.id));
            self.sink(super::canonical::key(&oldest));
        }
    }

    /// A canonical block right below the whole ones joins the older ones; one below final is
    /// forgotten.
    pub(super) fn sink(&mut self, key: Key) {
        self.side.remove(&key.1);
        if key.0 < self.certified.last_final.0 {
            return self.forget(&key.1);
        }
        let is_whole = self.get(&key.1).is_some();
        let spacing = self.window.milestone;
        if !self.canonical.push_older(key, is_whole, spacing) {
            self.strip(&key.1);
        }
    }

    /// Forgets what leaves the head's branch where no other branch joins any more.
    pub(super) fn forget_unreachable(&mut self) {
        self.canonical.shorten(self.certified.last_final.0);
        let Some(lowest) = self.canonical.lowest() else {
            return;
        };
        while let Some((number, id)) = self.tree.lowest() {
            if number >= lowest {
                break;
            }
            self.forget(&id);
        }
    }

    /// Drops body and state of the block of other branches that came there first. Leaves keep
    /// them, because they may become head, and the newest, because the next block of a branch
    /// that is fetched needs them. So do announced blocks that the log lacks: they are
    /// forgotten instead.
    fn strip_oldest(&mut self) -> bool {
        let newest = self.side.newest();
        let is_inner = |id: &&BlockId| {
            let entry = self.tree.get(id);
            let keeps_place = |entry: &Entry| !entry.is_leaf() && entry.origin != Origin::Announced;
            Some(**id) != newest && entry.is_some_and(keeps_place)
        };
        let Some(id) = self.side.oldest_first().find(is_inner).copied() else {
            return false;
        };
        self.side.remove(&id);
        self.strip(&id);
        true
    }

    /// Forgets the worst leaf of the other branches, and what was only kept for it. On the
    /// way to a certified block nothing is dropped (Y4); the newest block goes last, because
    /// an old branch that is fetched begins with little weight.
    fn forget_worst_leaf(&mut self) -> bool {
        let (high, newest) = (self.certified.high.1, self.side.newest());
        let leaves = self.tree.entries().filter(|entry| {
            entry.is_leaf() && !self.canonical.contains(&entry.key()) && entry.id != high
        });
        let order = |entry: &&Entry| (Some(entry.id) == newest, entry.rank(self.order));
        let Some(worst) = leaves.min_by_key(order).map(|entry| entry.id) else {
            return false;
        };
        let mut cursor = Some(worst);
        while let Some(id) = cursor {
            let parent = self.tree.get(&id).map(|entry| entry.parent);
            self.forget(&id);
            cursor = parent.filter(|parent| {
                let entry = self.tree.get(parent);
                entry.is_some_and(|entry| {
                    let is_bare = entry.is_leaf() && entry.whole.is_none();
                    is_bare && !self.canonical.contains(&entry.key())
                })
            });
        }
        true
    }

    pub(super) fn forget(&mut self, id: &BlockId) {
        self.tree.remove(id);
        self.certified.candidates.remove(id);
        self.side.remove(id);
    }
}
