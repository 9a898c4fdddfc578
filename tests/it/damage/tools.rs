//! `ccoin check`, and its neighbours on a full disk: they say what is wrong and where.

use super::{full_disk::SmallDisk, *};
use ccoin_core::block::Block;

/// Exit code, stdout and stderr.
pub(super) fn ccoin(place: &Place, options: &[&str]) -> (i32, String, String) {
    let output = place.run("ccoin", options);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (told, said) = (text(output.stdout), text(output.stderr));
    assert!(!said.contains("panicked"), "{said}");
    (output.status.code().unwrap(), told, said)
}

/// The line of JSON of a command that must end well.
pub(super) fn done(place: &Place, options: &[&str]) -> Value {
    let options = [options, &["--json"]].concat();
    serde_json::from_str(&place.ok("ccoin", &options)).unwrap()
}

/// What a command says that must end with this code.
pub(super) fn refused(place: &Place, options: &[&str], code: i32, words: &[&str]) -> String {
    let (got, told, said) = ccoin(place, options);
    assert_eq!(got, code, "{options:?}: {told}{said}");
    let error = &said[said.find("error: ").expect(&said)..];
    assert!(error.lines().count() <= 5, "{said}");
    for word in words {
        assert!(error.contains(word), "{options:?}: no {word} in {said}");
    }
    told
}

pub(super) fn log_of(settled: &Settled) -> PathBuf {
    files(&settled.place.data("chain/blocks")).swap_remove(0)
}

/// A host with an account that has no chain.
pub(super) fn stranger() -> Place {
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
        let left = other.data("chain/blocks.new");
        assert!(command == "import" || !left.exists(), "it fills the disk");
        fs::remove_file(filler).unwrap();
        assert_eq!(done(&other, &[command, name])["height"], 4);
        assert_eq!(done(&other, &["check"])["good"], true);
    }
}
