//! RSA-2048 signatures checked eight at once, where the processor has AVX-512 IFMA.
//!
//! **Lanes may only accept.** What they refuse is checked again by the library, whose word
//! counts, and so is one of 1,024 that they accept, chosen at random. [`settle()`] is the only
//! place that turns opinions of lanes into verdicts.

mod batch;
mod eight;
mod key;
mod number;
mod padding;
#[cfg_attr(not(target_arch = "x86_64"), path = "power_absent.rs")]
mod power;
mod settle;
mod spot_check;
#[cfg(test)]
mod tests;

pub(crate) use key::LaneKey;
pub(crate) use settle::settle;
pub(crate) use spot_check::SpotCheck;

pub use settle::LaneFault;

use std::fmt;

/// Whether RSA-2048 signatures that come together are checked eight at once. The verdicts are
/// the same either way.
#[derive(Clone, Copy, Debug)]
pub struct Lanes(Option<power::Engine>);

impl Lanes {
    /// Every signature is checked alone.
    #[must_use]
    pub const fn off() -> Self {
        Self(None)
    }

    /// Eight at once if this processor can.
    #[must_use]
    pub fn detect() -> Self {
        Self(power::detected())
    }

    /// Whether this processor can and may.
    #[must_use]
    pub fn are_on(self) -> bool {
        self.0.is_some()
    }
}

/// For people: which path checks signatures.
impl fmt::Display for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Some(_) => "eight RSA-2048 signatures at once (AVX-512 IFMA)",
            None => "one signature at a time",
        })
    }
}
