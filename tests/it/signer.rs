//! Nodes whose key is held by a program: no private key lies on their disk.

use super::support::{Net, Node, Place, genesis, request, wait_for};
use serde_json::{Value, json};
use std::{fs, path::PathBuf, process::Command};

/// A network of one validator that makes a block for every transaction.
fn lone() -> String {
    genesis(&json!({"min_bound": 1}), 200, &[])
}

fn can_fake() -> bool {
    let found = Command::new("python3")
        .args(["-c", "import cryptography"])
        .output();
    let found = found.is_ok_and(|output| output.status.success());
    if !found {
        println!("SKIPPED: no python3 with cryptography");
    }
    found
}

/// Writes the setting.
fn set_signer(place: &Place, signer: &Value) {
    let file = place.path("ccoin.json");
    let text = fs::read_to_string(&file).unwrap();
    let (start, rest) = text.split_once("\n{\n").unwrap();
    fs::write(&file, format!("{start}\n{{\n\"signer\": {signer},\n{rest}")).unwrap();
}

/// Moves the key out of the data directory and lets the fake signer hold it.
fn hand_over(place: &Place, options: &[&str]) -> PathBuf {
    let key = place.path("elsewhere.pem");
    fs::rename(place.data(".keys/id_rsa"), &key).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/signers/fake.py");
    let mut command = vec!["python3", script, key.to_str().unwrap()];
    command.extend(options);
    set_signer(place, &json!({"command": command, "timeout_ms": 20_000}));
    key
}

fn payment() -> Value {
    json!({"sendto_address": "0000000000000000000000000000000000000001", "amount": 1})
}

fn why(node: &Node) -> String {
    let why = node.get("/v1/why")["sentence"].take();
    why.as_str().unwrap().to_owned()
}

#[test]
fn a_validator_without_a_private_key_makes_blocks_final_and_ends_in_order() {
    if !can_fake() {
        return;
    }
    let place = Place::network(&lone());
    hand_over(&place, &[]);
    let said = place.ok("cnode", &["--check", "-t", "validator"]);
    assert!(said.contains("signed a test message in "), "{said}");
    let mut node = place.start(&[]);
    node.said("the signer says: the fake signer is up");
    node.said("works: a signature in ");
    node.reach(1);
    assert_eq!(node.pay(&payment()).status, 200);
    wait_for("a final block", || {
        let status = node.get("/v1/status");
        (status["final"]["number"].as_u64() >= Some(2)).then_some(())
    });
    let (code, _) = node.stop();
    assert_eq!(code, Some(0), "{}", node.rest());
}

#[test]
fn a_node_whose_signer_fails_follows_and_says_why_and_goes_on_when_it_is_back() {
    if !can_fake() {
        return;
    }
    let mut net = Net::found(&json!({"min_bound": 1, "allow_empty": true}), 400, 2, 0);
    let fault = net.places[1].path("fault");
    let flag = fault.to_str().unwrap().to_owned();
    hand_over(
        &net.places[1],
        &["--fault", "garbage", "--while-exists", &flag],
    );
    net.start_all();
    let height = net.node(0).height();
    net.node(1).reach(height + 2);

    fs::write(&fault, "").unwrap();
    let answer = wait_for("a node that is not ready", || {
        let answer = request(net.node(1).http, "GET", "/readyz", &[], "").unwrap();
        let told = answer.body.contains("this node's signer does not sign");
        told.then_some(answer)
    });
    assert_eq!(answer.status, 503, "{}", answer.body);
    let sentence = why(net.node(1));
    assert!(
        sentence.contains("a signature that is not by the key of"),
        "{sentence}"
    );
    assert!(sentence.contains("mend the program"), "{sentence}");
    let refused = net.node(1).pay(&payment());
    assert_eq!(refused.status, 503, "{}", refused.body);
    // It goes on to follow the other one.
    let height = net.node(0).height();
    net.node(1).reach(height + 3);
    let failed = net.places[1].run("cnode", &["--check"]);
    assert_eq!(failed.status.code(), Some(9));

    fs::remove_file(&fault).unwrap();
    let node = net.nodes[1].as_mut().unwrap();
    node.ready();
    let last_final = node.get("/v1/status")["final"]["number"].as_u64().unwrap();
    wait_for("finality with the votes of both", || {
        let now = net.node(0).get("/v1/status")["final"]["number"].as_u64();
        (now > Some(last_final + 1)).then_some(())
    });
    let own = net.places[1].address.clone();
    wait_for("a block of the node whose signer is back", || {
        let status = net.node(0).get("/v1/status");
        (status["head"]["coinbase"] == own.as_str()).then_some(())
    });
}

#[test]
fn a_start_with_a_dead_signer_is_a_node_that_follows_and_ends_at_once() {
    let place = Place::network(&lone());
    fs::remove_file(place.data(".keys/id_rsa")).unwrap();
    set_signer(
        &place,
        &json!({"command": ["/bin/sh", "-c", "echo no card >&2; exit 1"]}),
    );
    let mut node = place.spawn(&[]);
    node.http_port();
    node.said("the signer says: no card");
    node.said("not ready: this node's signer does not sign");
    let readyz = request(node.http, "GET", "/readyz", &[], "").unwrap();
    assert_eq!(readyz.status, 503, "{}", readyz.body);
    let (code, _) = node.stop();
    assert_eq!(code, Some(0), "{}", node.rest());
}

