//! How many random cases a property is tried with: `CCOIN_CASES`, or `few`.

#[allow(
    clippy::disallowed_methods,
    reason = "the length of a test run is its caller's choice"
)]
pub(crate) fn cases(few: u32) -> proptest::test_runner::Config {
    let asked = std::env::var("CCOIN_CASES").ok();
    proptest::test_runner::Config {
        cases: asked.and_then(|text| text.parse().ok()).unwrap_or(few),
        failure_persistence: None,
        ..Default::default()
    }
}
