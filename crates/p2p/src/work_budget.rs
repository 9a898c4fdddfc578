//! What peers may cost for nothing: known blocks, refused transactions, questions. Each peer
//! and each address group has a share of a core. A peer in debt is read later; no peer is
//! blamed. Pure: time is an argument.

use crate::{address_group::AddressGroup, connection::PeerId, limits::Limits};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// Payers that are remembered before those without a debt are forgotten.
const MANY: usize = 1_024;

/// Who pays for work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Payer {
    Peer(PeerId),
    /// `None`: all of loopback.
    Group(Option<AddressGroup>),
}

/// The debts of all peers.
#[derive(Debug)]
pub(crate) struct WorkBudget {
    limits: Limits,
    /// When each debt is paid off.
    paid_at: HashMap<Payer, Instant>,
}

impl WorkBudget {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            paid_at: HashMap::new(),
        }
    }

    /// Charges a peer and its group for CPU time.
    pub(crate) fn charge(
        &mut self,
        peer: PeerId,
        group: Option<AddressGroup>,
        cost: Duration,
        now: Instant,
    ) {
        if self.paid_at.len() >= MANY {
            self.paid_at.retain(|_, paid_at| *paid_at > now);
        }
        let shares = [
            (Payer::Peer(peer), self.limits.peer_share),
            (Payer::Group(group), self.limits.group_share),
        ];
        for (payer, share) in shares {
            let paid_at = self.paid_at.entry(payer).or_insert(now);
            *paid_at = (*paid_at).max(now) + cost.saturating_mul(share);
        }
    }

    /// When the peer is read again; `None`: now.
    pub(crate) fn read_at(
        &self,
        peer: PeerId,
        group: Option<AddressGroup>,
        now: Instant,
    ) -> Option<Instant> {
        let payers = [Payer::Peer(peer), Payer::Group(group)];
        let paid_at = payers.iter().filter_map(|payer| self.paid_at.get(payer));
        let free = now + self.limits.debt;
        let latest = paid_at.max().filter(|paid_at| **paid_at > free)?;
        latest.checked_sub(self.limits.debt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Duration = Duration::from_millis(1);

    fn budget() -> WorkBudget {
        WorkBudget::new(&Limits {
            peer_share: 10,
            group_share: 5,
            debt: Duration::from_secs(1),
            ..Limits::default()
        })
    }

    #[test]
    fn a_peer_gets_a_tenth_of_a_core_and_a_group_a_fifth() {
        let (mut budget, start) = (budget(), Instant::now());
        let group = AddressGroup::of([192, 0, 2, 1].into());
        for (peers, expected) in [(1, 1_100), (20, 2_200)] {
            let mut calls = 0;
            for ms in 0..10_000 {
                let now = start + Duration::from_secs(peers * 60) + Duration::from_millis(ms);
                for peer in 0..peers {
                    if budget.read_at(peer, group, now).is_none() {
                        budget.charge(peer, group, CALL, now);
                        calls += 1;
                    }
                }
            }
            // what may be owed at the end, and one call of each
            assert!((expected - 200..=expected + 20).contains(&calls), "{calls}");
        }
    }

    #[test]
    fn one_group_does_not_delay_another() {
        let (mut budget, now) = (budget(), Instant::now());
        let [one, other] = [1, 2].map(|host| AddressGroup::of([192, 0, 2, host].into()));
        budget.charge(1, one, Duration::from_secs(1), now);
        assert_eq!(
            budget.read_at(1, one, now),
            Some(now + Duration::from_secs(9))
        );
        assert_eq!(
            budget.read_at(2, one, now),
            Some(now + Duration::from_secs(4))
        );
        assert_eq!(budget.read_at(3, other, now), None);
    }

    #[test]
    fn payers_without_a_debt_are_forgotten() {
        let (mut budget, start) = (budget(), Instant::now());
        for peer in 0..10 * MANY as u64 {
            let now = start + Duration::from_millis(100 * peer);
            budget.charge(peer, None, CALL, now);
        }
        assert!(budget.paid_at.len() <= MANY + 1);
    }
}
