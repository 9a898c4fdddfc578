//! The rules of the registry, in a time that the tests choose.

use super::*;
use crate::{
    Record,
    record::tests::{claim, key},
};
use ccoin_crypto::Verifier;
use serde_json::{Value, json};

/// The server's clock when a test begins.
const START: u64 = 1_700_000_000_000;
const OUTSIDE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 9));
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const NEARBY: Vantage = Vantage {
    caller: HERE,
    reached: HERE,
};

fn at(offset: i64) -> Timestamp {
    Timestamp::new(START.saturating_add_signed(offset)).unwrap()
}

fn checked(record: Record, command: Command) -> Verified {
    record.verify(command, &mut Verifier::new(1)).unwrap()
}

fn add(node: usize, ip: &str, time: i64) -> Verified {
    let record = Record::add(claim(ip, 4001), at(time), key(node)).unwrap();
    checked(record, Command::Add)
}

fn remove(node: usize, time: i64) -> Verified {
    let record = Record::remove(7, BlockId::ZERO, at(time), key(node)).unwrap();
    checked(record, Command::Remove)
}

fn shown(registry: &Registry, vantage: Vantage, now: i64) -> Vec<String> {
    let all = registry.members(&Filter::default(), vantage, at(now), 0);
    let mut hosts: Vec<_> = all.iter().map(|one| one.member.ip.to_string()).collect();
    hosts.sort();
    hosts
}

/// An entry without a key.
fn stranger(number: u32, caller: IpAddr) -> Entry {
    let mut id = [0; 20];
    id[16..].copy_from_slice(&number.to_be_bytes());
    Entry {
        id: Address::new(id),
        time: at(0),
        caller,
        listing: Some(Listing {
            ip: Host::of(caller),
            port: 1,
            network_id: 1,
            genesis_id: BlockId::ZERO,
            since: at(0),
            seen: at(0),
            proven: None,
            asked: None,
        }),
    }
}

/// In the toy records never expired.
#[test]
fn a_record_lives_90_s_unless_it_is_renewed() {
    let mut registry = Registry::default();
    // Its own clock is ahead: it does not live longer.
    registry
        .apply(&add(0, "10.0.0.1", 50_000), OUTSIDE, at(0))
        .unwrap();
    assert_eq!(registry.count(at(89_999)), 1);
    assert_eq!(shown(&registry, NEARBY, 89_999), ["10.0.0.1"]);
    assert_eq!(registry.count(at(90_000)), 0);
    assert!(shown(&registry, NEARBY, 90_000).is_empty());
    assert!(shown(&registry, NEARBY, -90_000).is_empty(), "set back");
    registry
        .apply(&add(0, "10.0.0.2", 80_000), OUTSIDE, at(80_000))
        .unwrap();
    assert_eq!(shown(&registry, NEARBY, 169_999), ["10.0.0.2"]);
    let listed = registry.members(&Filter::default(), NEARBY, at(100_000), 0);
    assert_eq!((listed[0].since, listed[0].seen), (at(0), at(80_000)));
}

#[test]
fn a_time_must_be_near_and_newer() {
    let mut registry = Registry::default();
    let now = at(0);
    for time in [-60_001, 60_001] {
        let got = at(time);
        assert_eq!(
            registry.apply(&add(0, "", time), OUTSIDE, now),
            Err(RegistryError::Clock { got, now })
        );
    }
    for time in [-60_000, -5] {
        registry.apply(&add(0, "", time), OUTSIDE, now).unwrap();
    }
    let before = registry.revision();
    for command in [add(0, "", -5), add(0, "", -6), remove(0, -5)] {
        let (got, stored) = (command.record().time, at(-5));
        let stale = Err(RegistryError::Stale { got, stored });
        assert_eq!(registry.apply(&command, OUTSIDE, now), stale);
    }
    assert_eq!((registry.count(now), registry.revision()), (1, before));
    registry.apply(&remove(0, 60_000), OUTSIDE, now).unwrap();
    assert_eq!((registry.count(now), registry.revision()), (0, before + 1));
}

