//! Keys, signatures and trees from outside, each against another implementation.

mod keys;
mod merkle;
mod signatures;
mod state_tree;

use ccoin_crypto::SecretKey;
use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::OnceLock,
};

/// One key for all tests that need any.
fn key() -> &'static SecretKey {
    static KEY: OnceLock<SecretKey> = OnceLock::new();
    KEY.get_or_init(|| SecretKey::generate(2048).unwrap())
}

/// What `openssl` prints for `arguments` in `dir` with `input`; `None` where there is no openssl.
fn openssl(dir: &Path, arguments: &str, input: &str) -> Option<String> {
    let spawned = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = spawned else {
        println!("no openssl here, nothing compared");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {arguments}");
    Some(String::from_utf8(output.stdout).unwrap())
}
