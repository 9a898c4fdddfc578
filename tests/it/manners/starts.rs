//! Starts that something stands against.

use super::*;

#[test]
fn a_second_initc_keeps_the_chain_unless_forced() {
    let place = Place::network(&quiet());
    let before = files(&place.data("chain/blocks"));
    let words = ["already", "nothing was changed", "initc --force"];
    refused(&place, "initc", &[], 8, &words);
    let id = |line: String| {
        line.trim_end()
            .rsplit_once("pow_hash=")
            .unwrap()
            .1
            .to_owned()
    };
    let new = id(place.ok("initc", &["--force", "--out", "block1"]));
    assert_ne!(files(&place.data("chain/blocks")), before);
    let mut node = place.start(&[]);
    assert_eq!(node.genesis_id().to_string(), new);
    refused_beside(&place, "initc", &["--force"], 8, &[&node.pid().to_string()]);
    assert_eq!(node.stop().0, Some(0));

    // The block installs the same chain on a host that did not mine it.
    let mut other = Place::new(&quiet());
    other.make_account();
    fs::copy(place.path("block1"), other.path("block1")).unwrap();
    let line = other.ok("initc", &["-g", "block1"]);
    assert!(
        line.starts_with("Genesis block has been installed"),
        "{line}"
    );
    assert_eq!(id(line), new);
    let words = ["is not a miner", "cnode -t basic"];
    refused(&other, "cnode", &["-t", "validator", "-p", "0"], 3, &words);
    let mut basic = Node::spawn(&mut other.command("cnode", &["-p", "0"]), &other.data(""));
    basic.ready();
    assert_eq!(basic.genesis_id().to_string(), new);
    assert_eq!(basic.stop().0, Some(0));
}

