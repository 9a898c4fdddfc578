//! The supervisor with real programs: `tests/signers/fake.py` in all its moods, and some that
//! need no key.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use ccoin_crypto::{SecretKey, Verifier};

use super::*;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_mins(1);

/// A key in a file, and the words of a signer.
struct Bench {
    dir: tempfile::TempDir,
    key: SecretKey,
    told: Receiver<Option<String>>,
    signer: CommandSigner,
}

fn fake(options: &[&str], key: &Path) -> Vec<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/signers/fake.py");
    let command = ["python3", script, key.to_str().unwrap()];
    command
        .iter()
        .chain(options)
        .map(|word| (*word).to_owned())
        .collect()
}

/// Whether the fake signer can run here.
fn can_fake() -> bool {
    let found = Command::new("python3")
        .args(["-c", "import cryptography"])
        .output();
    let found = found.is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("SKIPPED: no python3 with cryptography");
    }
    found
}

impl Bench {
    fn new(make: impl FnOnce(&Path) -> SignerConfig) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = SecretKey::generate(2048).unwrap();
        let path = dir.path().join("key.pem");
        fs::write(&path, key.to_pem(None).as_str()).unwrap();
        let (tell, told) = mpsc::channel();
        let tell = move |fault| drop(tell.send(fault));
        let signer = CommandSigner::start(&make(&path), key.public_key().clone(), tell).unwrap();
        Self {
            dir,
            key,
            told,
            signer,
        }
    }

    fn faking(options: &[&str], timeout_ms: u64) -> Self {
        Self::new(|key| SignerConfig {
            command: fake(options, key),
            timeout_ms,
        })
    }

    fn hear(&self) -> Option<String> {
        self.told
            .recv_timeout(PATIENCE)
            .expect("a word of the signer")
    }

    /// Signs and verifies.
    fn sign(&self, byte: u8) -> Result<(), SignError> {
        let message = Hash::new([byte; 32]);
        let signature = self.signer.signature(&message, Urgency::High)?;
        let verified = Verifier::new(1).verify(self.key.public_key(), &message, &signature);
        verified.expect("only a verified signature is handed out");
        Ok(())
    }
}

#[test]
fn a_good_program_signs_many_messages_for_many_callers() {
    if !can_fake() {
        return;
    }
    let bench = Bench::faking(&[], 10_000);
    assert_eq!(bench.hear(), None);
    std::thread::scope(|scope| {
        for byte in 0..8 {
            let bench = &bench.signer;
            let public = bench.public_key();
            scope.spawn(move || {
                for turn in 0..8 {
                    let message = Hash::new([byte * 8 + turn; 32]);
                    let signature = bench.signature(&message, Urgency::Low).unwrap();
                    Verifier::new(1)
                        .verify(public, &message, &signature)
                        .unwrap();
                }
            });
        }
    });
}

#[test]
fn no_answer_that_is_not_the_signature_is_used_and_the_program_is_started_again() {
    if !can_fake() {
        return;
    }
    let cases = [
        ("die", "ended"),
        ("hang", "did not answer within"),
        ("close", "closed its standard output"),
        ("flood", "bytes and more where 256 are due"),
        ("garbage", "not by the key"),
        ("short", "did not answer within"),
        ("twice", "bytes and more where 256 are due"),
        ("other-key", "not by the key"),
        ("other-message", "not by the key"),
    ];
    std::thread::scope(|scope| {
        for (fault, words) in cases {
            scope.spawn(move || {
                let options = ["--fault", fault, "--after", "2"];
                let bench = Bench::faking(&options, 2_000);
                assert_eq!(bench.hear(), None, "{fault}");
                bench.sign(1).unwrap();
                let refused = bench.sign(2).unwrap_err();
                assert!(refused.to_string().contains(words), "{fault}: {refused}");
                let told = bench.hear().expect("the fault is told");
                assert!(told.contains(words), "{fault}: {told}");
                // The first start again comes without a pause.
                assert_eq!(bench.hear(), None, "{fault}");
                bench.sign(3).unwrap();
            });
        }
    });
}

