//! `create-account` as users meet it: a process with files, two streams and an
//! exit code. No test looks inside.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const CONFIG: &str = include_str!("../../ccoin.json");
const GENESIS: &str = include_str!("../../genesis.json");

/// A directory with the two shipped files and `HOME` inside.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("ccoin.json"), CONFIG).unwrap();
        fs::write(dir.path().join("genesis.json"), GENESIS).unwrap();
        Self { dir }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn run(&self, options: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_create-account"))
            .args(options)
            .current_dir(self.path())
            .env_remove("CCOIN_CONFIG")
            .env_remove("CCOIN_PASSPHRASE_FILE")
            .env("HOME", self.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// The address that a successful run printed.
    fn created(&self, options: &[&str]) -> String {
        let output = self.run(options);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let line = text(&output.stdout);
        let address = line.strip_prefix("Created account with address=").unwrap();
        let address = address.strip_suffix('\n').unwrap().to_owned();
        assert_eq!(address.len(), 40, "{line}");
        address
    }

    /// Exit code and message of a run that failed.
    fn failed(&self, options: &[&str]) -> (i32, String) {
        let output = self.run(options);
        assert_eq!(text(&output.stdout), "");
        let message = text(&output.stderr);
        assert!(message.lines().count() <= 5, "{message}");
        assert!(
            !message.contains("backtrace") && !message.contains("panicked"),
            "{message}"
        );
        (output.status.code().unwrap(), message)
    }

    fn accounts(&self) -> usize {
        fs::read_dir(self.path().join(".ccoin")).map_or(0, Iterator::count)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_first_steps_of_a_user_work_with_the_shipped_files() {
    let place = Place::new();
    let options = [
        "--update-config",
        "--update-genesis",
        "genesis.json",
        "--name",
        "alice",
    ];
    let address = place.created(&options);
    let keys = place.path().join(".ccoin").join(&address).join(".keys");
    assert_eq!(mode(&keys.join("id_rsa")), 0o600);
    assert_eq!(mode(&keys), 0o700);
    for name in ["id_rsa.pub", "votes"] {
        assert!(keys.join(name).is_file(), "{name}");
    }
    assert_eq!(fs::read_to_string(keys.join("name")).unwrap(), "alice\n");

    let config = fs::read_to_string(place.path().join("ccoin.json")).unwrap();
    assert_eq!(
        config,
        CONFIG.replace("_address\": \"\"", &format!("_address\": \"{address}\""))
    );
    let genesis = fs::read_to_string(place.path().join("genesis.json")).unwrap();
    assert_eq!(genesis.matches(&address).count(), 2, "{genesis}");
    assert!(genesis.contains("// Who may make blocks"));

    let second = place.created(&options);
    assert_ne!(second, address);
    let genesis = fs::read_to_string(place.path().join("genesis.json")).unwrap();
    assert!(
        genesis.find(&address) < genesis.find(&second),
        "miners keep their order"
    );
    assert!(keys.join("id_rsa").is_file(), "the first key stays");
}

#[test]
fn without_the_update_options_nothing_else_changes() {
    let place = Place::new();
    place.created(&["--bits", "3072"]);
    assert_eq!(
        fs::read_to_string(place.path().join("ccoin.json")).unwrap(),
        CONFIG
    );
    assert_eq!(
        fs::read_to_string(place.path().join("genesis.json")).unwrap(),
        GENESIS
    );
}

#[test]
fn json_is_one_line_with_the_files() {
    let place = Place::new();
    let output = place.run(&["--json", "--no-passphrase"]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(text(&output.stdout).lines().count(), 1);
    let key_file = Path::new(value["key_file"].as_str().unwrap());
    assert!(key_file.ends_with(".keys/id_rsa") && key_file.is_file());
    assert_eq!(value["address"].as_str().unwrap().len(), 40);
}

#[test]
fn a_passphrase_file_locks_the_key_for_openssl_too() {
    let place = Place::new();
    fs::write(place.path().join("secret"), "open sesame\n").unwrap();
    let address = place.created(&["--passphrase-file", "secret"]);
    let key = place
        .path()
        .join(".ccoin")
        .join(address)
        .join(".keys/id_rsa");
    assert!(
        fs::read_to_string(&key)
            .unwrap()
            .starts_with("-----BEGIN ENCRYPTED PRIVATE KEY")
    );
    let opened = |passphrase: &str| {
        Command::new("openssl")
            .args([
                "pkey",
                "-noout",
                "-passin",
                &format!("pass:{passphrase}"),
                "-in",
            ])
            .arg(&key)
            .output()
            .map(|output| output.status.success())
    };
    match opened("open sesame") {
        Ok(opens) => {
            assert!(opens);
            assert!(!opened("open").unwrap());
        }
        Err(error) => eprintln!("not checked against openssl: {error}"),
    }
}

#[test]
fn a_bad_configuration_ends_at_once_with_its_place_and_the_remedy() {
    let place = Place::new();
    let config = place.path().join("ccoin.json");
    for (content, fault, advice) in [
        (
            "{ \"app\": { \"base_path\": 5 } }",
            "ccoin.json:1:25: app.base_path 5 is not text",
            "quotes",
        ),
        (
            "{ \"app\": {",
            "ccoin.json:1:10: unterminated object",
            "comments",
        ),
        ("", "ccoin.json:1:1: the document is empty", "{ }"),
        (
            "{ \"app\": { \"base_path\": \"${NOT_SET}\" } }",
            "variable NOT_SET",
            "export NOT_SET=",
        ),
        (
            "{ \"app\": { \"base_path\": \"ccoin.json\" } }",
            "cannot create ccoin.json",
            "base_path",
        ),
    ] {
        fs::write(&config, content).unwrap();
        let (code, message) = place.failed(&["--update-config"]);
        assert_eq!(code, 3, "{message}");
        assert!(
            message.starts_with("error: ") && message.contains(fault),
            "{message}"
        );
        assert!(message.contains(advice), "{message}");
        assert_eq!(fs::read_to_string(&config).unwrap(), content);
    }
    fs::remove_file(&config).unwrap();
    let (code, message) = place.failed(&[]);
    assert_eq!(code, 3);
    assert!(
        message.contains("cannot read the configuration ccoin.json"),
        "{message}"
    );
    assert_eq!(place.accounts(), 0);
}

#[test]
fn a_bad_genesis_changes_nothing() {
    let place = Place::new();
    let genesis = place.path().join("genesis.json");
    let bad = GENESIS.replace("\"reward\": 100,", "\"reward\": 1e2,");
    fs::write(&genesis, &bad).unwrap();
    let options = ["--update-config", "--update-genesis", "genesis.json"];
    let (code, message) = place.failed(&options);
    assert_eq!(code, 3);
    let line = bad.lines().position(|line| line.contains("1e2")).unwrap() + 1;
    assert_eq!(
        message,
        format!(
            "error: genesis.json:{line}:15: block_mining.reward 1e2 is not a whole number\n  \
             write 100\n"
        )
    );
    // Good as it is, but not with another 1000 coins.
    let full = GENESIS
        .replace("\"reward\": 100,", "\"reward\": 9007199,")
        .replace(
            "\"alloc\": {}",
            &format!(
                "\"alloc\": {{ \"{}\": {{ \"balance\": 254740800 }} }}",
                "ab".repeat(20)
            ),
        );
    fs::write(&genesis, &full).unwrap();
    let (code, message) = place.failed(&options);
    assert_eq!(code, 3);
    assert!(
        message.contains("the supply of 254741900 coins"),
        "{message}"
    );

    assert_eq!(fs::read_to_string(&genesis).unwrap(), full);
    assert_eq!(
        fs::read_to_string(place.path().join("ccoin.json")).unwrap(),
        CONFIG
    );
    assert_eq!(place.accounts(), 0);
}

#[test]
fn warnings_and_former_addresses_are_said_on_stderr() {
    let place = Place::new();
    let address = place.created(&["--update-config"]);
    let config = place.path().join("ccoin.json");
    let odd = fs::read_to_string(&config)
        .unwrap()
        .replace("\"peers\"", "\"pears\"");
    fs::write(&config, odd).unwrap();
    let output = place.run(&["--update-config"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains("unknown key pears; did you mean \"peers\"?"),
        "{said}"
    );
    assert!(
        said.contains(&format!("account_address was {address} before")),
        "{said}"
    );
}

#[test]
fn options_have_the_documented_manners() {
    let place = Place::new();
    // -n is a habit from servers.
    let output = place.run(&["-n", "--name", "a/b"]);
    assert!(text(&output.stderr).contains("cannot be the name"));
    for (options, expected) in [
        (["--bits", "1024"], "1024"),
        (["--name", "a/b"], "cannot be the name"),
        (["--name", ""], "cannot be the name"),
    ] {
        let output = place.run(&options);
        assert_eq!(output.status.code(), Some(2), "{options:?}");
        assert!(
            text(&output.stderr).contains(expected),
            "{}",
            text(&output.stderr)
        );
    }
    fs::write(place.path().join("empty"), "\n").unwrap();
    let (code, message) = place.failed(&["--passphrase-file", "empty"]);
    assert_eq!(code, 9, "{message}");

    let help = place.run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    for option in [
        "--config",
        "--passphrase-file",
        "--update-genesis",
        "--json",
        "--version",
    ] {
        assert!(text(&help.stdout).contains(option), "{option}");
    }
    assert_eq!(text(&place.run(&["-V"]).stdout), "create-account 0.1.0\n");
    assert_eq!(place.accounts(), 0);
}
