//! `ccoin export`, `import`, `backup`, `restore`: nothing of a bad file counts, no chain is written
//! over, and what was interrupted goes on.

use super::{
    tools::{ccoin, done, log_of, refused, stranger},
    *,
};
use ccoin_core::consensus::voter_record::Standing;
use std::{thread, time::Duration};

#[test]
fn an_exported_chain_is_imported_elsewhere_whole_and_in_pieces() {
    let (mut settled, mut node) = Settled::new();
    // Those that are in blocks.
    settled.ids.truncate(9);
    let answers = settled.answers(&node);
    let network = node.genesis_id().to_string();
    let file = settled.place.path("blocks");
    let name = file.to_str().unwrap();
    refused(&settled.place, &["export", name], 8, &["stop it first"]);
    assert!(!file.exists());
    assert_eq!(node.stop().0, Some(0));
    let made = done(&settled.place, &["export", name]);
    assert_eq!(
        (&made["final"]["number"], &made["genesis_id"]),
        (&json!(4), &json!(network))
    );
    refused(
        &settled.place,
        &["export", name],
        8,
        &["nothing is written over"],
    );
    let again = settled.place.path("again");
    done(&settled.place, &["export", again.to_str().unwrap()]);
    let whole = fs::read(&file).unwrap();
    assert!(
        fs::read(&again).unwrap() == whole,
        "equal chains make equal files"
    );

    let other = stranger();
    refused(&other, &["import", "none"], 4, &["cannot read none"]);
    let wrong = "0".repeat(64);
    refused(
        &other,
        &["import", name, "--genesis", &wrong],
        3,
        &["nothing was changed"],
    );
    assert!(!other.data("chain/blocks").exists());
    // Cut off and damaged files: what comes before is taken, and nothing twice.
    let bad = other.path("bad");
    let bad_name = bad.to_str().unwrap();
    let mut random = whole.len() as u64;
    println!("seed {random}");
    for _ in 0..12 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let at = (random >> 33) as usize % whole.len();
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (random % 8);
        for bytes in [&whole[..at], &flipped[..]] {
            fs::write(&bad, bytes).unwrap();
            let (code, _, said) = ccoin(&other, &["import", bad_name]);
            // One byte of the twelve is the version.
            assert!([1, 10].contains(&code), "{at}: {code} {said}");
            assert!(code == 10 || at == 11, "{at}: {said}");
        }
    }
    for pause in 0..15 {
        let mut import = other.command("ccoin", &["import", name]).spawn().unwrap();
        thread::park_timeout(Duration::from_millis(pause * 2));
        import.kill().unwrap();
        import.wait().unwrap();
    }
    let imported = done(&other, &["import", name, "--genesis", &network]);
    assert_eq!(
        (&imported["height"], &imported["final"]),
        (&json!(4), &json!(4))
    );
    assert_eq!(imported["abstains"], false);
    let imported = done(&other, &["import", name]);
    assert_eq!(imported["added"], 0, "they are here");
    assert_eq!(done(&other, &["check"])["blocks"], 4);
    let mut command = other.command("cnode", &["-p", "0"]);
    let mut node = Node::spawn(&mut command, &other.data(""));
    node.http_port();
    wait_for("the index", || {
        let last = settled.ids[8].clone();
        let answer = request(node.http, "GET", &format!("/v1/txns/{last}"), &[], "").ok()?;
        (answer.status == 200).then_some(())
    });
    assert_eq!(settled.answers(&node), answers);
    assert_eq!(node.stop().0, Some(0));

    // A file of another network does not go into it.
    let (elsewhere, mut node) = Settled::new();
    assert_eq!(node.stop().0, Some(0));
    let log = fs::read(log_of(&elsewhere)).unwrap();
    refused(
        &elsewhere.place,
        &["import", name],
        3,
        &["nothing was changed"],
    );
    assert!(fs::read(log_of(&elsewhere)).unwrap() == log);
}

#[test]
fn a_restored_chain_is_whole_and_its_key_votes_only_when_that_is_safe() {
    let (mut settled, mut node) = Settled::new();
    let genesis_id = node.genesis_id();
    let file = settled.place.path("backup");
    let name = file.to_str().unwrap();
    let made = done(&settled.place, &["backup", name]);
    assert_eq!(made["final"]["number"], 4, "while the node runs");
    // The key goes on to vote.
    settled.send(&node, 1);
    node.reach(5);
    refused(
        &settled.place,
        &["restore", name],
        8,
        &["stop the other one"],
    );
    assert_eq!(node.stop().0, Some(0));
    refused(
        &settled.place,
        &["restore", name],
        8,
        &["never written over"],
    );
    let chain = settled.place.data("chain");
    fs::rename(&chain, settled.place.path("lost")).unwrap();

    let whole = fs::read(&file).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 6 + 1) {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        for bytes in [&bytes[..], &whole[..at]] {
            let bad = settled.place.path("bad");
            fs::write(&bad, bytes).unwrap();
            refused(
                &settled.place,
                &["restore", bad.to_str().unwrap()],
                10,
                &["good copy"],
            );
            assert!(
                !chain.join("blocks").exists(),
                "nothing of a bad file counts"
            );
        }
    }
    let standing = |settled: &Settled| {
        let votes = VoteFile::open(&settled.place.data(".keys/votes")).unwrap();
        votes.record(&genesis_id).unwrap().voter.standing
    };
    assert_eq!(
        standing(&settled),
        Standing::Intact,
        "only a restore changes votes"
    );
    let (code, told, said) = ccoin(&settled.place, &["restore", name]);
    assert_eq!(code, 0, "{said}");
    assert!(told.contains("final up to block 4"), "{told}");
    assert!(
        told.contains("gives no votes") && told.contains("recover-votes"),
        "{told}"
    );
    assert_eq!(standing(&settled), Standing::Abstains(None));
    assert_eq!(done(&settled.place, &["check"])["height"], 4);

    let mut node = settled.place.spawn(&[]);
    node.http_port();
    wait_for("the reason", || {
        let answer = request(node.http, "GET", "/v1/why", &[], "").ok()?;
        answer.json()["sentence"]
            .as_str()?
            .contains("vote file")
            .then_some(())
    });
    assert_eq!(node.height(), 4, "it makes no block");
    assert_eq!(node.stop().0, Some(0));
    settled
        .place
        .ok("cnode", &["recover-votes", "--no-other-copy"]);
    let node = settled.place.start(&[]);
    settled.ids.truncate(9);
    settled.send(&node, 3);
    node.reach(5);
}
