//! Documents recorded on a network of real processes and proved to somebody who has a receipt,
//! the genesis id and nothing else: with the Rust verifier, the Python one, and the page.

use crate::support::{Devnet, Place, genesis, request};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn python(place: &Place, arguments: &[&str]) -> Output {
    let program = project("crates/client/verify/ccoin_verify.py");
    let mut command = Command::new("python3");
    command.arg("-B").arg(program).args(arguments);
    command.current_dir(place.path("")).output().unwrap()
}

/// Exit code and stdout.
fn ended(output: Output) -> (i32, String) {
    let said = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), said.trim_end().to_owned())
}

#[test]
fn the_python_verifier_judges_every_vector_alike() {
    let test = project("tests/receipts/test_python.py");
    let output = Command::new("python3")
        .arg("-B")
        .arg(test)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[test]
fn the_page_judges_every_vector_alike() {
    let Ok(version) = Command::new("node").arg("--version").output() else {
        eprintln!("SKIPPED: node, which runs the script of the page, is not installed");
        return;
    };
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let major = version.trim_start_matches('v').split('.').next();
    if major.and_then(|major| major.parse().ok()).unwrap_or(0) < 20 {
        eprintln!("SKIPPED: node {version} is older than 20 and has no WebCrypto");
        return;
    }
    let test = project("tests/receipts/test_page.mjs");
    let output = Command::new("node").arg(test).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// What the page says when a browser has opened it.
fn opened(page: &Path, profile: &Path) -> Option<String> {
    let mut command = Command::new("chromium");
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]);
    command.arg("--virtual-time-budget=20000");
    command.arg(format!("--user-data-dir={}", profile.display()));
    let output = command.arg(format!("file://{}", page.display())).output();
    let page = String::from_utf8(output.ok()?.stdout).unwrap();
    let (_, verdict) = page.split_once("<p id=\"verdict\"")?;
    verdict.split_once("</p>").map(|(said, _)| said.to_owned())
}

/// From disk, without a network, under the policy of the page.
#[test]
fn a_report_verifies_itself_in_a_browser() {
    if Command::new("chromium").arg("--version").output().is_err() {
        eprintln!("SKIPPED: chromium, which opens the report, is not installed");
        return;
    }
    let place = Place::new(&genesis(&json!({}), 500, &[]));
    let data = project("tests/data/receipts");
    let cases = fs::read_to_string(data.join("cases.json")).unwrap();
    let cases: Value = serde_json::from_str(&cases).unwrap();
    let receipt = data.join("tree.ccoin").display().to_string();
    let id = cases["genesis"].as_str().unwrap();
    let options = ["verify", &receipt, "--genesis", id, "--report", "tree.html"];
    place.ok("ccoin", &options);
    let (page, profile) = (place.path("tree.html"), place.path("profile"));
    let said = opened(&page, &profile).unwrap();
    assert!(said.contains("The receipt holds"), "{said}");

    let text = fs::read_to_string(&page).unwrap();
    let other = text.replacen("\"index\":1", "\"index\":0", 1);
    assert_ne!(text, other);
    fs::write(&page, other).unwrap();
    let said = opened(&page, &profile).unwrap();
    assert!(said.contains("The receipt does not hold"), "{said}");
}

struct Network {
    place: Place,
    genesis: String,
    devnet: Devnet,
}

impl Network {
    fn start(validators: &str) -> Self {
        let place = Place::new(&genesis(&json!({}), 500, &[]));
        let options = [
            "devnet",
            "--json",
            "--validators",
            validators,
            "--basics",
            "1",
        ];
        let devnet = Devnet::start(&mut place.command("ccoin", &options));
        let genesis = devnet.report["genesis_id"].as_str().unwrap().to_owned();
        Self {
            place,
            genesis,
            devnet,
        }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.place.path(name), text).unwrap();
    }

    fn ccoin(&self, arguments: &[&str]) -> Output {
        self.place.command("ccoin", arguments).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let (code, said) = ended(self.ccoin(&[arguments, &["--json"]].concat()));
        assert_eq!(code, 0, "{arguments:?}: {said}");
        serde_json::from_str(&said).unwrap()
    }

    /// Both verifiers must say the same.
    fn verify(&self, arguments: &[&str]) -> (i32, Value) {
        let options = ["--genesis", &self.genesis, "--json"];
        let arguments = [arguments, &options].concat();
        let rust = ended(self.ccoin(&[&["verify"], arguments.as_slice()].concat()));
        let other = ended(python(&self.place, &arguments));
        assert_eq!(rust.0, other.0, "{arguments:?}: {rust:?} {other:?}");
        let [mut rust_said, mut other_said] =
            [&rust.1, &other.1].map(|said| serde_json::from_str::<Value>(said).unwrap());
        if rust.0 != 0 {
            // The words of a refusal are each verifier's own.
            for said in [&mut rust_said, &mut other_said] {
                *said = json!({"verified": said["verified"], "step": said["step"]});
            }
        }
        assert_eq!(rust_said, other_said);
        (rust.0, rust_said)
    }
}

