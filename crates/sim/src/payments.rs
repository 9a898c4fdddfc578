//! The users of a [`World`]: they pay each other with what they have received, remember
//! what their nodes have acknowledged, and check that no promise is broken.

use crate::{
    keys::ghost,
    node::Process,
    random::Random,
    txns::{give_from, record},
    world::World,
};
use ccoin_core::{
    TxId,
    ledger::Account,
    machine::{Input, Publish, Ticket},
    pool::{Accepted, PoolError},
    transaction::VerifiedTransaction,
};
use std::collections::{BTreeMap, BTreeSet};

/// The key of the first user.
pub const FIRST_USER: u32 = 100;

/// A payment that a node has acknowledged.
pub(crate) struct Promise {
    txn: VerifiedTransaction,
    /// The life of the process that gave it.
    life: u32,
}

/// What users have sent and what they were told.
#[derive(Default)]
pub(crate) struct Payments {
    users: u32,
    /// Some users pay with one number at two nodes.
    pub(crate) doubles: bool,
    sent: u64,
    open: BTreeMap<(usize, Ticket), VerifiedTransaction>,
    promises: BTreeMap<(usize, TxId), Promise>,
    /// What nodes have reported as dropped.
    dropped: BTreeMap<(usize, TxId), PoolError>,
}

impl Payments {
    pub(crate) fn answered(
        &mut self,
        node: usize,
        life: u32,
        ticket: Ticket,
        results: &[Result<Accepted, PoolError>],
    ) {
        let Some(txn) = self.open.remove(&(node, ticket)) else {
            return;
        };
        if matches!(results, [Ok(_)]) {
            let promise = Promise { txn, life };
            self.promises.insert((node, *promise.txn.id()), promise);
        }
    }

    /// A killed node answers no more.
    pub(crate) fn forget_questions(&mut self, node: usize) {
        self.open.retain(|(of, _), _| *of != node);
    }
}

impl World {
    /// So many users, one for each node in turn; the first ones have coins. `doubles`: they may sign
    /// two payments with one number.
    pub fn invite(&mut self, users: u32, doubles: bool) {
        (self.payments.users, self.payments.doubles) = (users, doubles);
    }

    /// A user spends some or all of what its node says it has; the node and the payment, if its
    /// process runs.
    pub fn spend(&mut self, random: &mut Random) -> Option<(usize, TxId)> {
        let user = random.below(self.payments.users.into()) as u32;
        let home = user as usize % self.nodes.len();
        let away = self.payments.doubles && random.below(4) == 0;
        let node = if away {
            random.below(self.nodes.len() as u64) as usize
        } else {
            home
        };
        let number = self.account(node, user).0;
        self.send(node, user, number, random).map(|id| (node, id))
    }

    /// Whether a node has said that a payment is on its disk.
    pub(crate) fn has_acknowledged(&self, node: usize, id: &TxId) -> bool {
        self.payments.promises.contains_key(&(node, *id))
    }

    /// The number that is next for a user at a node, and the coins that are left to it.
    fn account(&self, node: usize, user: u32) -> (u64, u64) {
        let machine = &self.nodes[node].shell.machine;
        let address = ghost(FIRST_USER + user).address();
        let account: Account = machine.accounts().account(&address);
        let waiting = machine.pool().by_arrival().map(|(_, txn)| txn);
        let spent = waiting.filter(|txn| txn.sender() == address);
        let pending: u64 = spent.map(|txn| txn.amount.get()).sum();
        let left = account.balance.get().saturating_sub(pending);
        (machine.pool().next_number(&address, account), left)
    }

    fn send(&mut self, node: usize, user: u32, number: u64, random: &mut Random) -> Option<TxId> {
        if self.nodes[node].process != Process::Up || self.nodes[node].lie.is_some() {
            return None;
        }
        let left = self.account(node, user).1;
        let amount = match random.below(4) {
            0 => 0,
            1 => left,
            _ => random.below(left + 1),
        };
        let to = ghost(FIRST_USER + random.below(self.payments.users.into()) as u32).address();
        self.payments.sent += 1;
        let ticket = self.payments.sent;
        let from = ghost(FIRST_USER + user);
        let txn = record(
            &self.genesis,
            &from,
            number,
            to,
            amount,
            &ticket.to_string(),
        );
        let id = *txn.id();
        self.payments.open.insert((node, ticket), txn.clone());
        let input = Input::Submit {
            ticket,
            txns: vec![txn],
            from: None,
        };
        self.step(node, input);
        Some(id)
    }