#[test]
fn a_start_checks_chain_key_and_files_first() {
    let mut place = Place::new(&quiet());
    place.make_account();
    let start = ["-t", "validator", "-p", "0"];
    assert!(
        place
            .ok("cnode", &["--check"])
            .contains("block 1 will come from a peer")
    );
    // Without a chain it waits, says so, and answers.
    let mut waiting = place.spawn(&[]);
    waiting.line("no chain in");
    waiting.http_port();
    let status = waiting.get("/v1/status");
    assert_eq!(
        (&status["state"], &status["height"]),
        (&"g".into(), &0.into())
    );
    assert_eq!(waiting.height(), 0);
    let answer = request(waiting.http, "GET", "/readyz", &[], "").unwrap();
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(
        answer.body.contains("no peer is connected"),
        "{}",
        answer.body
    );
    assert_eq!(waiting.stop().0, Some(0));
    place.ok("initc", &[]);

    let before = files(&place.path(""));
    let checked = place.ok("cnode", &["--check", "-t", "validator"]);
    for word in [&place.address, "2048 bits", "ccoin.json", "genesis"] {
        assert!(checked.contains(word), "{checked}");
    }
    assert_eq!(files(&place.path("")), before, "--check changes nothing");

    let zeros = "0".repeat(64);
    let other = format!("\"genesis_id\": \"{zeros}\", \"peers\": []");
    replace(&place, "ccoin.json", "\"peers\": []", &other);
    refused(
        &place,
        "cnode",
        &start,
        3,
        &["genesis", &zeros, "nothing was changed", "ccoin.json"],
    );
    replace(&place, "ccoin.json", &other, "\"peers\": []");

    refused(
        &place,
        "cnode",
        &["-p", "0", "--ready-file", "none/ready"],
        3,
        &["none/ready"],
    );
    let key = place.data(".keys/id_rsa");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    refused(&place, "cnode", &start, 3, &["mode 0644", "chmod 600"]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(&key, place.data(".keys/away")).unwrap();
    let words = ["no key", "id_rsa", "from your backup", "another account"];
    refused(&place, "cnode", &start, 3, &words);
    refused(&place, "initc", &["--force"], 3, &words);
    fs::rename(place.data(".keys/away"), &key).unwrap();
    let elsewhere = "\"base_path\": \"elsewhere\"";
    replace(
        &place,
        "ccoin.json",
        "\"base_path\": \"~/.ccoin\"",
        elsewhere,
    );
    let words = [
        "elsewhere",
        "does not exist",
        "app.base_path",
        "from your backup",
    ];
    refused(&place, "cnode", &start, 3, &words);
    refused(&place, "initc", &[], 3, &words);
    replace(
        &place,
        "ccoin.json",
        elsewhere,
        "\"base_path\": \"~/.ccoin\"",
    );
    fs::create_dir(place.data("chain/blocks.away")).unwrap();
    assert_eq!(place.start(&[]).stop().0, Some(0));
}

#[test]
fn a_network_without_a_miner_here_is_told() {
    let mut place = Place::new(&quiet());
    place.make_account();
    let miner = std::mem::take(&mut place.address);
    place.make_account_only();
    let here = format!("{}, is none of the 1 miners", place.address);
    let founded = place.run("initc", &[]);
    let said = message(&founded);
    assert_eq!(founded.status.code(), Some(0), "{said}");
    assert!(
        said.contains(&here) && !said.contains("no key of a miner"),
        "{said}"
    );
    assert_eq!(said.matches("blocks go on with").count(), 1, "{said}");

    fs::remove_dir_all(place.path(".ccoin").join(miner)).unwrap();
    for (program, options) in [("initc", &["--check"][..]), ("cnode", &["--check"])] {
        let said = message(&place.run(program, options));
        assert!(
            said.contains(&here) && said.contains("no key of a miner"),
            "{said}"
        );
    }
    let mut basic = Node::spawn(&mut place.command("cnode", &["-p", "0"]), &place.data(""));
    basic.line("is none of the 1 miners");
    basic.line("no key of a miner");
    // It hears signals from here on.
    basic.http_port();
    assert_eq!(basic.stop().0, Some(0));
}

#[test]
fn a_locked_key_opens_with_its_passphrase_only() {
    let mut place = Place::new(&quiet());
    fs::write(place.path("right"), "open sesame\n").unwrap();
    fs::write(place.path("wrong"), "open\n").unwrap();
    let options = [
        "--update-config",
        "--update-genesis",
        "genesis.json",
        "--passphrase-file",
        "right",
    ];
    let line = place.ok("create-account", &options);
    place.address = line.trim_end().rsplit_once('=').unwrap().1.to_owned();
    place.ok("initc", &[]);
    refused(
        &place,
        "cnode",
        &["-p", "0"],
        9,
        &["locked", "--passphrase-file"],
    );
    refused(
        &place,
        "cnode",
        &["-p", "0", "--passphrase-file", "wrong"],
        9,
        &["wrong passphrase"],
    );
    refused(
        &place,
        "cnode",
        &["-p", "0", "--passphrase-file", "none"],
        9,
        &["none"],
    );
    let mut node = place.start(&["--passphrase-file", "right"]);
    assert_eq!(node.stop().0, Some(0));
    let log = node.rest();
    assert!(!log.contains("sesame"), "{log}");
}

#[test]
fn a_port_in_use_is_named_and_no_process_stays() {
    let place = Place::network(&quiet());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let words = [&*format!("port {port} on 127.0.0.1 is taken"), "cnode -p 0"];
    refused(
        &place,
        "cnode",
        &["-h", "127.0.0.1", "-p", &port],
        8,
        &words,
    );
    let words = [
        &*format!("port {port} on 127.0.0.1 is taken (HTTP API)"),
        "try: cnode",
    ];
    refused(
        &place,
        "cnode",
        &["-p", "0", "--http-port", &port],
        8,
        &words,
    );
    let odd = ["-p", "0", "--http-host", "no host"];
    refused(&place, "cnode", &odd, 3, &["no host"]);
    // Nothing is left that could stand in the way.
    assert_eq!(place.start(&["-h", "127.0.0.1"]).stop().0, Some(0));
}

#[test]
fn a_second_process_is_refused_and_told_the_first() {
    let place = Place::network(&quiet());
    let node = place.start(&[]);
    let pid = node.pid().to_string();
    refused_beside(
        &place,
        "cnode",
        &["-t", "validator", "-p", "0"],
        8,
        &[&pid, "kill"],
    );
    for lock in [".keys/lock", "chain/lock"] {
        assert_eq!(fs::read_to_string(place.data(lock)).unwrap().trim(), pid);
    }
    assert_eq!(node.height(), 1, "the first one is not disturbed");
}