#[test]
fn a_program_that_never_works_is_told_at_once_and_refuses_at_once() {
    let sh = |script: &str| ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    let cases = [
        (vec!["/nowhere/signer".to_owned()], "cannot be started"),
        (sh("exit 3"), "exit status: 3"),
        (sh("head -c 1000000 /dev/zero; sleep 1000"), "256 are due"),
        (sh("exec >&-; sleep 1000"), "closed its standard output"),
    ];
    for (command, words) in cases {
        let bench = Bench::new(|_| SignerConfig {
            command,
            timeout_ms: 5_000,
        });
        let told = bench.hear().expect("it does not work");
        assert!(told.contains(words), "{told}");
        let refused = bench.sign(1).unwrap_err().to_string();
        assert!(
            refused.starts_with("the signer does not sign: "),
            "{refused}"
        );
    }
}

#[test]
fn the_program_ends_with_the_node_also_when_it_hangs() {
    if !can_fake() {
        return;
    }
    let marked = |mark: &Path| {
        let line = format!("echo $$ > {}; exec sleep 1000", mark.display());
        vec!["/bin/sh".to_owned(), "-c".to_owned(), line]
    };
    let dir = tempfile::tempdir().unwrap();
    let mark: PathBuf = dir.path().join("pid");
    let bench = Bench::new(|_| SignerConfig {
        command: marked(&mark),
        timeout_ms: 60_000,
    });
    let began = Instant::now();
    let pid = loop {
        let text = fs::read_to_string(&mark).unwrap_or_default();
        if let Ok(pid) = text.trim().parse::<u32>() {
            break pid;
        }
        assert!(began.elapsed() < PATIENCE, "the program has not begun");
        std::thread::yield_now();
    };
    let (one, two) = std::thread::scope(|scope| {
        let signer = &bench.signer;
        let message = Hash::new([1; 32]);
        let waits = scope.spawn(move || signer.signature(&message, Urgency::High).map(drop));
        bench.signer.stop();
        (waits.join().unwrap(), bench.sign(2))
    });
    for refused in [one, two] {
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("stopping"), "{refused}");
    }
    assert!(
        !Path::new(&format!("/proc/{pid}/exe")).exists(),
        "{pid} still runs"
    );

    // One that reads the end of its input ends by itself.
    let bench = Bench::faking(&[], 10_000);
    assert_eq!(bench.hear(), None);
    bench.signer.stop();
    drop(bench.dir);
}

#[test]
fn a_check_takes_one_signature() {
    if !can_fake() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let key = SecretKey::generate(2048).unwrap();
    let path = dir.path().join("key.pem");
    fs::write(&path, key.to_pem(None).as_str()).unwrap();
    let config = |options: &[&str]| SignerConfig {
        command: fake(options, &path),
        timeout_ms: 10_000,
    };
    // A second one would fail.
    let once = config(&["--fault", "die", "--after", "1"]);
    CommandSigner::try_once(&once, key.public_key().clone()).unwrap();
    let other = SecretKey::generate(2048).unwrap();
    let failure = CommandSigner::try_once(&config(&[]), other.public_key().clone()).unwrap_err();
    assert_eq!(failure.code, ExitCode::Locked);
    assert!(failure.message.contains("not by the key"), "{failure}");
}

#[test]
fn urgent_requests_go_first_but_not_for_ever() {
    let mut waiting = waiting::Waiting::default();
    let (answer, _answered) = mpsc::sync_channel(32);
    for (byte, urgency) in [(0, Urgency::Low), (1, Urgency::Low)]
        .into_iter()
        .chain((2..12).map(|byte| (byte, Urgency::High)))
    {
        waiting.push(Request {
            message: Hash::new([byte; 32]),
            urgency,
            at: Instant::now(),
            answer: answer.clone(),
        });
    }
    let order: Vec<u8> = std::iter::from_fn(|| waiting.pop())
        .map(|request| request.message.as_bytes()[0])
        .collect();
    assert_eq!(order, [2, 3, 4, 5, 0, 6, 7, 8, 9, 1, 10, 11]);
}

#[test]
fn a_test_message_is_new_each_time() {
    assert_ne!(test_message(), test_message());
}
