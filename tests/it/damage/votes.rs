//! The vote file of a validator: kept, lost, damaged.

use super::*;

/// As after a kill between the two: the mark is on disk, the block is not.
#[test]
fn a_turn_that_was_signed_for_is_never_signed_again() {
    let (mut settled, mut node) = Settled::new();
    let genesis_id = node.genesis_id();
    node.kill();
    let mut votes = VoteFile::open(&settled.place.data(".keys/votes")).unwrap();
    let last_sealed_slot = slot_now() + 1;
    votes
        .store(VoteRecord {
            genesis_id,
            last_sealed_slot,
            last_sealed_number: 5,
        })
        .unwrap();
    let node = settled.place.start(&[]);
    settled.send(&node, 1);
    node.reach(5);
    let slot = slot_of(&node, 5);
    assert!(slot > last_sealed_slot, "{slot} {last_sealed_slot}");
}

#[test]
fn without_a_sound_vote_file_blocks_are_signed_from_the_next_slot_on() {
    let votes = |settled: &Settled| settled.place.data(".keys/votes");
    for damaged in [false, true] {
        let (mut settled, mut node) = Settled::new();
        node.kill();
        if damaged {
            garbage(&votes(&settled));
        } else {
            fs::remove_file(votes(&settled)).unwrap();
        }
        // Early in a slot, so that a block in it would be possible.
        wait_for("the start of a slot", || {
            let since = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_millis() as u64;
            (since % SLOT_MS < SLOT_MS / 4).then_some(())
        });
        let before = slot_now();
        let mut node = settled.place.spawn(&[]);
        let line = node.line("the vote file");
        assert!(
            line.contains("makes no block before the slot after the next"),
            "{line}"
        );
        node.ready();
        settled.send(&node, 1);
        node.reach(5);
        assert!(slot_of(&node, 5) > before);
        assert_eq!(settled.place.data(".keys/votes.damaged").exists(), damaged);
        assert_eq!(node.stop().0, Some(0));
        VoteFile::open(&votes(&settled)).unwrap();
    }
}
