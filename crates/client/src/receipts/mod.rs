//! Receipts from the outside: record documents, fetch a receipt, verify one without any node.

mod cose;
mod cose_proof;
mod inputs;
mod notarize;
mod pending;
mod proof;
mod report;
mod verify;
mod words;

pub use cose_proof::{CoseExport, cose_proof};
pub use inputs::{Inputs, Names};
pub use notarize::{Notarization, notarize};
pub use proof::{ProofRequest, proof};
pub use report::VERIFY_PAGE;
pub use verify::{Check, Outcome, verify};
