//! `ccoin sim` as users run it: bytes, exit codes, and words for what cannot be.

use crate::support::{Place, genesis};
use serde_json::{Value, json};

fn place() -> Place {
    Place::new(&genesis(&json!({"interval": 1}), 500, &[]))
}

#[test]
fn the_same_seed_prints_the_same_bytes_and_the_genesis_file_decides() {
    let place = place();
    let miners: Vec<_> = (1..=3).map(|n| format!("{n:040x}")).collect();
    let document = json!({
        "network_id": 1,
        "miners": miners,
        "block_mining": {"interval": 1, "min_bound": 1, "difficulty": 4},
        "consensus": {"slot_ms": 1_000, "quorum": 3},
    });
    std::fs::write(place.path("three.json"), document.to_string()).unwrap();
    let options = ["sim", "-g", "three.json", "--kill", "v2@10s..20s"];
    let [first, again] = [0, 1].map(|_| place.ok("ccoin", &options));
    assert_eq!(first, again);
    assert!(first.contains("slot 1 s, quorum 3,"), "{first}");
    assert!(
        first.contains("v2 starts again: all that waited is final"),
        "{first}"
    );
    assert!(!first.contains('\x1b'), "colours are for terminals");

    let options = [&options[..], &["--json"]].concat();
    let report: Value = serde_json::from_str(&place.ok("ccoin", &options)).unwrap();
    assert_eq!(report["miners"], 3);
    // All three votes are needed: finality waits for the dead one.
    let stood = &report["stood_still_ms"];
    assert!(
        stood[1].as_u64().unwrap() - stood[0].as_u64().unwrap() > 9_000,
        "{stood}"
    );
    assert!(report["faults"][0]["final_after_ms"].is_u64());

    let options = [&options[..], &["--seed", "1..3"]].concat();
    let summary: Value = serde_json::from_str(&place.ok("ccoin", &options)).unwrap();
    assert_eq!(
        (&summary["runs"], &summary["violations"]),
        (&json!(3), &json!([]))
    );
    assert_eq!(summary["final_after_healing"]["count"], 3);
}

#[test]
fn a_violation_ends_with_7_a_timeline_and_the_command_that_repeats_it() {
    let place = place();
    let options = [
        "sim",
        "--validators",
        "3",
        "--attack",
        "v3=copy",
        "--cut",
        "v1|v2@5s..15s",
    ];
    let output = place.run("ccoin", &options);
    assert_eq!(output.status.code(), Some(7));
    let [printed, said] =
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(
        printed.contains("the end of the timeline:") && printed.contains("v3b"),
        "{printed}"
    );
    assert!(said.starts_with("error: seed 1: I1: block "), "{said}");
    let again = "again: ccoin sim --validators 3 --cut 'v1|v2@5s..15s' --attack v3=copy --seed 1";
    assert!(
        said.contains(again) && said.contains("survives 0 malicious"),
        "{said}"
    );
    assert!(said.lines().count() <= 5, "{said}");
}

#[test]
fn what_cannot_be_is_refused_before_anything_runs() {
    let place = place();
    for (options, code, word) in [
        (&["--kill", "v9@10s..70s"][..], 2, "v1 v2 v3 v4"),
        (&["--kill", "v2@70s..10s"], 2, "ends before it begins"),
        (&["--skew", "v1"], 2, "the time is missing"),
        (&["--attack", "x"], 2, "there are copy, silent"),
        (&["--seed", "3..1"], 2, "greater than the last"),
        (&["--validators", "0"], 2, "1..=100"),
        (&["-g", "nowhere.json"], 3, "nowhere.json"),
        (&["-g", "ccoin.json"], 3, "genesis"),
    ] {
        let output = place.run("ccoin", &[&["sim"], options].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{options:?}: {said}");
        assert!(
            output.stdout.is_empty() && said.contains(word),
            "{options:?}: {said}"
        );
        assert!(
            said.starts_with("error: ") && said.lines().count() <= 5,
            "{said}"
        );
    }
}
