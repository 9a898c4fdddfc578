//! Which places to dial next: proven places come before candidates, and candidates never
//! take all of the room.

use super::{AddressBook, Entry, Origin};
use crate::HostPort;
use ccoin_core::Address;
use std::{collections::HashSet, time::Instant};

/// What the book needs to know of the connections.
pub(crate) struct DialContext<'a> {
    /// Whether this address is connected, or must not be.
    pub(crate) settled: &'a dyn Fn(&Address) -> bool,
    /// The end of the ban on this address, if there is one.
    pub(crate) refused: &'a dyn Fn(&Address) -> Option<Instant>,
    /// Whether so few peers are connected that candidates are dialled.
    pub(crate) few: bool,
    /// Whether an unknown peer without privilege would find a seat.
    pub(crate) seats: bool,
    /// Whether a known one would.
    pub(crate) known_seats: bool,
}

/// The first is dialled first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Configured,
    KnownMiner,
    Known,
    MinerCaller,
    MinerCandidate,
    Caller,
    Candidate,
}

impl Rank {
    /// Whether a peer of this rank is wanted now.
    fn is_wanted(self, context: &DialContext<'_>) -> bool {
        match self {
            Self::Configured | Self::KnownMiner | Self::MinerCaller | Self::MinerCandidate => true,
            Self::Known => context.known_seats,
            Self::Caller | Self::Candidate => context.seats && context.few,
        }
    }
}

impl AddressBook {
    fn rank(&self, entry: &Entry) -> Rank {
        match (entry.origin, self.is_miner(entry), entry.first_hand) {
            (Origin::Configured, ..) => Rank::Configured,
            (Origin::Remembered, true, _) => Rank::KnownMiner,
            (Origin::Remembered, false, _) => Rank::Known,
            (Origin::Candidate, true, true) => Rank::MinerCaller,
            (Origin::Candidate, true, false) => Rank::MinerCandidate,
            (Origin::Candidate, false, true) => Rank::Caller,
            (Origin::Candidate, false, false) => Rank::Candidate,
        }
    }

    /// All places whose peers are wanted, in the order of dialling, and when each is due.
    /// Candidates follow each other as they were named: a discovery service names proven
    /// ones first.
    fn wanted(&self, now: Instant, context: &DialContext<'_>) -> Vec<(Instant, HostPort)> {
        let mut wanted: Vec<(Rank, Instant, u64, HostPort)> = self
            .entries
            .iter()
            .filter(|(_, entry)| !entry.dialling)
            .filter(|(_, entry)| !entry.address.as_ref().is_some_and(context.settled))
            .map(|(place, entry)| (self.rank(entry), place, entry))
            .filter(|(rank, ..)| rank.is_wanted(context))
            .map(|(rank, place, entry)| {
                let refused = entry.address.as_ref().and_then(context.refused);
                let not_before = refused.unwrap_or(now).max(entry.not_before);
                (rank, not_before, entry.candidate_number, place.clone())
            })
            .collect();
        wanted.sort();
        let due = |(_, not_before, _, place)| (not_before, place);
        wanted.into_iter().map(due).collect()
    }

