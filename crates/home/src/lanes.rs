//! `CCOIN_LANES`: whether signatures may be checked eight at once. Pure: the value of the
//! variable comes from the caller.

use crate::{ExitCode, Failure};
use ccoin_crypto::Lanes;

const VARIABLE: &str = "CCOIN_LANES";

/// The choice of the operator: `off`, or `on`, which is also what an empty or missing variable
/// means. Where the processor has no lanes they stay off.
///
/// # Errors
/// [`ExitCode::BadConfig`] for any other value.
pub fn lanes(variable: &dyn Fn(&str) -> Option<String>) -> Result<Lanes, Failure> {
    match variable(VARIABLE).as_deref() {
        None | Some("" | "on") => Ok(Lanes::detect()),
        Some("off") => Ok(Lanes::off()),
        Some(other) => {
            let message = format!("{VARIABLE} is {other:?}, which is neither on nor off");
            Err(Failure::new(ExitCode::BadConfig, message).hint(format!(
                "export {VARIABLE}=off checks every signature alone; without the variable RSA-2048 \
                 signatures are checked eight at once where the processor can"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(value: Option<&str>) -> Result<bool, Failure> {
        let variable = |name: &str| value.filter(|_| name == VARIABLE).map(str::to_owned);
        lanes(&variable).map(Lanes::are_on)
    }

    #[test]
    fn lanes_are_on_where_they_can_be_unless_they_are_switched_off() {
        let possible = Lanes::detect().are_on();
        for value in [None, Some(""), Some("on")] {
            assert_eq!(chosen(value).unwrap(), possible, "{value:?}");
        }
        assert!(!chosen(Some("off")).unwrap());
    }

    #[test]
    fn an_unknown_value_is_refused_with_the_known_ones() {
        for value in ["OFF", "0", "no", " off"] {
            let failure = chosen(Some(value)).unwrap_err();
            assert_eq!(failure.code, ExitCode::BadConfig);
            let report = failure.report();
            assert!(report.contains(&format!("{value:?}")), "{report}");
            assert!(report.contains("CCOIN_LANES=off"), "{report}");
        }
    }
}
