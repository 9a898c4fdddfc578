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
    let mut record = votes.record(&genesis_id).unwrap();
    (record.last_sealed_slot, record.last_sealed_number) = (last_sealed_slot, 5);
    votes.store(record).unwrap();
    let node = settled.place.start(&[]);
    settled.send(&node, 1);
    node.reach(5);
    let slot = slot_of(&node, 5);
    assert!(slot > last_sealed_slot, "{slot} {last_sealed_slot}");
}

/// Nobody can tell what the key of the only validator has made final: its node waits for the
/// operator, and says so.
#[test]
fn without_a_sound_vote_file_a_lone_validator_waits_for_its_operator() {
    let votes = |settled: &Settled| settled.place.data(".keys/votes");
    for damaged in [false, true] {
        let (mut settled, mut node) = Settled::new();
        node.kill();
        if damaged {
            garbage(&votes(&settled));
        } else {
            fs::remove_file(votes(&settled)).unwrap();
        }
        let before = slot_now();
        let mut node = settled.place.spawn(&[]);
        node.line("a new one is made");
        node.line("the key gives no votes until that is safe");
        node.http_port();
        let sentence = wait_for("the reason", || {
            // The chain is read first.
            let answer = request(node.http, "GET", "/v1/why", &[], "").ok()?;
            let why = answer.json()["sentence"].as_str()?.to_owned();
            why.contains("vote file").then_some(why)
        });
        assert!(sentence.contains("cnode recover-votes"), "{sentence}");
        wait_for("state b", || {
            (node.get("/v1/status")["state"] == "b").then_some(())
        });
        assert_eq!(node.get("/v1/status")["final"]["number"], 4);
        assert_eq!(node.stop().0, Some(0));
        assert_eq!(settled.place.data(".keys/votes.damaged").exists(), damaged);

        let output = settled.place.run("cnode", &["recover-votes"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("--no-other-copy"), "{said}");
        let said = settled
            .place
            .ok("cnode", &["recover-votes", "--no-other-copy"]);
        assert!(said.contains("locked on block 4"), "{said}");
        let node = settled.place.start(&[]);
        settled.send(&node, 1);
        node.reach(5);
        assert!(slot_of(&node, 5) > before + 1);
        wait_for("block 5 to be final", || {
            (node.get("/v1/status")["final"]["number"] == 5).then_some(())
        });
        // The record is whole again.
        let mut node = node;
        assert_eq!(node.stop().0, Some(0));
        let said = settled
            .place
            .ok("cnode", &["recover-votes", "--no-other-copy"]);
        assert!(said.contains("nothing to do"), "{said}");
    }
}

/// The blocks of today are none of the future: nothing is taken out of a sound chain.
#[test]
fn blocks_of_the_future_are_dropped_only_where_there_are_some() {
    let (settled, mut node) = Settled::new();
    let command = ["drop-future-blocks", "--no-other-copy"];
    let said = |arguments: &[&str]| {
        let output = settled.place.run("cnode", arguments);
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, text) = said(&command);
    assert!(
        code != Some(0) && text.contains("stop the node first"),
        "{text}"
    );
    node.kill();
    let (code, text) = said(&command[..1]);
    assert!(
        code == Some(3) && text.contains("--no-other-copy"),
        "{text}"
    );
    let text = settled.place.ok("cnode", &command);
    assert!(text.contains("nothing to do"), "{text}");
    let node = settled.place.start(&[]);
    assert_eq!(node.get("/v1/status")["final"]["number"], 4);
}

/// A1: the file that replaces a lost one vouches for no network but one that is new.
#[test]
fn a_key_whose_vote_file_was_lost_may_vote_on_a_new_network_at_once() {
    let (settled, mut node) = Settled::new();
    node.kill();
    fs::remove_file(settled.place.data(".keys/votes")).unwrap();
    let mut node = settled.place.spawn(&[]);
    node.line("a new one is made");
    node.http_port();
    assert_eq!(node.stop().0, Some(0));
    settled.place.ok("initc", &["--force"]);
    let node = settled.place.start(&[]);
    assert_eq!(node.get("/v1/status")["state"], "r");
}

/// A clock that was wrong once has made the key sign for the year 2100.
#[test]
fn a_vote_file_from_the_future_is_told_of_and_can_be_replaced() {
    let (mut settled, mut node) = Settled::new();
    let genesis_id = node.genesis_id();
    node.kill();
    let path = settled.place.data(".keys/votes");
    let mut votes = VoteFile::open(&path).unwrap();
    let mut record = votes.record(&genesis_id).unwrap();
    (record.last_sealed_slot, record.last_sealed_number) = (slot_now() * 3, 5);
    votes.store(record).unwrap();
    drop(votes);
    let mut node = settled.place.spawn(&[]);
    let line = node.line("not ready: the vote file says that this key has signed for the next");
    assert!(
        line.contains("cnode recover-votes --no-other-copy"),
        "{line}"
    );
    node.http_port();
    wait_for("the reason", || {
        // The chain is read first.
        let answer = request(node.http, "GET", "/readyz", &[], "").ok()?;
        (answer.status == 503 && answer.body.contains("vote file")).then_some(())
    });
    assert_eq!(node.stop().0, Some(0));
    let said = settled
        .place
        .ok("cnode", &["recover-votes", "--no-other-copy"]);
    assert!(said.contains("locked on block 4"), "{said}");
    let mut node = settled.place.start(&[]);
    settled.send(&node, 1);
    node.reach(5);
    node.ready();
}
