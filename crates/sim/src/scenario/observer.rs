//! What users of a simulated network see: when their payments are final, and at which validator.

use super::Run;
use crate::{Entry, What, world::World};
use ccoin_core::TxId;
use std::collections::BTreeMap;

/// A payment that a validator has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Which one, and when it got it.
    pub node: usize,
    pub at: u64,
    /// When each validator said that it is final.
    pub final_at: Vec<Option<u64>>,
}

impl Payment {
    /// When the first honest validator said that it is final.
    pub(super) fn first_final(&self, run: &Run) -> Option<u64> {
        let told = self.final_at.iter().zip(&run.honest);
        let honest = told.filter(|(_, honest)| **honest);
        honest.filter_map(|(at, _)| *at).min()
    }
}

/// Follows the timeline of a world, and counts each final block once at each node.
pub(super) struct Observer {
    seen: u64,
    pub(super) entries: Vec<Entry>,
    sent: BTreeMap<TxId, Payment>,
    /// How many blocks of each node are final.
    finals: Vec<usize>,
}

impl Observer {
    /// Begins with what happens from now on.
    pub(super) fn new(world: &World) -> Self {
        Self {
            seen: world.timeline.since(0).1,
            entries: Vec::new(),
            sent: BTreeMap::new(),
            finals: vec![0; world.nodes.len()],
        }
    }

    /// A user has sent a payment to a node.
    pub(super) fn paid(&mut self, world: &World, node: usize, id: TxId) {
        let payment = Payment {
            node,
            at: world.now,
            final_at: vec![None; world.nodes.len()],
        };
        self.sent.insert(id, payment);
    }

    /// Takes note of what is new.
    pub(super) fn look(&mut self, world: &World) {
        let (entries, count) = world.timeline.since(self.seen);
        self.seen = count;
        for entry in entries {
            if let (Some(node), What::Final(number, _)) = (entry.node, &entry.what) {
                self.settle(world, node, number.get() as usize, entry.at);
            }
            self.entries.push(entry);
        }
    }

    /// A node has said that its first `count` blocks are final.
    fn settle(&mut self, world: &World, node: usize, count: usize, at: u64) {
        let view = &world.nodes[node].view;
        let before = self.finals[node];
        let blocks = view.iter().take(count).skip(before);
        for id in blocks.flat_map(|block| block.txn_ids()) {
            if let Some(payment) = self.sent.get_mut(&id) {
                payment.final_at[node].get_or_insert(at);
            }
        }
        self.finals[node] = count.max(before);
    }

    /// The payments that their validators have acknowledged.
    pub(super) fn payments(&self, world: &World) -> Vec<Payment> {
        let taken = self.sent.iter();
        let taken = taken.filter(|(id, payment)| world.has_acknowledged(payment.node, id));
        let mut payments: Vec<_> = taken.map(|(_, payment)| payment.clone()).collect();
        payments.sort_by_key(|payment| payment.at);
        payments
    }
}
