//! How long places are tried, and which are handed on.

use super::*;

pub(super) const OWN: Address = Address::new([9; 20]);
pub(super) const MINER: Address = Address::new([1; 20]);

pub(super) fn place(n: usize) -> HostPort {
    HostPort {
        host: format!("h{n}"),
        port: 4001,
    }
}

pub(super) fn address(n: u8) -> Address {
    Address::new([n; 20])
}

pub(super) fn remembered(n: u8, at: usize) -> PeerAddress {
    let HostPort { host, port } = place(at);
    let address = address(n);
    PeerAddress {
        address,
        host,
        port,
    }
}

/// Without a pause between the dials to candidates.
pub(super) fn unhurried() -> Limits {
    Limits {
        candidate_pause: Duration::ZERO,
        ..Limits::default()
    }
}

pub(super) fn book() -> AddressBook {
    let limits = Limits {
        candidates: 3,
        ..Limits::default()
    };
    AddressBook::new(&limits, OWN, &[MINER])
}

pub(super) fn due(book: &mut AddressBook, now: Instant, few: bool) -> Vec<HostPort> {
    let context = DialContext {
        settled: &|_| false,
        refused: &|_| None,
        few,
        seats: true,
        known_seats: true,
    };
    book.due(now, &context).0
}

#[test]
fn pauses_double_up_to_the_longest_and_begin_again() {
    let (mut book, now) = (book(), Instant::now());
    book.configure(place(1), now);
    let mut pauses = Vec::new();
    for _ in 0..9 {
        book.fail(&place(1), now, u32::MAX / 2);
        pauses.push((book.entries[&place(1)].not_before - now).as_secs_f32());
    }
    let expected = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0];
    for (pause, expected) in pauses.iter().zip(expected) {
        assert!((pause - expected).abs() < 0.01, "{pauses:?}");
    }
    let pause = |book: &AddressBook| book.entries[&place(1)].not_before - now;
    book.lost(&place(1), Duration::from_secs(9), now, u32::MAX / 2);
    assert!(pause(&book) > Duration::from_secs(29));
    book.lost(&place(1), Duration::from_secs(11), now, u32::MAX / 2);
    assert!(pause(&book) < Duration::from_secs(1));
    book.fail(&place(1), now, 0);
    let least = pause(&book);
    assert_eq!(least, Duration::from_millis(750));
    assert_eq!(due(&mut book, now + least / 2, true), []);
    assert_eq!(due(&mut book, now + least, true), [place(1)]);
}

#[test]
fn a_lost_peer_is_dialled_within_two_seconds_for_an_hour() {
    let (mut book, start) = (book(), Instant::now());
    book.configure(place(1), start);
    book.prove(&place(1), address(2));
    book.reached(&place(1));
    let long = book.limits.lived * 2;
    book.suspect(&address(2), Some(&place(1)), long, start);
    let mut now = start;
    while now < start + Duration::from_secs(3600) {
        let next = book.entries[&place(1)].not_before;
        assert!(next - now <= Duration::from_secs(2), "{:?}", next - now);
        now = next;
        book.fail(&place(1), now, u32::MAX);
    }
    for _ in 0..9 {
        now = book.entries[&place(1)].not_before;
        book.fail(&place(1), now, u32::MAX);
    }
    assert!(book.entries[&place(1)].not_before - now > Duration::from_secs(30));
}

#[test]
fn the_place_of_a_silent_connection_is_dialled_after_the_other_places() {
    let (mut book, now) = (book(), Instant::now());
    for n in 1..=2 {
        book.configure(place(n), now);
        book.prove(&place(n), address(2));
    }
    let long = book.limits.lived * 2;
    book.suspect(&address(2), Some(&place(1)), long, now);
    assert_eq!(due(&mut book, now, true), [place(2)]);
}

#[test]
fn places_of_a_relay_do_not_displace_the_place_of_the_peer() {
    let (mut book, now) = (book(), Instant::now());
    book.remember(remembered(2, 0), now);
    for n in 1..20 {
        // claimed for a stranger, and then the peer answers there
        book.suggest(address(9 + n as u8), place(n), now, 0);
        book.prove(&place(n), address(2));
        let direct = &book.entries[&place(0)];
        assert_eq!(direct.origin, Origin::Remembered);
        assert!(book.proven().contains(&remembered(2, 0)));
        assert!(book.remembered() <= MAX_PROVEN_OF_ADDRESS + 1);
    }
    // a place at which the peer is not found any more goes first
    book.fail(&place(0), now, 0);
    book.suggest(address(40), place(40), now, 0);
    book.prove(&place(40), address(2));
    assert!(!book.proven().contains(&remembered(2, 0)));
}

#[test]
fn only_proven_places_are_handed_on_the_newest_first() {
    let (mut book, now) = (book(), Instant::now());
    book.suggest(address(2), place(1), now, 0);
    book.suggest(address(2), place(2), now, 0);
    assert_eq!(book.proven(), []);
    assert!(book.prove(&place(1), address(3)));
    assert!(!book.prove(&place(1), address(3)));
    assert!(book.prove(&place(2), address(3)));
    assert_eq!(book.proven(), [remembered(3, 2), remembered(3, 1)]);
    for n in 0..2 * MAX_PROVEN {
        let host = format!("r{n}");
        let address = address(10);
        book.remember(
            PeerAddress {
                address,
                host,
                port: 1,
            },
            now,
        );
    }
    assert_eq!(book.remembered(), MAX_PROVEN);
    book.configure(place(3), now);
    book.prove(&place(3), address(4));
    assert_eq!(book.proven()[0].address, address(4));
    assert_eq!(book.proven().len(), MAX_PROVEN);
}
