//! A block for people: its header, and a line for each transaction.

use ccoin_core::Address;
use ccoin_home::{ExitCode, Failure};
use serde::Deserialize;

use super::KnownAccounts;
use super::show::{get, indented};
use super::txn::TxnView;
use crate::NodeUrl;
use crate::files::json;
use crate::words::{count, quoted};

#[derive(Deserialize)]
struct BlockView {
    number: u64,
    id: String,
    hash_parent: String,
    coinbase: Address,
    time: String,
    reward: u64,
    data: String,
    #[serde(rename = "final")]
    is_final: bool,
    body: Vec<TxnView>,
}

/// A block by number, id, `head` or `final`.
///
/// # Errors
/// [`Failure`] of the request, 2 for a text that names no block.
pub fn block(
    url: &NodeUrl,
    which: &str,
    known: &KnownAccounts,
    as_json: bool,
) -> Result<String, Failure> {
    let named = matches!(which, "head" | "final");
    if !named && (which.is_empty() || !which.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        let message = format!("{which:?} names no block");
        return Err(Failure::new(ExitCode::Usage, message)
            .hint("give its number, its id of 64 hex digits, head or final"));
    }
    let value = get(url, &format!("/v1/blocks/{}", which.to_ascii_lowercase()))?;
    if as_json {
        return Ok(json(&value));
    }
    // Block 1 has no transactions, and its data is the whole configuration.
    Ok(
        BlockView::deserialize(&value)
            .map_or_else(|_| indented(&value), |block| block.lines(known)),
    )
}

impl BlockView {
    fn lines(&self, known: &KnownAccounts) -> String {
        let is_final = if self.is_final { ", final" } else { "" };
        let mut lines = vec![
            format!("block    {}{is_final}", self.number),
            format!("id       {}", self.id),
            format!("parent   {}", self.hash_parent),
            format!("time     {}", self.time),
            format!("miner    {}", known.long(&self.coinbase)),
            format!("reward   {}", count(self.reward, "coin")),
        ];
        if !self.data.is_empty() {
            lines.push(format!("data     {}", quoted(&self.data)));
        }
        lines.push(format!(
            "body     {}",
            count(self.body.len() as u64, "transaction")
        ));
        let rows = self.body.iter();
        lines.extend(rows.map(|txn| format!("  {}", txn.line(known))));
        lines.join("\n")
    }
}
