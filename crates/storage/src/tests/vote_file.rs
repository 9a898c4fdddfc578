//! Vote files: nothing that was stored is taken back, and those written before open.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ccoin_core::BlockId;
use ccoin_core::consensus::ballot::Ballot;
use ccoin_core::consensus::vote::Proposed;
use ccoin_core::consensus::voter_record::Standing;
use ccoin_crypto::sha256;

use super::sim_disk::{Fault, SimDisk};
use super::{Random, height};
use crate::{SlotFileError, VoteFile, VoteFileError, VoteRecord};

/// Bytes that each copy owns in a file of the first layout.
const ROOM: usize = 16 << 10;

fn path() -> PathBuf {
    PathBuf::from("/keys/votes")
}

fn create(disk: &SimDisk) -> Result<VoteFile, VoteFileError> {
    VoteFile::create_on(Arc::new(disk.clone()), &path(), None)
}

fn open(disk: &SimDisk) -> Result<VoteFile, VoteFileError> {
    VoteFile::open_on(Arc::new(disk.clone()), &path())
}

fn network(number: u64) -> BlockId {
    BlockId::new(Random(number).bytes(32).try_into().unwrap())
}

fn record(network_number: u64, slot: u64, number: u64) -> VoteRecord {
    VoteRecord {
        genesis_id: network(network_number),
        last_sealed_slot: slot,
        last_sealed_number: number,
        ..VoteRecord::never_signed(network(network_number))
    }
}

fn lock(ballot: u64) -> Proposed {
    Proposed {
        ballot: Ballot(ballot),
        number: height(9),
        id: network(77),
    }
}

#[test]
fn each_network_has_its_own_record() {
    let disk = SimDisk::default();
    let mut votes = create(&disk).unwrap();
    assert_eq!(votes.record(&network(1)), None);
    for slot in 1..20 {
        votes.store(record(1, slot, slot)).unwrap();
        votes.store(record(2, 2 * slot, 1)).unwrap();
    }
    let votes = open(&disk).unwrap();
    assert_eq!(votes.record(&network(1)), Some(record(1, 19, 19)));
    assert_eq!(votes.record(&network(2)), Some(record(2, 38, 1)));
    assert_eq!(votes.record(&network(3)), None);
}

#[test]
fn a_key_may_serve_any_number_of_networks() {
    let disk = SimDisk::default();
    let mut votes = create(&disk).unwrap();
    for number in 0..400 {
        votes.store(record(number, number, 1)).unwrap();
    }
    let votes = open(&disk).unwrap();
    for number in 0..400 {
        let stored = votes.record(&network(number));
        assert_eq!(stored, Some(record(number, number, 1)));
    }
}

#[test]
fn a_record_never_goes_back() {
    let with = |slot, number, max_vote1, locked| {
        let mut record = record(1, slot, number);
        record.voter.max_vote1 = Ballot(max_vote1);
        record.voter.lock = lock(locked);
        record
    };
    let disk = SimDisk::default();
    let mut votes = create(&disk).unwrap();
    let newest = with(8, 3, 50, 40);
    votes.store(newest).unwrap();
    let older = [
        with(8, 2, 50, 40),
        with(7, 9, 50, 40),
        with(9, 1, 49, 40),
        with(9, 1, 50, 39),
    ];
    for older in older {
        let error = votes.store(older).unwrap_err();
        assert!(
            matches!(&error, VoteFileError::Backwards { stored, .. } if **stored == newest),
            "{error}"
        );
    }
    votes.store(newest).unwrap();
    let next = with(9, 2, 51, 41);
    votes.store(next).unwrap();
    assert_eq!(open(&disk).unwrap().record(&network(1)), Some(next));
}

/// A4: its lock is what the others have shown, and the votes that it gave are not forgotten.
#[test]
fn a_key_that_begins_to_recover_may_lock_on_less() {
    let floor = Ballot(60);
    let with = |standing, max_vote1, locked| {
        let mut record = record(1, 8, 3);
        record.voter.standing = standing;
        record.voter.max_vote1 = Ballot(max_vote1);
        record.voter.lock = lock(locked);
        record
    };
    let disk = SimDisk::default();
    let mut votes = create(&disk).unwrap();
    votes.store(with(Standing::Intact, 50, 40)).unwrap();
    let recovering = Standing::Recovering(floor);
    votes.store(with(recovering, 49, 30)).unwrap_err();
    votes.store(with(recovering, 60, 30)).unwrap();
    votes.store(with(recovering, 60, 29)).unwrap_err();
    votes.store(with(Standing::Intact, 61, 29)).unwrap_err();
}

/// A1: the file that takes the place of a lost one says so from its first moment.
#[test]
fn a_crash_leaves_no_new_file_without_its_first_record() {
    let lost = VoteRecord::lost(network(1));
    for at in 0..20 {
        let disk = SimDisk::fail_at(at, Fault::Crash);
        let create = VoteFile::create_on(Arc::new(disk.clone()), &path(), Some(lost));
        let survived = disk.after_crash(&mut Random(at));
        match (create, open(&survived)) {
            (_, Ok(votes)) => assert_eq!(votes.record(&network(1)), Some(lost), "{at}"),
            (Err(_), Err(VoteFileError::File { source, .. })) => {
                assert!(matches!(source, SlotFileError::Missing), "{at}: {source}");
            }
            (_, Err(error)) => panic!("{at}: {error}"),
        }
    }
}