#[test]
fn a_record_that_ended_cannot_be_replayed() {
    let mut registry = Registry::default();
    let (old, older) = (add(0, "", 40_000), add(1, "", 60_000));
    registry.apply(&old, OUTSIDE, at(0)).unwrap();
    registry.apply(&remove(0, 41_000), OUTSIDE, at(1)).unwrap();
    registry.apply(&older, OUTSIDE, at(1)).unwrap();
    // Until its time is too old, also over a restart.
    for now in [2, 100_000] {
        let kept = registry.entries().cloned().collect();
        registry = Registry::restore(kept, at(now));
        let replayed = registry.apply(&old, OUTSIDE, at(now));
        assert!(
            matches!(replayed, Err(RegistryError::Stale { .. })),
            "{now}"
        );
    }
    // The end of a life is no different from a removal.
    let replayed = registry.apply(&older, OUTSIDE, at(120_000));
    assert!(matches!(replayed, Err(RegistryError::Stale { .. })));
    assert_eq!(
        registry.entries().count(),
        1,
        "the removed one is forgotten"
    );
    let replayed = registry.apply(&older, OUTSIDE, at(120_001));
    assert!(matches!(replayed, Err(RegistryError::Clock { .. })));
}

#[test]
fn an_unusable_host_becomes_the_address_of_the_caller() {
    let mut registry = Registry::default();
    let v6: IpAddr = "::ffff:10.0.0.7".parse().unwrap();
    for (time, ip, caller, stored) in [
        (1, "", OUTSIDE, "10.0.0.9"),
        (2, "0.0.0.0", v6, "10.0.0.7"),
        (3, "::", OUTSIDE, "10.0.0.9"),
        (4, "127.0.0.1", OUTSIDE, "10.0.0.9"),
        (5, "", HERE, "127.0.0.1"),
        (6, "localhost", HERE, "localhost"),
        (7, "node.example.org", HERE, "node.example.org"),
    ] {
        registry.apply(&add(0, ip, time), caller, at(0)).unwrap();
        assert_eq!(shown(&registry, NEARBY, 0), [stored], "{ip}");
    }
}

#[test]
fn a_node_on_this_machine_is_where_callers_reached_it() {
    let mut registry = Registry::default();
    registry
        .apply(&add(0, "127.0.0.1", 0), HERE, at(0))
        .unwrap();
    registry.apply(&add(1, "10.0.0.3", 0), HERE, at(1)).unwrap();
    let from_outside = Vantage {
        caller: OUTSIDE,
        reached: "10.0.0.1".parse().unwrap(),
    };
    assert_eq!(shown(&registry, from_outside, 1), ["10.0.0.1", "10.0.0.3"]);
    let mapped = Vantage {
        caller: "::ffff:127.0.0.1".parse().unwrap(),
        reached: OUTSIDE,
    };
    assert_eq!(shown(&registry, mapped, 1), ["10.0.0.3", "127.0.0.1"]);
}

#[test]
fn a_filter_names_network_and_block_1() {
    let mut registry = Registry::restore(vec![stranger(1, HERE)], at(0));
    registry.apply(&add(0, "10.0.0.1", 0), HERE, at(0)).unwrap();
    let count = |network_id, genesis_id| {
        let filter = Filter {
            network_id,
            genesis_id,
            prefer: Vec::new(),
        };
        registry.members(&filter, NEARBY, at(0), 0).len()
    };
    assert_eq!(count(None, None), 2);
    assert_eq!((count(Some(7), None), count(Some(8), None)), (1, 0));
    let (its, others) = (BlockId::new([9; 32]), BlockId::new([8; 32]));
    assert_eq!((count(None, Some(its)), count(None, Some(others))), (1, 0));
    assert_eq!(count(Some(1), Some(its)), 0);
}

