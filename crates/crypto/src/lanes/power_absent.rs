//! Processors without the lanes: no engine exists, so nothing here is ever called.

use super::number::LIMBS;

pub(crate) const EIGHT: usize = 8;

pub(crate) type Rows = [[u64; EIGHT]; LIMBS];

/// There is none.
pub(crate) type Engine = std::convert::Infallible;

pub(crate) struct Moduli {
    pub(crate) n: Rows,
    pub(crate) inverse: [u64; EIGHT],
}

pub(crate) fn detected() -> Option<Engine> {
    None
}

pub(crate) fn power(engine: Engine, _: &Rows, _: &Rows, _: &Moduli) -> Rows {
    match engine {}
}

pub(crate) fn montgomery_form(engine: Engine, _: &Rows, _: &Moduli) -> Rows {
    match engine {}
}