    /// The places to dial now, marked as being dialled, and when the next one is due.
    pub(crate) fn due(
        &mut self,
        now: Instant,
        context: &DialContext<'_>,
    ) -> (Vec<HostPort>, Option<Instant>) {
        let dialling = self.entries.values().filter(|entry| entry.dialling);
        let mut busy: HashSet<Address> = dialling.clone().filter_map(|e| e.address).collect();
        let candidates = dialling.clone().filter(|e| e.origin == Origin::Candidate);
        let mut free = self.limits.dials.saturating_sub(dialling.count());
        let mut free_for_candidates = self
            .limits
            .dials
            .div_ceil(2)
            .saturating_sub(candidates.count());
        let mut places = Vec::new();
        let mut next: Option<Instant> = None;
        for (not_before, place) in self.wanted(now, context) {
            if not_before > now {
                next = Some(next.map_or(not_before, |next| next.min(not_before)));
                continue;
            }
            let Some(entry) = self.entries.get_mut(&place) else {
                continue;
            };
            let candidate = entry.origin == Origin::Candidate;
            let named = candidate && !entry.first_hand;
            if named && let Some(later) = self.candidates_not_before.filter(|at| *at > now) {
                next = Some(next.map_or(later, |next| next.min(later)));
                continue;
            }
            let room = free > 0 && (!candidate || free_for_candidates > 0);
            // one place of a peer at a time
            if room && entry.address.is_none_or(|address| busy.insert(address)) {
                free -= 1;
                free_for_candidates -= usize::from(candidate);
                entry.dialling = true;
                if named {
                    self.candidates_not_before = Some(now + self.limits.candidate_pause);
                }
                places.push(place);
            }
        }
        (places, next)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::*;
    use super::*;
    use std::time::Duration;

    #[test]
    fn important_places_come_first_and_eight_at_once() {
        let (mut book, now) = (book(), Instant::now());
        book.suggest(address(2), place(30), now, 0);
        book.suggest(MINER, place(20), now, 0);
        for n in 0..8 {
            book.configure(place(n), now);
        }
        assert_eq!(
            due(&mut book, now, true),
            (0..8).map(place).collect::<Vec<_>>()
        );
        assert_eq!(due(&mut book, now, true), []);
        book.reached(&place(3));
        book.prove(&place(3), MINER);
        // the miner is being dialled nowhere else: its configured place comes first
        assert_eq!(due(&mut book, now, true), [place(3)]);
        book.reached(&place(0));
        book.reached(&place(1));
        book.is_own(&place(0), now);
        book.is_own(&place(1), now);
        assert_eq!(due(&mut book, now, false), []);
        assert_eq!(due(&mut book, now, true), [place(30)]);
        let later = now + book.limits.own_address;
        assert_eq!(due(&mut book, later, true), [place(0)]);
    }

    #[test]
    fn proven_places_come_first_and_candidates_leave_half_of_the_room() {
        let (now, miners) = (Instant::now(), [1, 2, 3, 4, 5, 6].map(address));
        let mut book = AddressBook::new(&unhurried(), OWN, &miners);
        for (n, miner) in miners.into_iter().enumerate() {
            book.suggest(miner, place(n), now, 0);
        }
        book.add_caller(miners[5], place(9), now, 0);
        book.remember(remembered(8, 8), now);
        let all = due(&mut book, now, true);
        assert_eq!(all, [8, 9, 0, 1, 2].map(place));
        assert_eq!(due(&mut book, now, true), []);
        // all of the room for proven places, also while candidates are being dialled
        for n in 10..14 {
            book.remember(remembered(n, n.into()), now);
        }
        assert_eq!(due(&mut book, now, true), [10, 11, 12].map(place));
        book.fail(&place(0), now, 0);
        assert_eq!(due(&mut book, now, true), [13].map(place));
        book.fail(&place(1), now, 0);
        assert_eq!(due(&mut book, now, true), [3].map(place));
    }

    #[test]
    fn candidates_of_third_parties_are_dialled_one_after_another_and_once() {
        let (mut book, now) = (book(), Instant::now());
        for n in 2..5u8 {
            book.suggest(address(n), place(n.into()), now, 0);
        }
        let pause = book.limits.candidate_pause;
        for n in 2..5u8 {
            let at = now + pause * u32::from(n);
            assert_eq!(due(&mut book, at, true), [place(n.into())]);
            assert_eq!(due(&mut book, at, true), []);
            book.fail(&place(n.into()), at, 0);
        }
        assert_eq!(due(&mut book, now + pause * 10_000, true), []);
    }

    #[test]
    fn a_connected_peer_is_not_dialled_and_a_banned_one_only_after_its_ban() {
        let (mut book, now) = (book(), Instant::now());
        book.suggest(MINER, place(1), now, 0);
        let mut context = DialContext {
            settled: &|address| *address == MINER,
            refused: &|_| None,
            few: true,
            seats: true,
            known_seats: true,
        };
        assert_eq!(book.due(now, &context), (vec![], None));
        context.settled = &|_| false;
        let later = now + Duration::from_secs(600);
        let refused = |_: &Address| Some(later);
        context.refused = &refused;
        assert_eq!(book.due(now, &context), (vec![], Some(later)));
        assert_eq!(book.due(later, &context), (vec![place(1)], None));
    }
}
