//! The arrows between the crates: what each may import, ours and others', read from
//! `cargo metadata`. The map in `crates/README.md` draws the same picture.

use serde_json::Value;
use std::{collections::BTreeMap, process::Command};

/// Crate, which of ours it may use, and outsiders that it must not.
const ARROWS: &[(&str, &[&str], &[&str])] = &[
    ("ccoin-crypto", &[], PURE),
    ("ccoin-core", &["crypto"], PURE),
    ("ccoin-sim", &["core", "crypto"], PURE),
    (
        "ccoin-storage",
        &["core", "crypto"],
        &["tokio", "axum", "hyper"],
    ),
    (
        "ccoin-home",
        &["storage", "core", "crypto"],
        &["tokio", "axum", "hyper"],
    ),
    ("ccoin-http", &[], &["clap", "rusty-leveldb", "rmp-serde"]),
    (
        "ccoin-p2p",
        &["core", "crypto"],
        &["axum", "hyper", "clap", "serde_json", "rusty-leveldb"],
    ),
    (
        "ccoin-node",
        &["storage", "p2p", "discovery", "home", "core", "crypto"],
        &["axum", "hyper", "clap"],
    ),
    (
        "ccoin-api",
        &["node", "http", "core", "crypto"],
        &["clap", "rusty-leveldb"],
    ),
    (
        "ccoin-client",
        &["http", "home", "sim", "core", "crypto"],
        &["axum", "rusty-leveldb"],
    ),
    (
        "ccoin-discovery",
        &["http", "home", "core", "crypto"],
        &["clap", "rusty-leveldb"],
    ),
];

/// What the pure crates must never see.
const PURE: &[&str] = &["tokio", "axum", "hyper", "rusty-leveldb", "tracing", "clap"];

#[test]
fn every_crate_imports_only_what_its_layer_allows() {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--locked",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages: BTreeMap<&str, &Value> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (package["name"].as_str().unwrap(), package))
        .collect();
    let listed: Vec<&str> = ARROWS.iter().map(|(name, ..)| *name).collect();
    for name in packages.keys() {
        assert!(
            *name == "ccoin" || listed.contains(name),
            "{name} has no layer: add it to ARROWS"
        );
    }
    for (name, ours, banned) in ARROWS {
        for dependency in packages[name]["dependencies"].as_array().unwrap() {
            let other = dependency["name"].as_str().unwrap();
            // Tests may use more: they start whole nodes.
            if dependency["kind"] == "dev" {
                continue;
            }
            if let Some(ccoin) = other.strip_prefix("ccoin-") {
                assert!(ours.contains(&ccoin), "{name} must not import {other}");
            }
            assert!(!banned.contains(&other), "{name} must not use {other}");
        }
    }
}