/// A1: what the key has signed on its other networks is lost with the file too.
#[test]
fn a_file_that_replaces_a_lost_one_knows_no_network_as_new() {
    let disk = SimDisk::default();
    let first = Some(VoteRecord::lost(network(1)));
    drop(VoteFile::create_on(Arc::new(disk.clone()), &path(), first).unwrap());
    let mut votes = open(&disk).unwrap();
    assert_eq!(
        votes.record(&network(2)),
        Some(VoteRecord::lost(network(2)))
    );
    // a network that this host has just made
    let new = VoteRecord::never_signed(network(3));
    votes.store(new).unwrap();
    let votes = open(&disk).unwrap();
    assert_eq!(votes.record(&network(3)), Some(new));
    assert_eq!(
        votes.record(&network(2)),
        Some(VoteRecord::lost(network(2)))
    );
    assert_eq!(
        create(&SimDisk::default()).unwrap().record(&network(2)),
        None
    );
}

#[test]
fn every_standing_is_read_back() {
    let floor = Ballot(1 << 40);
    let standings = [
        Standing::Intact,
        Standing::Abstains(None),
        Standing::Abstains(Some(floor)),
        Standing::Recovering(floor),
    ];
    for standing in standings {
        let disk = SimDisk::default();
        let mut stored = record(1, 8, 3);
        stored.voter.standing = standing;
        create(&disk).unwrap().store(stored).unwrap();
        assert_eq!(open(&disk).unwrap().record(&network(1)), Some(stored));
    }
}

#[test]
fn power_loss_at_any_operation_takes_no_stored_record_back() {
    let steps = |disk: &SimDisk| {
        let mut stored = None;
        let Ok(mut votes) = create(disk) else {
            return stored;
        };
        for slot in 1..6 {
            if votes.store(record(1, slot, 1)).is_err() {
                break;
            }
            stored = Some(slot);
        }
        stored
    };
    let whole = SimDisk::default();
    assert_eq!(steps(&whole), Some(5));
    for at in 1..=whole.operations() {
        for seed in 0..20 {
            let disk = SimDisk::fail_at(at, Fault::Crash);
            let stored = steps(&disk);
            let survived = disk.after_crash(&mut Random(seed));
            let found = match open(&survived) {
                Ok(votes) => votes.record(&network(1)).map(|r| r.last_sealed_slot),
                Err(error) => {
                    assert!(error.to_string().ends_with("is missing"), "{error}");
                    None
                }
            };
            assert!(found >= stored, "operation {at} seed {seed}: {found:?}");
        }
    }
}

/// One copy as the version before votes wrote it: the two took turns.
fn copy_before(sequence: u64, records: &[VoteRecord]) -> Vec<u8> {
    let mut bytes = b"ccvotes\x01".to_vec();
    bytes.extend(sequence.to_be_bytes());
    bytes.extend((records.len() as u32).to_be_bytes());
    for record in records {
        bytes.extend(record.genesis_id.as_bytes());
        bytes.extend(record.last_sealed_slot.to_be_bytes());
        bytes.extend(record.last_sealed_number.to_be_bytes());
    }
    let checksum = sha256(&[&bytes]);
    bytes.extend(checksum.as_bytes());
    bytes.resize(ROOM, 0);
    bytes
}

#[test]
fn files_of_the_version_before_votes_open_at_their_newest_record_and_then_hold_it_twice() {
    let (older, newer) = (record(1, 7, 3), record(1, 8, 3));
    let disk = SimDisk::default();
    create(&disk).unwrap();
    let files = [
        ([copy_before(6, &[older]), copy_before(7, &[newer])], newer),
        ([copy_before(8, &[newer]), copy_before(7, &[older])], newer),
        ([copy_before(1, &[newer]), vec![0; ROOM]], newer),
        ([vec![7; ROOM], copy_before(2, &[older])], older),
    ];
    for (copies, expected) in files {
        let disk = disk.with_content(&path(), &copies.concat());
        let found = open(&disk).unwrap().record(&network(1));
        assert_eq!(found, Some(expected));
        let bytes = disk.content(&path());
        let used = 20 + 113 + 32;
        assert_eq!(bytes[7], 2);
        assert_eq!(bytes[..used], bytes[ROOM..ROOM + used]);
    }
}

#[test]
fn errors_name_the_file_and_what_is_wrong() {
    let text = |error: VoteFileError| error.to_string();
    let disk = SimDisk::default();
    assert_eq!(
        text(open(&disk).err().unwrap()),
        "the vote file /keys/votes is missing"
    );
    create(&disk).unwrap();
    let error = create(&disk).err().unwrap();
    assert_eq!(text(error), "the vote file /keys/votes exists already");
    let mut later = copy_before(1, &[]);
    later[7] = 3;
    let covered = 7 + 1 + 8 + 4;
    let checksum = sha256(&[&later[..covered]]);
    later[covered..covered + 32].copy_from_slice(checksum.as_bytes());
    let error = open(&disk.with_content(&path(), &later.repeat(2)))
        .err()
        .unwrap();
    assert_eq!(
        text(error),
        "the vote file /keys/votes has version 3, expected 2"
    );
    let error = open(&disk.with_content(&path(), &[1; 50])).err().unwrap();
    assert!(matches!(
        error,
        VoteFileError::File { source: SlotFileError::Damaged, ref path } if path == Path::new("/keys/votes")
    ));
}
