//! The figures of several nodes, measured with the real binaries on this machine and told
//! as ratios within one run: `cargo bench --bench network [-- NAME...]`. Never a test:
//! nothing here fails because a machine is slow.

#[path = "../support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests use the rest")]
mod support;

mod attacks;
mod callers;
mod http;
mod liar;
mod network;
mod rejoin;
mod speed;
mod strangers;
mod sync;

/// Name, what it measures, how.
const FIGURES: [(&str, &str, fn()); 9] = [
    (
        "devnet",
        "a local network to ready, and to its end",
        speed::devnet,
    ),
    (
        "speed",
        "four validators that share this machine",
        speed::four_validators,
    ),
    (
        "killed",
        "the same, and one of the four dies",
        speed::one_of_four_dies,
    ),
    ("sync", "a new node fetches a long chain", sync::all),
    (
        "rejoin",
        "two long branches become one chain",
        rejoin::two_halves,
    ),
    (
        "strangers",
        "payments while strangers knock",
        strangers::all,
    ),
    ("attacks", "payments while strangers attack", attacks::all),
    (
        "http",
        "payments while callers attack the HTTP side",
        http::attacks,
    ),
    ("readers", "payments while 400 readers read", http::readers),
];

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some(strangers::KNOCK) => return strangers::knock(),
        Some(callers::CALL) => return callers::call(),
        _ => {}
    }
    // cargo adds `--bench`.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    for (name, what, measure) in FIGURES {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            println!("\n== {name}: {what}");
            measure();
        }
    }
}
