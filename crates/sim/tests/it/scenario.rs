//! `ccoin sim` below its command line: words become faults, runs repeat, reports say what
//! happened, and a network with more liars than it survives is found out.

use ccoin_core::{Address, genesis_config::GenesisConfig};
use ccoin_sim::scenario::{Fault, Report, Scenario, ScenarioTexts, Summary, simulate};

fn network(validators: u8) -> GenesisConfig {
    let miners = (1..=validators).map(|byte| Address::new([byte; 20]));
    let mut config = GenesisConfig::new(1, miners.collect());
    config.block_mining.min_bound = 1;
    config.block_mining.interval_ms = 1_000;
    config.block_mining.difficulty = 4;
    config
}

fn texts(options: &[(&str, &str)]) -> ScenarioTexts {
    let mut texts = ScenarioTexts::default();
    for (option, text) in options {
        let text = (*text).to_owned();
        match *option {
            "kill" => texts.kill.push(text),
            "cut" => texts.cut.push(text),
            "skew" => texts.skew.push(text),
            "attack" => texts.attack.push(text),
            "rtt" => texts.rtt = Some(text),
            "for" => texts.length = Some(text),
            other => panic!("no option {other}"),
        }
    }
    texts
}

fn scenario(validators: u8, options: &[(&str, &str)]) -> Scenario {
    texts(options).parse(network(validators)).unwrap()
}

fn report(scenario: &Scenario, seed: u64) -> Report {
    Report::new(scenario, &simulate(scenario, seed))
}

#[test]
fn words_become_faults_with_times() {
    let faults = |options| scenario(4, options).faults;
    let killed = &faults(&[("kill", "v2,v4@10s..1m 10s")])[0];
    assert_eq!(killed.fault, Fault::Kill(vec![1, 3]));
    assert_eq!((killed.from_ms, killed.until_ms), (10_000, Some(70_000)));
    let cut = &faults(&[("cut", "v1,v2|v3@1.5..")])[0];
    assert_eq!(cut.fault, Fault::Cut(vec![vec![0, 1], vec![2]]));
    assert_eq!((cut.from_ms, cut.until_ms), (1_500, None));
    let skewed = faults(&[("skew", "v1=400ms"), ("skew", "v2=-2s@..5s")]);
    assert_eq!(skewed[0].fault, Fault::Skew(vec![0], 400));
    assert_eq!(skewed[1].fault, Fault::Skew(vec![1], -2_000));
    assert_eq!(skewed[1].until_ms, Some(5_000));
    let seven = scenario(
        7,
        &[
            ("attack", "replay"),
            ("rtt", "150ms"),
            ("kill", "v1@200s.."),
        ],
    );
    assert_eq!(seven.attacks[0].0, [5, 6]);
    assert_eq!((seven.rtt_ms, seven.length_ms), (150, 230_000));
    assert_eq!(scenario(4, &[]).length_ms, 60_000);
}

#[test]
fn what_cannot_happen_is_refused_with_the_value_and_what_to_write() {
    for (options, fault, advice) in [
        (
            ("kill", "v9@10s..70s"),
            "no validator \"v9\"",
            "v1 v2 v3 v4",
        ),
        (("kill", "v0"), "\"v0\"", "v1 v2 v3 v4"),
        (("kill", "@1s..2s"), "\"\"", "v1 v2 v3 v4"),
        (
            ("kill", "v2@70s..10s"),
            "ends before it begins",
            "v2@10s..70s",
        ),
        (("kill", "v2@10s"), "not from when to when", "v2@10s..70s"),
        (
            ("kill", "v2@ten..70s"),
            "\"ten\" is not a time",
            "v2@10s..70s",
        ),
        (("kill", "v2@10s..2h"), "more than 1h", "v2@10s..70s"),
        (("cut", "v1,v2@1s..2s"), "two sides", "v1,v2|v3"),
        (("cut", "v1,v2|v2,v3"), "v2 stands there twice", "v1,v2|v3"),
        (("skew", "v1"), "the time is missing", "v1=400ms"),
        (("skew", "v1=NaN"), "not a time", "v1=400ms"),
        (("skew", "v1=9999999s"), "more than 1day", "v1=400ms"),
        (("attack", "sabotage"), "no attack", "replay"),
        (
            ("attack", "v1,v2,v3,v4=replay"),
            "no honest one",
            "v2=replay",
        ),
        (
            ("attack", "v2,v2=replay"),
            "v2 lies in two ways",
            "v1,v2=replay",
        ),
        (("attack", "copy"), "no --cut", "v1,v2=replay"),
        (("rtt", "-1ms"), "not a time", "150ms"),
        (("for", "0s"), "less than a second", "--for 120s"),
    ] {
        let error = texts(&[options]).parse(network(4)).unwrap_err();
        let said = (error.to_string(), error.advice());
        assert!(
            said.0.contains(fault) && said.1.contains(advice),
            "{options:?}: {said:?}"
        );
    }
    let error = texts(&[("kill", "v1@10s..20s"), ("for", "15s")]).parse(network(4));
    assert!(error.unwrap_err().to_string().contains("after 20 s"));
    let many = texts(&[("kill", "w")]).parse(network(100)).unwrap_err();
    assert!(many.advice().contains("v1 to v100"), "{}", many.advice());
}

