//! How long tests run: `CCOIN_CASES` random cases of a property, `CCOIN_BALLOTS` ballots of
//! the exhaustive check.

pub(crate) fn cases(few: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config {
        cases: number("CCOIN_CASES", few),
        failure_persistence: None,
        ..Default::default()
    }
}

/// The number in a variable of the environment, or `few`.
#[allow(
    clippy::disallowed_methods,
    reason = "the length of a test run is its caller's choice"
)]
pub(crate) fn number(variable: &str, few: u32) -> u32 {
    let asked = std::env::var(variable).ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(few)
}
