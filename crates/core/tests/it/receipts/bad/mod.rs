//! Bad receipts with the step at which each is refused, made from a good ledger and real keys.

mod accounts;
mod certificates;
mod form;
mod headers;
mod transactions;

use super::ledger::Ledger;
use ccoin_core::{BlockId, receipt::Receipt};
use ccoin_crypto::Hash;
use serde_json::Value;

/// A change of a good receipt.
pub(super) enum Change {
    /// Another receipt.
    Made(Box<Receipt>),
    /// Members replaced; null removes them.
    Set(Value),
    /// A part of the text replaced.
    Text(String, String),
    /// The reader holds another file against it.
    Document(Hash),
    /// The reader has another genesis id.
    Genesis(BlockId),
}

pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) step: u8,
    pub(super) file: &'static str,
    pub(super) change: Change,
}

fn case(step: u8, name: &'static str, file: &'static str, change: Change) -> Case {
    Case {
        name,
        step,
        file,
        change,
    }
}

fn text(from: &str, to: &str) -> Change {
    Change::Text(from.to_owned(), to.to_owned())
}

/// All cases.
pub(super) fn cases(ledger: &Ledger) -> Vec<Case> {
    let mut cases = form::form();
    cases.extend(headers::genesis(ledger));
    cases.extend(headers::headers(ledger));
    cases.extend(transactions::documents_and_transactions(ledger));
    cases.extend(accounts::accounts(ledger));
    cases.extend(certificates::certificates(ledger));
    cases
}

fn with(receipt: &Receipt, change: impl FnOnce(&mut Receipt)) -> Change {
    let mut changed = receipt.clone();
    change(&mut changed);
    Change::Made(Box::new(changed))
}
