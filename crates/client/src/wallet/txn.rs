//! A transaction for people: every field on a line of its own, names for addresses.

use ccoin_core::Address;
use ccoin_home::{ExitCode, Failure};
use serde::Deserialize;

use super::KnownAccounts;
use super::show::{get, indented};
use crate::NodeUrl;
use crate::files::json;
use crate::words::{count, quoted};

/// A transaction in any answer of a node. One of a block or a queue has no status.
#[derive(Deserialize)]
pub(super) struct TxnView {
    pub(super) id: String,
    number: u64,
    pub(super) from: Address,
    pub(super) to: Address,
    pub(super) amount: u64,
    pub(super) data: String,
    time: String,
    pub(super) status: Option<String>,
    pub(super) block_number: Option<u64>,
    reason: Option<String>,
}

/// A transaction by id, and what became of it.
///
/// # Errors
/// [`Failure`] of the request, 2 for a text that is no id.
pub fn txn(
    url: &NodeUrl,
    id: &str,
    known: &KnownAccounts,
    as_json: bool,
) -> Result<String, Failure> {
    if id.len() != 64 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let message = format!("{id:?} is no id of a transaction: it has 64 hex digits");
        return Err(Failure::new(ExitCode::Usage, message)
            .hint("ccoin send prints the id; ccoin txns ACCOUNT lists those of an account"));
    }
    let value = get(url, &format!("/v1/txns/{}", id.to_ascii_lowercase()))?;
    if as_json {
        return Ok(json(&value));
    }
    Ok(TxnView::deserialize(&value).map_or_else(|_| indented(&value), |txn| txn.lines(known)))
}

impl TxnView {
    /// `final in block 3`.
    pub(super) fn fate(&self) -> String {
        let status = self.status.as_deref().unwrap_or("pending");
        match (self.block_number, &self.reason) {
            (Some(number), _) => format!("{status} in block {number}"),
            (None, Some(reason)) => format!("{status}: {reason}"),
            (None, None) => status.to_owned(),
        }
    }

    /// One line: `5 coins  alice -> bob  "hello"  <id>`.
    pub(super) fn line(&self, known: &KnownAccounts) -> String {
        let (from, to) = (known.short(&self.from), known.short(&self.to));
        let coins = count(self.amount, "coin");
        let data = match self.data.as_str() {
            "" => String::new(),
            text => format!("  {}", quoted(&text.chars().take(40).collect::<String>())),
        };
        format!("{coins}  {from} -> {to}{data}  {}", self.id)
    }

    fn lines(&self, known: &KnownAccounts) -> String {
        let mut lines = vec![
            format!("txn      {}", self.id),
            format!("status   {}", self.fate()),
            format!("from     {}", known.long(&self.from)),
            format!("to       {}", known.long(&self.to)),
            format!("amount   {}", count(self.amount, "coin")),
            format!("number   {}", self.number),
            format!("time     {}", self.time),
        ];
        if !self.data.is_empty() {
            lines.push(format!("data     {}", quoted(&self.data)));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_shown_with_its_fate_and_its_text_cannot_harm() {
        let zeros = "0".repeat(40);
        let txn: TxnView = serde_json::from_value(serde_json::json!({
            "id": "ab", "number": 7, "from": zeros, "to": zeros, "amount": 1,
            "data": "a\u{1b}[2J\n", "time": "2026-11-24T13:00:02.500Z",
            "status": "dropped", "block_number": null, "reason": "expired",
        }))
        .unwrap();
        let known = KnownAccounts::default();
        let shown = txn.lines(&known);
        assert!(shown.contains("status   dropped: expired\n"), "{shown}");
        assert!(shown.contains("amount   1 coin\n"), "{shown}");
        assert!(shown.ends_with(r#"data     "a\u{1b}[2J\n""#), "{shown}");
        let line = txn.line(&known);
        assert_eq!(line, r#"1 coin  - -> -  "a\u{1b}[2J\n"  ab"#);
    }
}
