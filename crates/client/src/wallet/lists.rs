//! Blocks, waiting transactions and those of an account, newest first, page by page.

use ccoin_core::Address;
use ccoin_home::Failure;
use serde::Deserialize;
use serde_json::Value;

use super::show::get;
use super::txn::TxnView;
use super::{Account, KnownAccounts};
use crate::files::json;
use crate::words::count;
use crate::{NodeUrl, http};

/// Pages without rows that are skipped: a node reads a hundred blocks for each.
const MAX_SKIPPED: usize = 50;

/// What a list shows.
#[derive(Clone, Debug)]
pub struct Page {
    /// Most rows: 1 to 100.
    pub limit: u8,
    /// Where it goes on: `next` of the page before.
    pub next: Option<String>,
}

#[derive(Deserialize)]
struct Rows<T> {
    items: Vec<T>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct BlockRow {
    number: u64,
    time: String,
    coinbase: Address,
    txn_count: u64,
    #[serde(rename = "final")]
    is_final: bool,
}

/// The newest blocks, or those before the number in `page.next`.
///
/// # Errors
/// [`Failure`] of the request.
pub fn blocks(
    url: &NodeUrl,
    page: &Page,
    known: &KnownAccounts,
    as_json: bool,
) -> Result<String, Failure> {
    let path = path("/v1/blocks", page, "before");
    let value = get(url, &path)?;
    if as_json {
        return Ok(json(&value));
    }
    let rows: Rows<BlockRow> = rows(&path, &value)?;
    let mut lines = vec![format!(
        "{:<8} {:<20} {:>5}  MINER",
        "BLOCK", "TIME", "TXNS"
    )];
    for row in &rows.items {
        let second = row.time.get(..19).unwrap_or(&row.time);
        let is_final = if row.is_final { "  final" } else { "" };
        let (number, txns, miner) = (row.number, row.txn_count, known.short(&row.coinbase));
        lines.push(format!(
            "{number:<8} {second}Z {txns:>5}  {miner}{is_final}"
        ));
    }
    lines.extend(
        rows.next
            .map(|next| format!("older: ccoin blocks --before {next}")),
    );
    Ok(lines.join("\n"))
}

/// The transactions that wait for a block.
///
/// # Errors
/// [`Failure`] of the request.
pub fn waiting(
    url: &NodeUrl,
    page: &Page,
    known: &KnownAccounts,
    as_json: bool,
) -> Result<String, Failure> {
    let path = path("/v1/queue", page, "after");
    let value = get(url, &path)?;
    if as_json {
        return Ok(json(&value));
    }
    let rows: Rows<TxnView> = rows(&path, &value)?;
    let txns = value["txns"].as_u64().unwrap_or(rows.items.len() as u64);
    let mut lines = vec![format!("{} waiting", count(txns, "transaction"))];
    lines.extend(rows.items.iter().map(|txn| txn.line(known)));
    lines.extend(
        rows.next
            .map(|next| format!("more: ccoin txns --next {next}")),
    );
    Ok(lines.join("\n"))
}

/// The transactions of an account.
///
/// # Errors
/// [`Failure`] of the request.
pub fn history(
    url: &NodeUrl,
    account: &Account,
    page: &Page,
    known: &KnownAccounts,
    as_json: bool,
) -> Result<String, Failure> {
    let list = format!("/v1/accounts/{}/txns", account.address);
    let mut page = page.clone();
    let mut skipped = 0;
    loop {
        let path = path(&list, &page, "before");
        let value = get(url, &path)?;
        if as_json {
            return Ok(json(&value));
        }
        let rows: Rows<TxnView> = rows(&path, &value)?;
        if rows.items.is_empty() && rows.next.is_some() && skipped < MAX_SKIPPED {
            // None of these blocks held a transaction of the account, as those that it mined.
            (page.next, skipped) = (rows.next, skipped + 1);
            continue;
        }
        return Ok(history_lines(&rows, &known.label(&account.address), known));
    }
}

fn history_lines(rows: &Rows<TxnView>, label: &str, known: &KnownAccounts) -> String {
    let row = |txn: &TxnView| format!("{:<20}  {}", txn.fate(), txn.line(known));
    let mut lines: Vec<_> = rows.items.iter().map(row).collect();
    match &rows.next {
        Some(next) => lines.push(format!("older: ccoin txns {label} --next {next}")),
        None if lines.is_empty() => lines.push(format!("{label} has no transactions in blocks")),
        None => {}
    }
    lines.join("\n")
}

fn path(list: &str, page: &Page, cursor: &str) -> String {
    let next = page.next.as_ref();
    let next = next.map_or_else(String::new, |next| format!("&{cursor}={next}"));
    format!("{list}?limit={}{next}", page.limit)
}

fn rows<'a, T: Deserialize<'a>>(path: &str, value: &'a Value) -> Result<Rows<T>, Failure> {
    Rows::deserialize(value).map_err(|error| {
        let (path, reason) = (path.to_owned(), error.to_string());
        http::HttpError::Answer { path, reason }.into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_its_limit_and_where_it_goes_on() {
        let mut page = Page {
            limit: 5,
            next: None,
        };
        assert_eq!(path("/v1/queue", &page, "after"), "/v1/queue?limit=5");
        page.next = Some("12".to_owned());
        assert_eq!(
            path("/v1/blocks", &page, "before"),
            "/v1/blocks?limit=5&before=12"
        );
    }
    #[test]
    fn the_history_of_an_account_has_fates_and_says_how_to_go_on() {
        let (from, to) = ("1".repeat(40), "2".repeat(40));
        let value = serde_json::json!({"items": [{
            "id": "ab", "number": 1, "from": from, "to": to, "amount": 5, "data": "",
            "time": "2026-11-24T13:00:02.500Z", "status": "final", "block_number": 3,
            "block_id": "00", "index": 0, "reason": null,
        }], "next": "3-0"});
        let rows = rows("/v1", &value).unwrap();
        assert_eq!(
            history_lines(&rows, "alice", &KnownAccounts::default()),
            "final in block 3      5 coins  ...11111111 -> ...22222222  ab\n\
             older: ccoin txns alice --next 3-0"
        );
        let none = serde_json::json!({"items": [], "next": null});
        let none = super::rows("/v1", &none).unwrap();
        let said = history_lines(&none, "alice", &KnownAccounts::default());
        assert_eq!(said, "alice has no transactions in blocks");
    }
}