#[test]
fn the_command_that_repeats_a_run_is_quoted_for_a_shell() {
    let texts = texts(&[
        ("cut", "v1|v2@10s..20s"),
        ("kill", "v1@30s.."),
        ("rtt", "150ms"),
    ]);
    let command = texts.command(&["-g".to_owned(), "my genesis.json".to_owned()], 17);
    assert_eq!(
        command,
        "ccoin sim -g 'my genesis.json' --kill v1@30s.. --cut 'v1|v2@10s..20s' --rtt 150ms --seed 17"
    );
}

/// Also the lanes fit 80 columns, whatever the scenario.
#[test]
fn the_same_seed_gives_the_same_bytes_and_others_differ() {
    let options = [
        ("kill", "v2@10s..30s"),
        ("cut", "v1,v2|v3@35s..45s"),
        ("skew", "v1=400ms"),
        ("attack", "replay"),
    ];
    let scenario = scenario(4, &options);
    let [first, again, other] = [3, 3, 4].map(|seed| report(&scenario, seed));
    assert_eq!(first.violation, None);
    assert_eq!(first.to_string(), again.to_string());
    assert_ne!(first.to_string(), other.to_string());
    for line in first.to_string().lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    println!("{first}");
}

#[test]
fn a_dead_leader_is_followed_and_all_is_final_after_it_returns() {
    let scenario = scenario(4, &[("kill", "v2@10s..30s")]);
    let reports: Vec<_> = (0..8).map(|seed| report(&scenario, seed)).collect();
    assert!(reports.iter().any(|report| report.faults[0].leader));
    for report in &reports {
        assert_eq!(report.violation, None, "{}", report.seed);
        let killed = &report.faults[0];
        // A slot of the dead one, its neighbour's guard, and the search for a nonce.
        assert!(killed.next_block_ms.unwrap() <= 3_400, "{killed:?}");
        assert!(killed.final_after_ms.unwrap() <= 2_000, "{killed:?}");
        assert_eq!(report.payments_final, report.payments);
        assert!(report.lanes["v2"].contains('x') && !report.lanes["v1"].contains('x'));
    }
    let summary = Summary::of(&reports);
    assert_eq!((summary.runs, summary.never_final), (8, 0));
    assert_eq!(summary.final_after_healing.unwrap().count, 8);
}

/// Two of two are needed: blocks go on, finality waits for the other.
#[test]
fn without_a_quorum_blocks_go_on_and_finality_waits() {
    let scenario = scenario(2, &[("kill", "v1@10s..50s")]);
    let report = report(&scenario, 5);
    assert_eq!(report.violation, None);
    let [from, until] = report.stood_still_ms;
    assert!(
        from <= 11_000 && (50_000..54_000).contains(&until),
        "{from} {until}"
    );
    // It leads every second slot.
    let v2 = &report.lanes["v2"];
    assert!(v2.matches('#').count() > 30, "{v2}");
    assert!(report.faults[0].final_after_ms.unwrap() <= 4_000);
}

/// One clock of four that is an hour behind, and then right again.
#[test]
fn a_wrong_clock_stops_nobody_else_and_all_is_final_after_it_is_set_right() {
    let scenario = scenario(4, &[("skew", "v2=-1h@10s..30s")]);
    for seed in 0..3 {
        let report = report(&scenario, seed);
        assert_eq!(report.violation, None, "{seed}");
        let [from, until] = report.stood_still_ms;
        assert!(until - from <= 6_000, "{from} {until}");
        assert!(report.faults[0].final_after_ms.unwrap() <= 10_000);
    }
}

/// A message that takes longer than a quarter of a slot breaks no promise.
#[test]
fn a_network_that_is_too_slow_is_told_and_not_blamed() {
    let scenario = scenario(4, &[("rtt", "5s")]);
    let report = report(&scenario, 1);
    assert_eq!(report.violation, None);
    assert!(report.to_string().contains("finality is not promised"));
}

#[test]
fn every_attack_is_survived_by_four() {
    for attack in ccoin_sim::scenario::ATTACKS {
        let faults = [
            ("attack", attack.name),
            ("kill", "v1@20s..30s"),
            ("cut", "v1,v2|v3@40s..50s"),
        ];
        let report = report(&scenario(4, &faults), 9);
        assert_eq!(report.violation, None, "{}", attack.name);
    }
}

/// The copy of a key votes on the other side of a cut: more than three miners with two votes
/// survive, and as much as four do.
#[test]
fn a_copied_key_makes_two_branches_final_only_where_the_network_survives_none() {
    let options = [("attack", "v3=copy"), ("cut", "v1|v2@10s..30s")];
    let report = report(&scenario(3, &options), 1);
    let what = report.violation.clone().unwrap();
    let said = report.to_string();
    assert!(what.starts_with("I1: "), "{said}");
    assert!(said.contains("VIOLATION I1"), "{said}");
    let told = |word: &str| report.timeline.iter().any(|line| line.contains(word));
    assert!(
        told("v3b   has final block") && told("links are cut"),
        "{said}"
    );
    let violations = Summary::of(&[report]).violations;
    assert_eq!((violations.len(), violations[0].seed), (1, 1));

    let options = [("attack", "v4=copy"), ("cut", "v1,v2|v3@10s..30s")];
    let scenario = scenario(4, &options);
    for seed in 0..4 {
        assert_eq!(self::report(&scenario, seed).violation, None, "{seed}");
    }
}