#[test]
fn one_caller_has_at_most_64_records() {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    for (filled, same, other) in [
        (OUTSIDE, OUTSIDE, ip("10.0.0.8")),
        (OUTSIDE, ip("::ffff:10.0.0.9"), ip("::ffff:10.0.0.8")),
        (
            ip("2001:db8::1"),
            ip("2001:db8::8000:0:0:2"),
            ip("2001:db8:0:1::1"),
        ),
    ] {
        let of = |count| (0..count).map(|n| stranger(n, filled)).collect();
        let mut registry = Registry::restore(of(64), at(0));
        let full = Err(RegistryError::CallerFull);
        assert_eq!(registry.apply(&add(0, "", 0), same, at(0)), full);
        assert_eq!(registry.apply(&remove(0, 0), same, at(0)), full);
        registry.apply(&add(0, "", 0), other, at(0)).unwrap();
        assert_eq!(registry.apply(&add(0, "", 1), same, at(0)), full);
        let mut registry = Registry::restore(of(63), at(0));
        registry.apply(&add(0, "", 0), same, at(0)).unwrap();
        registry.apply(&add(0, "", 1), same, at(0)).unwrap();
    }
    let near = (0..64).map(|n| stranger(n, HERE)).collect();
    let mut registry = Registry::restore(near, at(0));
    registry.apply(&add(0, "", 0), HERE, at(0)).unwrap();
}

#[test]
fn the_registry_is_bounded() {
    let many = (0..20_000).map(|n| stranger(n, HERE)).collect();
    let mut registry = Registry::restore(many, at(0));
    assert_eq!(registry.entries().count(), MAX_ENTRIES);
    let full = Err(RegistryError::Full);
    assert_eq!(registry.apply(&add(0, "", 0), HERE, at(0)), full);
    // A known node is not new.
    let known = Entry {
        id: add(0, "", 0).record().id,
        ..stranger(0, HERE)
    };
    let many = (1..10_000).map(|n| stranger(n, HERE)).chain([known]);
    let mut registry = Registry::restore(many.collect(), at(0));
    assert_eq!(registry.apply(&add(1, "", 1), HERE, at(0)), full);
    registry.apply(&add(0, "", 1), HERE, at(0)).unwrap();
}

#[test]
fn the_largest_answer_fits_the_clients_limit() {
    let ip = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
    let member = Member {
        id: Address::new([0xff; 20]),
        ip: ip.parse().unwrap(),
        port: u16::MAX,
    };
    let bytes = serde_json::to_vec(&member).unwrap().len() + 1;
    assert!(
        bytes * MAX_ANSWER < crate::client::MAX_ANSWER_BYTES,
        "{bytes}"
    );
}

#[test]
fn entries_keep_their_form_on_disk() {
    let entry = stranger(1, OUTSIDE);
    let text = serde_json::to_string(&entry).unwrap();
    let written = json!({"id": entry.id, "time": START, "caller": "10.0.0.9", "place": {
        "ip": "10.0.0.9", "port": 1, "network_id": 1, "genesis_id": BlockId::ZERO,
        "since": START, "seen": START}});
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), written);
    assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
    assert!(serde_json::from_str::<Entry>(&text.replace("10.0.0.9", "<b>")).is_err());
}

/// Of one host in each of many /24 networks.
fn host(n: u32) -> IpAddr {
    IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0a00_0001 | n << 8))
}

fn ids(registry: &Registry, filter: &Filter, chance: u32) -> Vec<Address> {
    let all = registry.members(filter, NEARBY, at(0), chance);
    all.iter().map(|listed| listed.member.id).collect()
}

#[test]
fn a_thousand_invented_records_of_sixteen_hosts_hide_no_honest_one() {
    let invented = (0..1_024).map(|n| stranger(n, host(n % 16)));
    let mut registry = Registry::restore(invented.collect(), at(0));
    let honest: Vec<Address> = (0..3).map(|n| add(n, "", 0).record().id).collect();
    for n in 0..3 {
        let caller = host(100 + n as u32);
        registry.apply(&add(n, "", 0), caller, at(0)).unwrap();
    }
    for chance in 0..20 {
        let first: Vec<_> = ids(&registry, &Filter::default(), chance);
        let early = &first[..16 + 3];
        assert!(honest.iter().all(|id| early.contains(id)), "{chance}");
    }
    // a miner that the asking node knows
    let filter = Filter {
        prefer: vec![honest[2]],
        ..Filter::default()
    };
    assert_eq!(ids(&registry, &filter, 0)[0], honest[2]);
    // and one that was proven
    prove(&mut registry, honest[1]);
    assert_eq!(ids(&registry, &filter, 0)[..2], [honest[2], honest[1]]);
}