#[test]
fn the_account_of_a_key_elsewhere_is_made_from_its_public_key() {
    let mut place = Place::new(&lone());
    let other = Place::network(&lone());
    let public = other.data(".keys/id_rsa.pub");
    let options = ["--public-key", public.to_str().unwrap(), "--update-config"];
    let said = place.ok(
        "create-account",
        &[&options[..], &["--update-genesis", "genesis.json"]].concat(),
    );
    assert!(said.contains(&other.address), "{said}");
    place.address.clone_from(&other.address);
    let twice = place.run("create-account", &options);
    assert_eq!(twice.status.code(), Some(8), "nothing is written over");

    let without = place.run("initc", &[]);
    assert_eq!(without.status.code(), Some(3), "no key and no signer");
    set_signer(&place, &json!({"command": []}));
    let empty = place.run("initc", &[]);
    assert_eq!(empty.status.code(), Some(3));
    let empty = String::from_utf8_lossy(&empty.stderr).into_owned();
    assert!(empty.contains("names no program"), "{empty}");

    let file = place.path("ccoin.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        text.replace("\"command\":[]", "\"command\":[\"true\"]"),
    )
    .unwrap();
    place.ok("initc", &[]);
    // A public key that somebody has exchanged is not the account's.
    let foreign = Place::network(&lone());
    fs::copy(
        foreign.data(".keys/id_rsa.pub"),
        place.data(".keys/id_rsa.pub"),
    )
    .unwrap();
    let exchanged = place.run("cnode", &["--check"]);
    assert_eq!(exchanged.status.code(), Some(3));
    let said = String::from_utf8_lossy(&exchanged.stderr).into_owned();
    assert!(
        said.contains(&format!("belongs to {}", foreign.address)),
        "{said}"
    );
}

/// The script for PKCS#11, with SoftHSM from Debian.
#[test]
fn a_key_in_a_pkcs11_token_signs_for_a_validator() {
    let module = "/usr/lib/softhsm/libsofthsm2.so";
    let python = Command::new("/usr/bin/python3")
        .args(["-c", "import PyKCS11"])
        .output();
    if !python.is_ok_and(|output| output.status.success()) || fs::metadata(module).is_err() {
        println!("SKIPPED: no softhsm2 with python3-pykcs11");
        return;
    }
    let mut place = Place::new(&lone());
    let tokens = place.path("tokens");
    fs::create_dir(&tokens).unwrap();
    let conf = place.path("softhsm2.conf");
    fs::write(
        &conf,
        format!("directories.tokendir = {}\n", tokens.display()),
    )
    .unwrap();
    fs::write(place.path("pin"), "4321\n").unwrap();
    let run = |program: &str, options: &[&str]| {
        let mut command = Command::new(program);
        let output = command
            .args(options)
            .env("SOFTHSM2_CONF", &conf)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {options:?}: {said}");
        output.stdout
    };
    let token = [
        "--init-token",
        "--free",
        "--label",
        "ccoin",
        "--so-pin",
        "1234",
        "--pin",
        "4321",
    ];
    run("softhsm2-util", &token);
    let login = [
        "--module",
        module,
        "--login",
        "--pin",
        "4321",
        "--keypairgen",
    ];
    let kind = ["--key-type", "rsa:2048", "--label", "validator"];
    run("pkcs11-tool", &[&login[..], &kind].concat());

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/crates/home/signers/pkcs11.py");
    let pin = place.path("pin");
    let named = [
        "/usr/bin/python3",
        script,
        "--module",
        module,
        "--token",
        "ccoin",
        "--key",
        "validator",
        "--pin-file",
        pin.to_str().unwrap(),
    ];
    let pem = run(named[0], &[&named[1..], &["--public-key"]].concat());
    fs::write(place.path("hsm.pem"), pem).unwrap();
    let said = place.ok(
        "create-account",
        &[
            "--public-key",
            "hsm.pem",
            "--update-config",
            "--update-genesis",
            "genesis.json",
        ],
    );
    place.address = said.trim_end().rsplit('=').next().unwrap().to_owned();
    let wrapped = format!("SOFTHSM2_CONF={} exec \"$@\"", conf.display());
    let command: Vec<&str> = ["/bin/sh", "-c", &wrapped, "sh"]
        .iter()
        .chain(&named)
        .copied()
        .collect();
    set_signer(&place, &json!({"command": command}));
    place.ok("initc", &[]);
    place.ok("cnode", &["--check", "-t", "validator"]);
    let mut node = place.start(&[]);
    assert_eq!(node.pay(&payment()).status, 200);
    node.reach(2);
    assert_eq!(node.stop().0, Some(0), "{}", node.rest());
    assert!(!place.data(".keys/id_rsa").exists());
}
