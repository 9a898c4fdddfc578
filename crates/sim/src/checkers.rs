//! What must be true of a [`World`] when all is well again: one chain with everything on
//! it once, no coin too many, no honest node blamed, no key used twice, and quiet.

use crate::{
    adversaries::is_a_liars, blocks::total, keys::ghost, lies::Lie, node::Node, timeline::short,
    world::World,
};
use ccoin_core::{
    AccountNonce, BlockId, Height, TxId, consensus::schedule::Schedule,
    transaction::VerifiedTransaction,
};
use std::collections::{BTreeMap, BTreeSet};

impl World {
    pub(crate) fn honest(&self) -> impl Iterator<Item = (usize, &Node)> {
        let nodes = self.nodes.iter().enumerate();
        // A liar is left alone when it is found out.
        nodes.filter(|(_, node)| node.lie.is_none())
    }

    /// Why the network is not one with everything on its chain once; `None` if it is.
    #[must_use]
    pub fn violation(&self) -> Option<String> {
        let first = self.honest().next()?.0;
        let miners = &self.genesis.config.miners;
        for (index, node) in self.honest() {
            let name = self.name(index);
            let mut known = self.keys_of(index).into_iter().map(|key| key.address());
            if let Some(other) = known.find(|address| !miners.contains(address)) {
                return Some(format!(
                    "{name} keeps the key of {other}, which is no miner"
                ));
            }
            let machine = &node.shell.machine;
            if self.head(index) != self.head(first) {
                let number = |index: usize| {
                    let head = self.nodes[index].shell.machine.chain().head();
                    (head.block.header().number, head.block.id)
                };
                return Some(format!(
                    "head of {name}: {:?}, of {}: {:?}",
                    number(index),
                    self.name(first),
                    number(first)
                ));
            }
            let waiting = machine.pool().by_arrival().map(|(_, txn)| txn);
            let waiting = waiting.filter(|txn| !self.is_stuck(index, txn)).count();
            if waiting > 0 {
                return Some(format!("{waiting} wait at {name}"));
            }
            for (user, payer) in self.nodes.iter().enumerate() {
                let account = machine.accounts().account(&ghost(user as u32).address());
                let sent = AccountNonce::new(payer.paid.len() as u64).expect("few");
                if account.nonce != sent {
                    return Some(format!(
                        "{} of {sent} payments of user {user} at {name}",
                        account.nonce
                    ));
                }
            }
        }
        self.lacks_finality().or_else(|| self.wrong_chain(first))
    }

    fn wrong_chain(&self, index: usize) -> Option<String> {
        let node = &self.nodes[index];
        let head = node.view.last()?;
        if head.id != self.head(index) {
            return Some(format!("{} has not written its head", self.name(index)));
        }
        let ids: Vec<TxId> = node.view.iter().flat_map(|block| block.txn_ids()).collect();
        let once: BTreeSet<TxId> = ids.iter().copied().collect();
        if once.len() != ids.len() {
            return Some("a transaction is on the chain twice".into());
        }
        let coins = total(node.shell.machine.accounts());
        let rewards = node.view.iter().skip(1).map(|b| b.header().reward.get());
        let expected = total(&self.genesis.applied().state) + rewards.sum::<u64>();
        if coins != expected {
            return Some(format!("{coins} coins, not {expected}"));
        }
        self.broken_promise(&once)
    }

    /// Runs until all honest nodes have one head.
    pub fn agree(&mut self, deadline: u64) {
        let heads = |world: &Self| -> BTreeSet<BlockId> {
            let honest = world.honest().map(|(index, _)| index);
            honest.map(|index| world.head(index)).collect()
        };
        while heads(self).len() > 1 {
            assert!(self.now < deadline, "at {}: {:?}", self.now, heads(self));
            self.run_until(self.now + 10);
        }
    }

    /// Runs until there is no trouble; fails with it at `deadline`.
    pub fn settle(&mut self, deadline: u64) {
        while let Some(violation) = self.violation() {
            if self.now >= deadline {
                self.report();
            }
            assert!(self.now < deadline, "at {}: {violation}", self.now);
            self.run_until((self.now / 10 + 1) * 10);
        }
        self.assert_no_false_blame();
        self.assert_finality();
    }

