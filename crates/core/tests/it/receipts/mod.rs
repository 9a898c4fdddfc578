//! Receipts: what they prove, what is refused and at which step, and the vectors that all
//! verifiers judge alike.

mod bad;
mod ledger;
mod mutations;
mod vectors;
mod write;