    /// What a node says it has dropped, and whether that is true.
    pub(crate) fn judge_drops(&mut self, node: usize, publish: &[Publish]) {
        if self.nodes[node].lie.is_some() {
            return;
        }
        for publish in publish {
            if let Publish::Dropped(dropped) = publish {
                let dropped = dropped.iter();
                let dropped = dropped.map(|(txn, reason)| ((node, *txn.id()), reason.clone()));
                self.payments.dropped.extend(dropped);
            }
        }
        let heads = publish.iter().filter_map(|publish| match publish {
            Publish::Head { reorg, dropped } => Some((reorg, dropped)),
            _ => None,
        });
        let last = heads.clone().count();
        for (place, is_deep, (txn, reason)) in
            heads.enumerate().flat_map(|(place, (reorg, dropped))| {
                let is_deep = !reorg.older_applied.is_empty();
                dropped.iter().map(move |one| (place + 1, is_deep, one))
            })
        {
            // Blocks of the new branch that memory does not hold may include it: readers ask
            // the index first.
            if is_deep && matches!(reason, PoolError::NumberUsed { .. }) {
                let key = (node, *txn.id());
                self.payments.dropped.insert(key, reason.clone());
                continue;
            }
            let account = self.nodes[node]
                .shell
                .machine
                .accounts()
                .account(&txn.sender());
            let is_user = (0..self.payments.users)
                .any(|user| ghost(FIRST_USER + user).address() == txn.sender());
            let (user, at, name) = (txn.sender(), self.now, self.name(node));
            let promise = self.payments.promises.get(&(node, *txn.id()));
            // A start may find another head than the one before, and does not know what the
            // branch that was left has brought until it follows it again.
            let restarted = promise.is_some_and(|promise| promise.life < self.nodes[node].life);
            if restarted && matches!(reason, PoolError::Funds { .. }) {
                self.payments.doubles = true;
            }
            assert!(
                !is_user || self.payments.doubles || promise.is_none(),
                "at {at}: {name} drops number {} of {user}, who never signed two: {reason}",
                txn.number
            );
            if let PoolError::NumberUsed { got, .. } = reason {
                let waits = self.nodes[node].shell.machine.pool().by_arrival();
                let other = waits.map(|(_, other)| other).any(|other| {
                    other.sender() == user && other.number == *got && other.id() != txn.id()
                });
                let used = place < last || other || account.nonce >= *got;
                assert!(used, "at {at}: {name} lies: {reason}");
            }
            if let PoolError::Funds {
                balance,
                pending,
                amount,
            } = reason
            {
                let lacks = pending.saturating_add(amount.get()) > balance.get();
                // Accounts are known as of the last change only.
                let known = place < last || *balance == account.balance;
                assert!(lacks && known, "at {at}: {name} lies: {reason}");
            }
            let key = (node, *txn.id());
            self.payments.dropped.insert(key, reason.clone());
        }
    }

    /// A promise that the head's branch breaks, if any.
    pub(crate) fn broken_promise(&self, included: &BTreeSet<TxId>) -> Option<String> {
        let judge = self.nodes.iter().position(|node| node.lie.is_none())?;
        let state = self.nodes[judge].shell.machine.accounts();
        for ((node, id), promise) in &self.payments.promises {
            if included.contains(id) {
                continue;
            }
            let (txn, account) = (&promise.txn, state.account(&promise.txn.sender()));
            let used = account.nonce >= txn.number;
            // The report may have been lost with the process.
            let restarted = self.nodes[*node].life > promise.life;
            let dropped = self.payments.dropped.get(&(*node, *id));
            let stuck = || {
                self.nodes[*node]
                    .shell
                    .machine
                    .pool()
                    .contains(&txn.sender(), txn.number, id)
            };
            let excused = match dropped {
                // Whose payment used it may have been dropped since.
                Some(PoolError::NumberUsed { .. } | PoolError::Funds { .. }) => true,
                Some(_) => false,
                // It waits for coins that may never come.
                None => stuck() || restarted && used,
            };
            if !excused || !self.payments.doubles {
                let (number, user, name) = (txn.number, txn.sender(), self.name(*node));
                return Some(format!(
                    "number {number} of {user}, acknowledged by {name}, is not there: {dropped:?}"
                ));
            }
        }
        None
    }

    /// The user of a node sends so many records, if its process runs.
    pub fn pay(&mut self, index: usize, count: u64) {
        if self.nodes[index].process != Process::Up || self.nodes[index].lie.is_some() {
            return;
        }
        let first = self.nodes[index].paid.len() as u64 + 1;
        let pay = |number| give_from(&self.genesis, &ghost(index as u32), number);
        let txns: Vec<_> = (first..first + count).map(pay).collect();
        self.nodes[index]
            .paid
            .extend(txns.iter().map(|txn| *txn.id()));
        let input = Input::Submit {
            ticket: 0,
            txns,
            from: None,
        };
        self.step(index, input);
    }
}
