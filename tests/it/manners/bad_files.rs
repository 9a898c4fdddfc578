//! Configurations and genesis files with mistakes.

use super::*;

#[test]
fn a_bad_configuration_is_refused_with_its_place() {
    let place = Place::network(&quiet());
    let good = fs::read_to_string(place.path("ccoin.json")).unwrap();
    let account = format!("\"account_address\": \"{}\"", place.address);
    let unset = "\"base_path\": \"${NOT_SET_ANYWHERE}\"";
    for (from, to, words) in [
        (
            "\"peers\": []",
            "\"peers\": 5",
            &["ccoin.json:", "peers 5"][..],
        ),
        (
            "\"peers\": []",
            "\"peers\": [], \"peers\": []",
            &["peers", "stands here again"],
        ),
        (
            "\"base_path\": \"~/.ccoin\"",
            unset,
            &["NOT_SET_ANYWHERE", "export"],
        ),
        (
            &account,
            "\"account_address\": \"\"",
            &["create-account -c ccoin.json --update-config"],
        ),
        (
            &account,
            "\"account_address\": \"12\"",
            &["account_address", "40"],
        ),
        ("\"app\": {", "\"app\": ", &["ccoin.json:"]),
    ] {
        fs::write(place.path("ccoin.json"), good.replacen(from, to, 1)).unwrap();
        for (program, options) in [
            ("cnode", &["-p", "0"][..]),
            ("cnode", &["--check"]),
            ("initc", &["--check"]),
            ("initc", &[]),
        ] {
            refused(&place, program, options, 3, words);
        }
    }
    for program in ["cnode", "initc", "create-account"] {
        refused(
            &place,
            program,
            &["-c", "no.json"],
            3,
            &["no.json", "--config"],
        );
    }
    // A misspelt key is told also when it is the reason of the failure.
    let misspelt = account.replace("account_address", "acount_address");
    let wrong = good.replacen(&account, &misspelt, 1);
    fs::write(place.path("ccoin.json"), wrong).unwrap();
    let words = ["did you mean \"account_address\"", "is empty"];
    for program in ["cnode", "initc"] {
        refused(&place, program, &[], 3, &words);
    }
    let words = ["did you mean \"account_address\"", "cannot be the name"];
    refused(&place, "create-account", &["--name", ""], 2, &words);
    // An unknown key is a warning with a proposal.
    fs::write(
        place.path("ccoin.json"),
        good.replacen("\"peers\": []", "\"pears\": []", 1),
    )
    .unwrap();
    let checked = place.run("cnode", &["--check"]);
    assert_eq!(checked.status.code(), Some(0));
    let said = message(&checked);
    assert!(
        said.contains("pears") && said.contains("did you mean \"peers\""),
        "{said}"
    );
}

#[test]
fn initc_refuses_a_bad_genesis_with_its_place() {
    let mut place = Place::new(&quiet());
    let no_miner = fs::read_to_string(place.path("genesis.json")).unwrap();
    let words = ["genesis.json:", "miners", "create-account --update-genesis"];
    place.ok("create-account", &["--update-config"]);
    refused(&place, "initc", &[], 3, &words);
    place.make_account();
    let good = fs::read_to_string(place.path("genesis.json")).unwrap();
    assert_ne!(no_miner, good);
    for (from, to, words) in [
        ("\"reward\": 10", "\"reward\": \"10\"", &["reward"][..]),
        (
            "\"reward\": 10",
            "\"reward\": 1e1",
            &["reward 1e1 is not a whole number", "write 10"],
        ),
        ("\"reward\": 10", "\"reward\": -1", &["reward -1"]),
        (
            "\"reward\": 10",
            "\"reward\": 10, \"reward\": 11",
            &["reward", "stands here again"],
        ),
        (
            "\"reward\": 10",
            "\"rewards\": 10",
            &["rewards", "did you mean"],
        ),
        ("\"min_bound\": 3", "\"min_bound\": 101", &["101"]),
        (",\n  \"network_id\": 7", "", &["network_id"]),
        (
            "\"slot_ms\": 500",
            "\"slot_ms\": 100",
            &["slot_ms 100", "200"],
        ),
        (place.address.as_str(), "12", &["genesis.json:", "40"]),
        (
            "\"difficulty\": 1,\n",
            "\"difficulty\": 8,\n",
            &["difficulty 8", "500 ms", "slot_ms"],
        ),
        ("{", "", &["genesis.json:"]),
    ] {
        assert!(good.contains(from), "{from} in {good}");
        fs::write(place.path("genesis.json"), good.replacen(from, to, 1)).unwrap();
        refused(&place, "initc", &["--check"], 3, words);
        refused(&place, "initc", &[], 3, words);
    }
    refused(
        &place,
        "initc",
        &["-g", "none.json"],
        3,
        &["none.json", "--genesis"],
    );
    fs::write(place.path("garbage"), [0x92, 1, 2, 3]).unwrap();
    refused(&place, "initc", &["-g", "garbage"], 3, &["garbage"]);

    // Comments and trailing commas are fine, and --check changes nothing.
    let commented = format!("/* mine */ {}", good.replacen("\n}", ",\n}", 1));
    fs::write(place.path("genesis.json"), commented).unwrap();
    let before = files(&place.path(""));
    assert_eq!(place.ok("initc", &["--check"]), "");
    assert_eq!(files(&place.path("")), before);
    place.ok("initc", &[]);
}

#[test]
fn the_other_file_is_named_and_left_alone() {
    let place = Place::network(&quiet());
    let words = ["genesis.json:", "stands in a genesis file", "-c FILE"];
    for (program, options) in [
        ("cnode", &["-c", "genesis.json"][..]),
        ("initc", &["-c", "genesis.json"]),
        ("create-account", &["-c", "genesis.json", "--update-config"]),
    ] {
        refused(&place, program, options, 3, &words);
    }
    let words = ["ccoin.json:", "stands in the configuration"];
    refused(&place, "initc", &["-g", "ccoin.json"], 3, &words);
    let options = ["--update-genesis", "ccoin.json"];
    refused(&place, "create-account", &options, 3, &words);
}

#[test]
fn a_relative_base_path_counts_from_the_file() {
    let place = Place::network(&quiet());
    fs::rename(place.path(".ccoin"), place.path("data")).unwrap();
    replace(&place, "ccoin.json", "\"~/.ccoin\"", "\"data\"");
    fs::create_dir(place.path("below")).unwrap();
    let mut command = place.command("cnode", &["-c", "../ccoin.json", "--check"]);
    let checked = command.current_dir(place.path("below")).output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", message(&checked));
}
