//! What a receipt proves, and what it does not, in words and as JSON.

use std::time::{Duration, UNIX_EPOCH};

use ccoin_core::{
    Amount,
    ledger::Account,
    receipt::{Verified, VerifiedBlock},
};
use serde_json::{Value, json};

/// Characters of a text that are shown.
const EXCERPT: usize = 200;

/// The last millisecond of the year 9999.
const LAST_TIME: u64 = 253_402_300_799_999;

/// RFC 3339 with three decimals; the number itself where no calendar reaches.
fn time(ms: u64) -> String {
    if ms > LAST_TIME {
        return format!("{ms} ms after 1970");
    }
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(ms)).to_string()
}

fn block(block: &VerifiedBlock) -> Value {
    json!({
        "number": block.number,
        "id": block.id,
        "time": time(block.time.get()),
        "miner": block.miner,
    })
}

/// One object, the same from every verifier.
pub(super) fn json(verified: &Verified) -> Value {
    let transaction = verified.transaction.as_ref().map(|txn| {
        json!({
            "id": txn.id,
            "sender": txn.sender,
            "to": txn.to,
            "amount": txn.amount,
            "data": txn.data,
            "time": time(txn.time.get()),
        })
    });
    let account = verified.account.as_ref().map(|(address, account)| {
        json!({"address": address, "nonce": account.nonce, "balance": account.balance})
    });
    let permanence = &verified.permanence;
    json!({
        "verified": true,
        "genesis": verified.genesis,
        "document": verified.document,
        "transaction": transaction,
        "account": account,
        "block": block(&verified.block),
        "permanent": {
            "block": block(&permanence.block),
            "voters": permanence.voters,
            "voted_by": time(permanence.voted_by),
            "miners": permanence.miners,
            "tolerated": permanence.tolerated,
        },
    })
}

/// One fact a line.
pub(super) fn lines(verified: &Verified) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(hash) = &verified.document {
        lines.push(format!("document   sha256 {hash}"));
    }
    if let Some(txn) = &verified.transaction {
        lines.push(format!("existed    transaction {}", txn.id));
        lines.push(format!("signed by  {}", txn.sender));
        if txn.amount > Amount::ZERO {
            lines.push(format!("pays       {} coins to {}", txn.amount, txn.to));
        }
        if verified.document.is_none() && !txn.data.is_empty() {
            // Escaped: a text must not act on a terminal.
            let text: String = txn.data.chars().take(EXCERPT).collect();
            lines.push(format!("text       {}", text.escape_default()));
        }
    }
    if let Some((address, account)) = &verified.account {
        lines.push(if *account == Account::default() {
            format!("account    {address}: did not exist")
        } else {
            let (nonce, balance) = (account.nonce, account.balance);
            format!("account    {address}: nonce {nonce}, {balance} coins")
        });
    }
    let (first, made) = (&verified.block, &verified.permanence);
    let voters: Vec<_> = made.voters.iter().map(ToString::to_string).collect();
    lines.extend([
        format!(
            "block      {} {}, by {}",
            first.number, first.id, first.miner
        ),
        format!(
            "time       {} by the word of its miner; at the latest {} by the clocks of those who made it permanent",
            time(first.time.get()),
            time(made.voted_by),
        ),
        format!(
            "permanent  {} of {} miners voted for block {}: {}",
            voters.len(),
            made.miners,
            made.block.number,
            voters.join(", "),
        ),
        format!(
            "not proven that the content is true, who the sender is in civil life, or that {} of the \
             miners signed contradictions",
            match made.tolerated {
                0 => "none".to_owned(),
                most => format!("at most {most}"),
            },
        ),
    ]);
    lines
}