#[test]
fn two_files_are_recorded_and_proved_to_anybody() {
    let network = Network::start("3");
    network.write("deed.txt", "I owe Bob a cow.\n");
    network.write("plan.txt", "Buy a cow.\n");
    let recorded = network.json(&["notarize", "--from", "alice", "deed.txt", "plan.txt"]);
    assert_eq!(recorded["documents"][1]["receipt"], "plan.txt.ccoin");
    let left = fs::read_dir(network.place.path("")).unwrap().flatten();
    let mut names = left.map(|entry| entry.file_name().into_string().unwrap());
    assert!(!names.any(|name| name.starts_with(".ccoin-notarize")));

    for name in ["deed.txt", "plan.txt"] {
        let receipt = format!("{name}.ccoin");
        let (code, said) = network.verify(&[&receipt, "--file", name]);
        assert_eq!(code, 0, "{said}");
        assert_eq!(said["transaction"]["id"], recorded["id"]);
        assert_eq!(said["permanent"]["voters"].as_array().unwrap().len(), 2);
        assert_eq!(said["permanent"]["miners"], 3);
    }

    let tampered = network.verify(&["deed.txt.ccoin", "--file", "plan.txt"]);
    assert_eq!(tampered, (7, json!({"verified": false, "step": 4})));
    let text = fs::read_to_string(network.place.path("deed.txt.ccoin")).unwrap();
    network.write("cut.ccoin", &text[..text.len() / 2]);
    assert_eq!(network.verify(&["cut.ccoin"]).0, 3);
    let other = ["verify", "deed.txt.ccoin", "--genesis", &"0".repeat(64)];
    assert_eq!(ended(network.ccoin(&other)).0, 7);
    let output = network.ccoin(&["verify", "deed.txt.ccoin"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&network.genesis));

    let again = network.ccoin(&["notarize", "--from", "alice", "deed.txt"]);
    assert_eq!(
        again.status.code(),
        Some(8),
        "an older receipt is never overwritten"
    );
    let report = [
        "deed.txt.ccoin",
        "--report",
        "deed.html",
        "--genesis",
        &network.genesis,
    ];
    assert_eq!(
        ended(network.ccoin(&[&["verify"], &report[..]].concat())).0,
        0
    );
    let page = fs::read_to_string(network.place.path("deed.html")).unwrap();
    assert!(page.contains(recorded["id"].as_str().unwrap()) && page.contains(&network.genesis));
}

#[test]
fn accounts_transactions_and_bare_hashes_have_receipts() {
    let network = Network::start("1");
    let hash = "ab".repeat(32);
    let recorded = network.json(&["notarize", "--from", "bob", "--hash", &hash, "--out", "."]);
    let id = recorded["id"].as_str().unwrap();
    let (code, said) = network.verify(&[&format!("{hash}.ccoin")]);
    assert_eq!((code, &said["document"]), (0, &json!(hash)), "{said}");

    network.json(&["proof", id, "--out", "txn.ccoin"]);
    assert_eq!(network.verify(&["txn.ccoin"]).1["transaction"]["id"], id);
    network.json(&["proof", "bob", "--out", "bob.ccoin"]);
    let (_, said) = network.verify(&["bob.ccoin"]);
    assert_eq!(said["account"]["nonce"], 1, "{said}");
    network.json(&["proof", "bob", "--block", "1", "--out", "before.ccoin"]);
    let (_, said) = network.verify(&["before.ccoin"]);
    assert_eq!(
        (&said["account"]["nonce"], &said["block"]["number"]),
        (&json!(0), &json!(1))
    );

    let node = network.devnet.nodes()[0]["http"].as_str().unwrap();
    let node = node.trim_start_matches("http://").parse().unwrap();
    let page = request(node, "GET", "/verify", &[], "").unwrap();
    let file = fs::read_to_string(project("crates/client/verify/verify.html")).unwrap();
    assert_eq!((page.status, page.body), (200, file));

    let directory = network.ccoin(&["notarize", "--from", "bob", "."]);
    assert_eq!(directory.status.code(), Some(2));
    let advice = String::from_utf8_lossy(&directory.stderr).into_owned();
    assert!(advice.contains("-print0 | ccoin notarize -0 -"), "{advice}");
    assert_eq!(
        network.ccoin(&["proof", &"0".repeat(64)]).status.code(),
        Some(4)
    );
}