    /// Where each node stands, for a run that did not settle.
    fn report(&self) {
        for (index, node) in self.nodes.iter().enumerate() {
            let machine = &node.shell.machine;
            let chain = machine.chain();
            println!(
                "{} lie {:?}, {:?}, head {} {}, final {}, known from {}, deep reorgs {}, {} wait",
                self.name(index),
                node.lie,
                machine.state(),
                chain.height(),
                chain.head().block.id,
                chain.last_final().0,
                chain.lowest(),
                node.deep_reorgs,
                machine.pool().len()
            );
        }
    }

    /// No honest node was blamed.
    pub fn assert_no_false_blame(&self) {
        for (index, node) in self.honest() {
            for (other, fault) in &node.penalties {
                assert!(
                    self.nodes[*other].lie.is_some(),
                    "{} penalizes {}: {fault}",
                    self.name(index),
                    self.name(*other)
                );
            }
        }
    }

    /// No honest key has signed two blocks for one turn.
    pub fn one_block_a_turn(&self) {
        let schedule = Schedule::new(&self.genesis.config);
        let keys: BTreeSet<_> = self
            .honest()
            .filter_map(|(_, node)| node.shell.miner())
            .collect();
        let mut turns: BTreeMap<(u64, Height), BlockId> = BTreeMap::new();
        for block in self.nodes.iter().flat_map(|node| &node.shell.log) {
            let header = block.header();
            if keys.contains(&header.coinbase) {
                let turn = (schedule.slot(header.time), header.number);
                let first = *turns.entry(turn).or_insert(block.id);
                let (number, slot) = (turn.1, turn.0);
                assert!(
                    first == block.id,
                    "I4: two blocks {number} of one key in slot {slot}: ...{} and ...{}",
                    short(&first),
                    short(&block.id)
                );
            }
        }
    }

    /// No honest node has asked a peer more often than so many times in a second, but those
    /// who give one block at a time.
    pub fn asks_at_most(&self, most: usize) {
        for (index, node) in self.honest() {
            let mut of_peer: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
            let slow = |other: usize| matches!(self.nodes[other].lie, Some(Lie::Single));
            for (at, other) in node.asks.iter().filter(|(_, other)| !slow(*other)) {
                of_peer.entry(*other).or_default().push(*at);
            }
            for (other, times) in of_peer {
                let burst = times.windows(most + 1).find(|w| w[most] - w[0] < 1_000);
                assert!(
                    burst.is_none(),
                    "{} asks {} {most} times in a second: {burst:?}",
                    self.name(index),
                    self.name(other)
                );
            }
        }
    }

    /// How often honest nodes have asked honest ones since a moment.
    #[must_use]
    pub fn asks_since(&self, moment: u64) -> usize {
        let of = |node: &Node| {
            let recent = node.asks.iter().filter(|(at, _)| *at >= moment);
            recent
                .filter(|(_, other)| self.nodes[*other].lie.is_none())
                .count()
        };
        self.honest().map(|(_, node)| of(node)).sum()
    }

    /// Whether a transaction waits for what may never come: for coins or a number that a user
    /// has used twice, or a liar's own for another of its.
    fn is_stuck(&self, index: usize, txn: &VerifiedTransaction) -> bool {
        let machine = &self.nodes[index].shell.machine;
        let account = machine.accounts().account(&txn.sender());
        let next = machine.pool().next_number(&txn.sender(), account);
        let behind_a_gap = txn.number.get() > next;
        if !self.payments.doubles {
            return is_a_liars(txn) && behind_a_gap;
        }
        // Where others of its sender hold all coins or its number, there is no place for it,
        // nor for what waits behind it.
        let waiting = machine.pool().by_arrival().map(|(_, other)| other);
        let mut before =
            waiting.filter(|other| other.sender() == txn.sender() && other.number <= txn.number);
        behind_a_gap || before.any(|other| self.honest().any(|(_, node)| lacks_coins(node, other)))
    }
}

/// Whether a payment and the others of its sender that wait at a node spend more than it has.
fn lacks_coins(node: &Node, txn: &VerifiedTransaction) -> bool {
    let machine = &node.shell.machine;
    let waiting = machine.pool().by_arrival().map(|(_, other)| other);
    let others = waiting.filter(|other| other.sender() == txn.sender() && other.id() != txn.id());
    let spent: u64 = others.map(|other| other.amount.get()).sum();
    spent + txn.amount.get() > machine.accounts().account(&txn.sender()).balance.get()
}
