//! `ccoin check`, `export`, `import`, `backup`, `restore`: they say what is wrong and where, never
//! write over a chain, and go on where they were interrupted.

use super::{full_disk::SmallDisk, *};
use ccoin_core::{block::Block, consensus::voter_record::Standing};
use std::{thread, time::Duration};

/// Exit code, stdout and stderr.
fn ccoin(place: &Place, options: &[&str]) -> (i32, String, String) {
    let output = place.run("ccoin", options);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (told, said) = (text(output.stdout), text(output.stderr));
    assert!(!said.contains("panicked"), "{said}");
    (output.status.code().unwrap(), told, said)
}

/// The line of JSON of a command that must end well.
fn done(place: &Place, options: &[&str]) -> Value {
    let options = [options, &["--json"]].concat();
    serde_json::from_str(&place.ok("ccoin", &options)).unwrap()
}

/// What a command says that must end with this code.
fn refused(place: &Place, options: &[&str], code: i32, words: &[&str]) -> String {
    let (got, told, said) = ccoin(place, options);
    assert_eq!(got, code, "{options:?}: {told}{said}");
    let error = &said[said.find("error: ").expect(&said)..];
    assert!(error.lines().count() <= 5, "{said}");
    for word in words {
        assert!(error.contains(word), "{options:?}: no {word} in {said}");
    }
    told
}

fn log_of(settled: &Settled) -> PathBuf {
    files(&settled.place.data("chain/blocks")).swap_remove(0)
}

/// A host with an account that has no chain.
fn stranger() -> Place {
    let mut place = Place::new(&genesis(&json!({}), SLOT_MS, &[]));
    place.make_account_only();
    place
}

/// Writes the log again with other records; every checksum is good.
fn rewrite(dir: &Path, change: impl Fn(u64, &mut Block)) {
    let mut records = Vec::new();
    let read = BlockLog::open(dir, Position::START, &mut |_, kind, bytes| {
        records.push((kind, bytes.to_vec()));
        Ok::<_, StorageError>(())
    });
    drop(read.unwrap());
    fs::remove_dir_all(dir).unwrap();
    let mut log = BlockLog::create(dir).unwrap();
    for (kind, mut bytes) in records {
        if let Ok(mut block) = Block::decode(&bytes)
            && [2, 3].contains(&kind)
        {
            change(block.signed.header.number.get(), &mut block);
            bytes = encode(&block);
        }
        log.append(kind, &[&bytes]).unwrap();
    }
    log.sync().unwrap();
}

#[test]
fn a_check_finds_a_chain_good_or_names_its_first_bad_block() {
    let (settled, mut node) = Settled::new();
    let place = &settled.place;
    refused(place, &["check"], 8, &["stop it first"]);
    assert_eq!(node.stop().0, Some(0));
    let report = done(place, &["check"]);
    assert_eq!(report["good"], true);
    assert_eq!(
        (&report["height"], &report["final"]),
        (&json!(4), &json!(4))
    );
    assert_eq!(
        (&report["blocks"], &report["transactions"]),
        (&json!(4), &json!(9))
    );
    assert!(report["certificates"].as_u64().unwrap() > 0, "{report}");
    let told = place.ok(
        "ccoin",
        &["check", "--data-dir", place.data("").to_str().unwrap()],
    );
    assert!(
        told.contains("good up to block 4, final up to block 4"),
        "{told}"
    );

    // A byte of the first transaction, then of the log's beginning.
    let log = log_of(&settled);
    let whole = fs::read(&log).unwrap();
    flip(&log, offset(&log, "kept"));
    let words = [
        "block 2 is the first bad one",
        "damaged at byte",
        "put back a copy",
    ];
    let bad = fs::read(&log).unwrap();
    let told = refused(place, &["check", "--json"], 10, &words);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (&told["good"], &told["first_bad"]),
        (&json!(false), &json!(2))
    );
    assert!(fs::read(&log).unwrap() == bad, "a check changes nothing");
    fs::write(&log, &whole[..100]).unwrap();
    refused(place, &["check"], 10, &["damaged"]);
    fs::write(&log, &whole).unwrap();

    // What a start believes: good checksums over a false signature, and over a false miner's.
    let dir = place.data("chain/blocks");
    rewrite(&dir, |number, block| {
        if number == 3 {
            let other = block.transactions[1].signature.clone();
            block.transactions[0].signature = other;
        }
    });
    let words = ["block 3 is the first bad one", "transaction 0", "signature"];
    refused(place, &["check"], 7, &words);
    fs::write(&log, &whole).unwrap();
    rewrite(&dir, |number, block| {
        if number == 4 {
            block.signed.signature = block.transactions[0].signature.clone();
        }
    });
    refused(
        place,
        &["check"],
        7,
        &["block 4 is the first bad one", "bad signature of block"],
    );
    fs::write(&log, &whole).unwrap();
    assert_eq!(done(place, &["check"])["good"], true);

    // Without the miner's public key nothing is said to be good.
    fs::remove_file(place.data(".keys/id_rsa.pub")).unwrap();
    let _ = fs::remove_file(place.data("chain/keys"));
    refused(
        place,
        &["check"],
        4,
        &["the public key of miner", "cannot be checked"],
    );
    refused(&stranger(), &["check"], 4, &["there is no chain in"]);
}

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

#[test]
fn a_full_disk_stops_the_tools_and_loses_nothing() {
    let (settled, mut node) = Settled::new();
    let file = settled.place.path("backup");
    let name = file.to_str().unwrap();
    let small = settled.place.path("small");
    fs::create_dir(&small).unwrap();
    let Some(disk) = SmallDisk::below(&small, 1) else {
        return;
    };
    let filler = disk.fill();
    let on_it = small.join("backup");
    refused(
        &settled.place,
        &["backup", on_it.to_str().unwrap()],
        11,
        &["No space left on device"],
    );
    assert!(!on_it.exists());
    done(&settled.place, &["backup", name]);
    assert_eq!(node.stop().0, Some(0));
    fs::remove_file(filler).unwrap();
    settled
        .place
        .ok("ccoin", &["backup", on_it.to_str().unwrap()]);

    for command in ["import", "restore"] {
        let other = stranger();
        let disk = SmallDisk::below(&other.data(""), 40).unwrap();
        let filler = disk.fill();
        refused(&other, &[command, name], 11, &["No space left on device"]);
        assert!(!other.data("chain/blocks").exists());
        fs::remove_file(filler).unwrap();
        assert_eq!(done(&other, &[command, name])["height"], 4);
        assert_eq!(done(&other, &["check"])["good"], true);
    }
}