/// Exit code of a program that knows nothing of ccoin.
fn check_cose(network: &Network, receipt: &str, id: &str, key: &Path) -> Option<i32> {
    let program = project("tests/receipts/check_cose.py");
    let mut command = Command::new("python3");
    command.arg("-B").arg(program).args([receipt, id]).arg(key);
    let output = command.current_dir(network.place.path("")).output();
    output.unwrap().status.code()
}

#[test]
fn a_miner_signs_a_cose_receipt_that_a_foreign_program_checks() {
    let network = Network::start("3");
    network.write("deed.txt", "I owe Bob a cow.\n");
    let recorded = network.json(&["notarize", "--from", "alice", "deed.txt"]);
    let id = recorded["id"].as_str().unwrap();
    let said = network.json(&["proof", id, "--cose", "deed.cose"]);
    let nodes = network.devnet.nodes();
    let key =
        |node: &Value| Path::new(node["key_file"].as_str().unwrap()).with_file_name("id_rsa.pub");
    let (signer, others): (Vec<_>, Vec<_>) = nodes
        .iter()
        .filter(|node| node["name"].as_str().unwrap().starts_with("validator"))
        .partition(|node| node["address"] == said["miner"]);
    let (_, proved) = network.verify(&["deed.txt.ccoin"]);
    let voters = proved["permanent"]["voters"].as_array().unwrap();
    assert_eq!(said["block_number"], proved["block"]["number"]);

    let good = key(signer[0]);
    assert_eq!(check_cose(&network, "deed.cose", id, &good), Some(0));
    let other = check_cose(&network, "deed.cose", id, &key(others[0]));
    assert_eq!(other, Some(7), "another key");
    let zeros = "0".repeat(64);
    let other = check_cose(&network, "deed.cose", &zeros, &good);
    assert_eq!(other, Some(7), "another transaction");
    let bytes = fs::read(network.place.path("deed.cose")).unwrap();
    for at in (0..bytes.len()).step_by(bytes.len() / 8) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(network.place.path("changed.cose"), changed).unwrap();
        let changed = check_cose(&network, "changed.cose", id, &good);
        assert_eq!(changed, Some(7), "byte {at}");
    }

    for node in nodes
        .iter()
        .filter(|node| voters.contains(&node["address"]))
    {
        let name = node["name"].as_str().unwrap();
        let said = network.json(&["proof", id, "--cose", "by.cose", "--miner", name]);
        assert_eq!(said["miner"], node["address"]);
        assert_eq!(check_cose(&network, "by.cose", id, &key(node)), Some(0));
    }
    let ended = |arguments: &[&str]| network.ccoin(arguments).status.code();
    let alice = ["proof", id, "--cose", "alice.cose", "--miner", "alice"];
    assert_eq!(ended(&alice), Some(7), "no miner");
    assert_eq!(ended(&["proof", "bob", "--cose", "bob.cose"]), Some(2));
    assert_eq!(ended(&["proof", id, "--miner", "validator-1"]), Some(2));
    assert!(!network.place.path("alice.cose").exists() && !network.place.path("bob.cose").exists());
    let as_receipt = ["verify", "deed.cose", "--genesis", &network.genesis];
    let output = network.ccoin(&as_receipt);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("COSE Receipt"));
}

/// The command ends while its transaction waits; the same command continues with the same one.
#[test]
fn an_interrupted_recording_continues_with_its_transaction() {
    let mut network = Network::start("2");
    network.write("deed.txt", "I owe Bob a cow.\n");
    // One of two validators makes blocks, but no block becomes final.
    let stopped = ["devnet", "stop", "validator-2"];
    assert!(network.ccoin(&stopped).status.success());
    let first = network.devnet.nodes()[0]["http"]
        .as_str()
        .unwrap()
        .to_owned();
    let notarize = ["notarize", "--from", "alice", "--url", &first, "deed.txt"];
    let waiting = network.ccoin(&[&notarize[..], &["--timeout", "2"]].concat());
    let said = String::from_utf8_lossy(&waiting.stderr).into_owned();
    assert_eq!(waiting.status.code(), Some(5), "{said}");
    assert!(
        said.contains("the same command continues to wait"),
        "{said}"
    );
    assert!(
        network
            .ccoin(&["devnet", "start", "validator-2"])
            .status
            .success()
    );
    let recorded = network.json(&[&notarize[..], &["--timeout", "60"]].concat());
    assert!(
        said.contains(recorded["id"].as_str().unwrap()),
        "{said} {recorded}"
    );
    assert_eq!(
        network.verify(&["deed.txt.ccoin", "--file", "deed.txt"]).0,
        0
    );
    network.devnet.end("INT");
}