/// Asks until this node has been asked, which proves itself as the only one; returns how many
/// others were asked before.
fn prove(registry: &mut Registry, id: Address) -> usize {
    for others in 0.. {
        let asked = registry.next_unproven(at(0)).unwrap();
        registry.on_asked(&asked, asked.id == id, at(0));
        if asked.id == id {
            return others;
        }
    }
    unreachable!("every place is asked")
}

#[test]
fn an_honest_place_is_asked_for_proof_before_the_rest_of_a_flood() {
    let invented = (0..1_024).map(|n| stranger(n, host(n % 16)));
    let mut registry = Registry::restore(invented.collect(), at(0));
    for _ in 0..100 {
        registry.next_unproven(at(0)).unwrap();
    }
    let record = add(0, "", 0);
    registry.apply(&record, host(100), at(0)).unwrap();
    assert_eq!(prove(&mut registry, record.record().id), 0);
}

#[test]
fn a_proof_belongs_to_a_place_and_is_renewed() {
    let mut registry = Registry::default();
    registry.apply(&add(0, "10.0.0.1", 0), HERE, at(0)).unwrap();
    let proven = |registry: &Registry, now| {
        registry.members(&Filter::default(), NEARBY, at(now), 0)[0].proven
    };
    let asked = registry.next_unproven(at(0)).unwrap();
    assert_eq!(registry.next_unproven(at(0)), None, "once a minute");
    registry.on_asked(&asked, true, at(7));
    // it stays over renewals, and over a restart
    registry
        .apply(&add(0, "10.0.0.1", 50_000), HERE, at(50_000))
        .unwrap();
    let kept = serde_json::to_string(&registry.entries().collect::<Vec<_>>()).unwrap();
    let mut registry = Registry::restore(serde_json::from_str(&kept).unwrap(), at(50_000));
    assert_eq!(proven(&registry, 50_000), Some(at(7)));
    let asked = registry.next_unproven(at(50_000)).unwrap();
    registry.on_asked(&asked, false, at(50_000));
    assert_eq!(proven(&registry, 50_000), None);
    registry.on_asked(&asked, true, at(50_000));
    // another place is not proven by the answer of this one
    registry
        .apply(&add(0, "10.0.0.2", 60_000), HERE, at(60_000))
        .unwrap();
    assert_eq!(proven(&registry, 60_000), None);
    registry.on_asked(&asked, true, at(60_000));
    assert_eq!(proven(&registry, 60_000), None);
}

#[test]
fn ten_thousand_invented_records_do_not_fill_the_registry() {
    let invented = (0..10_000).map(|n| stranger(n, host(n % 20)));
    let mut registry = Registry::restore(invented.collect(), at(0));
    for n in 0..3 {
        let caller = host(100 + n as u32);
        registry.apply(&add(n, "", 0), caller, at(0)).unwrap();
        assert_eq!(registry.entries().count(), MAX_ENTRIES);
    }
    let all: Vec<_> = registry.entries().map(|entry| entry.id).collect();
    assert!((0..3).all(|n| all.contains(&add(n, "", 0).record().id)));
    // proven ones stay
    let mut proven: Vec<_> = (0..10_000).map(|n| stranger(n, host(n % 20))).collect();
    for entry in &mut proven {
        entry.listing.as_mut().unwrap().proven = Some(at(0));
    }
    let mut registry = Registry::restore(proven, at(0));
    let full = Err(RegistryError::Full);
    assert_eq!(registry.apply(&add(0, "", 0), host(100), at(0)), full);
}

#[test]
fn one_network_has_at_most_512_records() {
    let neighbour = |n| {
        let bits = 0x0a00_0000 | (n % 200);
        stranger(n, IpAddr::V4(std::net::Ipv4Addr::from_bits(bits)))
    };
    let mut registry = Registry::restore((0..512).map(neighbour).collect(), at(0));
    let caller: IpAddr = "10.0.0.250".parse().unwrap();
    let full = Err(RegistryError::BlockFull);
    assert_eq!(registry.apply(&add(0, "", 0), caller, at(0)), full);
    registry.apply(&add(0, "", 0), host(100), at(0)).unwrap();
}
