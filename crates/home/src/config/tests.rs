//! Files that load, and every fault of one with its place and the remedy.

use super::*;

const EXAMPLE: &str = include_str!("../../../../ccoin.json");

fn variable(name: &str) -> Option<String> {
    match name {
        "HOME" => Some("/home/alice".to_owned()),
        "PORT" => Some("${HOME}".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Config, JsoncError> {
    Config::parse(text, "ccoin.json", &variable)
}

fn defaults() -> Config {
    parse("{}").unwrap()
}

#[test]
fn the_example_with_its_comments_loads_and_says_the_defaults() {
    let example = parse(EXAMPLE).unwrap();
    let discovery = DiscoveryConfig::default();
    let http = HttpConfig {
        host: Some("127.0.0.1".into()),
        ..HttpConfig::default()
    };
    let p2p = P2pConfig {
        host: Some("0.0.0.0".into()),
        ..P2pConfig::default()
    };
    assert_eq!(
        example,
        Config {
            discovery_service: Some(discovery),
            http,
            p2p,
            ..defaults()
        }
    );
    // What is only explained there must be right as well.
    let uncommented = EXAMPLE
        .lines()
        .map(|line| {
            if line.contains("// \"") {
                line.replace("// ", "")
            } else {
                line.into()
            }
        })
        .collect::<Vec<_>>()
        .join("\n")
        .replace("0000...", &"0".repeat(64));
    let all = parse(&uncommented).unwrap();
    assert_eq!(all.warnings, Vec::<String>::new());
    assert_eq!(all.client.name.as_deref(), Some("alice"));
    assert_eq!(all.client.block_data.as_deref(), Some("made by alice"));
    assert_eq!(all.genesis_id, Some(BlockId::ZERO));
    assert_eq!((all.http.port, all.p2p.port), (Some(4002), Some(4001)));
    assert_eq!(
        all.p2p.advertise,
        Some("ledger.example.org:4001".parse().unwrap())
    );
}

#[test]
fn files_of_the_earlier_program_load_unchanged() {
    let config = parse(
        r#"{ "app": { "base_path": "~/.chain" }, // data
            "client": { "account_address": "ABCDEF0000000000000000000000000000000001" },
            "discovery_service": { "host": "localhost", "port": 4444, "proto": "http" } }"#,
    )
    .unwrap();
    assert_eq!(config.app.base_path, Path::new("/home/alice/.chain"));
    assert_eq!(
        config.data_dir().unwrap().root(),
        Path::new("/home/alice/.chain/abcdef0000000000000000000000000000000001")
    );
    assert_eq!(config.warnings, Vec::<String>::new());
    assert_eq!(defaults().discovery_service, None);
}

#[test]
fn a_relative_base_path_counts_from_the_file() {
    let text = "{\"app\": {\"base_path\": \"data/../x\"}}";
    for (file, expected) in [
        ("ccoin.json", "data/../x"),
        ("../ccoin.json", "../data/../x"),
        ("/etc/ccoin/ccoin.json", "/etc/ccoin/data/../x"),
    ] {
        let config = Config::parse(text, file, &variable).unwrap();
        assert_eq!(config.app.base_path, Path::new(expected));
    }
    let absolute = "{\"app\": {\"base_path\": \"/x\"}}";
    let config = Config::parse(absolute, "/etc/ccoin.json", &variable).unwrap();
    assert_eq!(config.app.base_path, Path::new("/x"));
}

#[test]
fn a_genesis_file_is_no_configuration() {
    let genesis = include_str!("../../../../genesis.json");
    for text in [genesis, "{\"client\": {}, \"alloc\": {}}"] {
        let failure = Failure::from(ConfigError::from(parse(text).unwrap_err()));
        assert!(
            failure.message.contains("stands in a genesis file"),
            "{failure}"
        );
        assert!(
            failure.hints[0].contains("ccoin.json"),
            "{:?}",
            failure.hints
        );
    }
}

#[test]
fn variables_are_expanded_once_and_must_be_set() {
    let path = |text: &str| parse(&format!("{{\"app\": {{\"base_path\": \"{text}\"}}}}"));
    assert_eq!(
        path("${HOME}/x").unwrap().app.base_path,
        Path::new("/home/alice/x")
    );
    assert_eq!(
        path("/x/${PORT}").unwrap().app.base_path,
        Path::new("/x/${HOME}")
    );
    assert_eq!(path("~").unwrap().app.base_path, Path::new("/home/alice"));
    assert_eq!(path("~bob/x").unwrap().app.base_path, Path::new("~bob/x"));
    for (text, fault) in [
        (
            "${NOPE}/x",
            "app.base_path \"${NOPE}/x\" needs the environment variable NOPE",
        ),
        (
            "${EMPTY}",
            "needs the environment variable EMPTY, which is not set",
        ),
        ("${HOME", "has a ${ without }"),
        ("", "is not a path"),
    ] {
        let error = path(text).unwrap_err().to_string();
        assert!(
            error.starts_with("ccoin.json:1:") && error.contains(fault),
            "{error}"
        );
    }
    let homeless = Config::parse("{}", "ccoin.json", &|_| None).unwrap_err();
    assert!(homeless.to_string().contains("variable HOME"), "{homeless}");
}

#[test]
fn every_fault_says_where_and_what_to_write() {
    for (text, fault, advice) in [
        (
            r#"{"client": {"account_address": "12"}}"#,
            "\"12\" is not an address",
            "40 hex",
        ),
        (
            r#"{"discovery_service": {"port": 0}}"#,
            "port 0 is out of range",
            "1 to 65535",
        ),
        (
            r#"{"discovery_service": {"port": "4444"}}"#,
            "is not a number",
            "write 4444",
        ),
        (
            r#"{"discovery_service": {"proto": "ftp"}}"#,
            "is not a protocol",
            "\"http\"",
        ),
        (
            r#"{"genesis_id": "00"}"#,
            "\"00\" is not a block id",
            "64 hex digits",
        ),
        (
            r#"{"peers": "a:1"}"#,
            "peers \"a:1\" is not a list",
            "write [ ]",
        ),
        (r#"{"peers": [1]}"#, "peers 1 is not text", "double quotes"),
        (
            r#"{"peers": ["::1:4001"]}"#,
            "peers \"::1:4001\" is not HOST:PORT",
            "192.0.2.7:4001",
        ),
        (
            r#"{"p2p": {"advertise": "ledger.example.org"}}"#,
            "p2p.advertise \"ledger.example.org\" is not HOST:PORT",
            "192.0.2.7:4001",
        ),
        (r#"{"http": []}"#, "http a list is not an object", "{ }"),
        (
            r#"{"http": {"port": 65536}}"#,
            "http.port 65536 is out of range",
            "65535",
        ),
        (
            r#"{"p2p": {"allow": ["me"]}}"#,
            "p2p.allow \"me\" is not an address",
            "40 hex",
        ),
        (
            r#"{"app": {}, "app": {}}"#,
            "the key app stands here again",
            "keep one",
        ),
    ] {
        let failure = Failure::from(ConfigError::from(parse(text).unwrap_err()));
        assert_eq!(failure.code, ExitCode::BadConfig);
        assert!(failure.message.starts_with("ccoin.json:1:"), "{failure}");
        assert!(
            failure.message.contains(fault),
            "got {failure}, not {fault}"
        );
        assert!(failure.hints[0].contains(advice), "got {:?}", failure.hints);
    }
    let long = format!(
        "{{\"client\": {{\"block_data\": \"{}\"}}}}",
        "x".repeat(1_025)
    );
    assert!(parse(&long).unwrap_err().fault.contains("has 1025 bytes"));
}

#[test]
fn unknown_keys_are_warnings() {
    let config = parse("{\"cleint\": {}, \"http\": {\"prot\": 1}}").unwrap();
    assert_eq!(
        config.warnings,
        [
            "ccoin.json:1:2: unknown key cleint; did you mean \"client\"?",
            "ccoin.json:1:25: unknown key http.prot; did you mean \"port\"?"
        ]
    );
    let config = parse("{\"wallet\": {}}").unwrap();
    assert!(
        config.warnings[0].contains("known here: app, client"),
        "{:?}",
        config.warnings
    );
    let config = parse("{\"Peer\": []}").unwrap();
    assert!(
        config.warnings[0].contains("did you mean \"peers\"?"),
        "{:?}",
        config.warnings
    );
}

#[test]
fn a_missing_file_and_a_missing_account_name_the_next_command() {
    let missing = Config::load(Path::new("/nowhere/ccoin.json"), &variable).unwrap_err();
    let failure = Failure::from(missing);
    assert_eq!(failure.code, ExitCode::BadConfig);
    assert!(
        failure
            .message
            .contains("/nowhere/ccoin.json: No such file"),
        "{failure}"
    );
    let failure = Failure::from(defaults().data_dir().unwrap_err());
    assert_eq!(failure.code, ExitCode::BadConfig);
    assert_eq!(
        failure.message,
        "client.account_address in ccoin.json is empty"
    );
    assert!(failure.hints[0].starts_with("create-account -c ccoin.json --update-config"));
}
