//! Hands transactions that were signed elsewhere to a node. The node judges each by itself.

use ccoin_home::{ExitCode, Failure};
use serde_json::Value;

use super::waiting::{TxnAnswer, Wait};
use crate::answers::{Submitted, SubmittedItem};
use crate::files::json;
use crate::http::parse;
use crate::{Connection, NodeUrl, runtime};

/// The path of submissions.
const PATH: &str = "/v1/txns";

/// Most transactions of one request.
const MAX_TXNS: usize = 1_000;

/// The transactions in a text: objects, one after the other, or arrays of them.
///
/// # Errors
/// [`Failure`] 2 for anything else, none, or more than a node takes at once.
pub fn parse_signed(text: &str) -> Result<Vec<Value>, Failure> {
    let usage = |message: String| {
        Failure::new(ExitCode::Usage, message).hint("ccoin sign prints what is expected here")
    };
    let mut txns = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter() {
        match value.map_err(|error| usage(format!("no signed transaction: {error}")))? {
            Value::Array(more) => txns.extend(more),
            other => txns.push(other),
        }
    }
    match txns.len() {
        1..=MAX_TXNS if txns.iter().all(Value::is_object) => Ok(txns),
        1..=MAX_TXNS => Err(usage("a signed transaction is a JSON object".to_owned())),
        0 => Err(usage("no signed transaction is there".to_owned())),
        many => {
            let message = format!("{many} transactions, a node takes {MAX_TXNS} at once");
            Err(Failure::new(ExitCode::Usage, message).hint("publish them in parts"))
        }
    }
}

/// Publishes transactions of [`parse_signed`]: `print` gets a line for each. `tell` hears what
/// it waits for.
///
/// # Errors
/// [`Failure`] 6 if the node refuses one, 5 if one is in no block in time.
pub fn publish(
    url: &NodeUrl,
    txns: &[Value],
    wait: Option<Wait>,
    as_json: bool,
    print: impl Fn(String),
    tell: impl Fn(&str),
) -> Result<(), Failure> {
    runtime()?.block_on(async {
        let mut node = Connection::new(url.clone());
        let answer = node.post(PATH, &json(&txns).into()).await?;
        let answer: Submitted<'_> = parse(PATH, &answer)?;
        let (mut refused, mut hint) = (0, None);
        for (position, item) in answer.items.into_iter().enumerate() {
            match accepted(item) {
                Ok(mut txn) => {
                    if let Some(wait) = wait {
                        txn = wait.end(&mut node, txn, &tell).await?;
                    }
                    print(line(&txn, as_json));
                }
                Err(problem) => {
                    refused += 1;
                    tell(&format!(
                        "refused number {} in the list: {problem}",
                        position + 1
                    ));
                    hint.get_or_insert(problem);
                }
            }
        }
        hint.map_or(Ok(()), |problem| {
            let message = format!("{refused} of {} refused: {problem}", txns.len());
            Err(Failure::new(ExitCode::Refused, message))
        })
    })
}

fn accepted(item: SubmittedItem<'_>) -> Result<TxnAnswer, String> {
    match (item.problem, item.id, item.status) {
        (Some(problem), ..) => Err(format!("{} {}", problem.code, problem.detail)),
        (None, Some(id), Some(status)) => Ok(TxnAnswer::new(id, status.into_owned())),
        (None, ..) => Err("the node says neither a status nor a problem".to_owned()),
    }
}

fn line(txn: &TxnAnswer, as_json: bool) -> String {
    let TxnAnswer {
        id,
        status,
        block_number,
        ..
    } = txn;
    if as_json {
        let line = serde_json::json!({"id": id, "status": status, "block_number": block_number});
        return line.to_string();
    }
    let place = block_number.map_or_else(String::new, |number| format!(" in block {number}"));
    format!("{id} {status}{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_and_arrays_of_them_are_taken_in_order() {
        for text in [
            r#"{"number": 1} {"number": 2}"#,
            "[{\"number\": 1}, {\"number\": 2}]\n",
            "{\"number\": 1}\n[{\"number\": 2}]",
        ] {
            let numbers = parse_signed(text).unwrap();
            assert_eq!(
                (numbers.len(), &numbers[1]["number"]),
                (2, &2.into()),
                "{text}"
            );
        }
        for text in ["", "[]", "5", "[5]", "{", "hello"] {
            assert_eq!(
                parse_signed(text).unwrap_err().code,
                ExitCode::Usage,
                "{text}"
            );
        }
        let many = "{}".repeat(1_001);
        let failure = parse_signed(&many).unwrap_err();
        assert!(
            failure.message.starts_with("1001 transactions"),
            "{failure}"
        );
    }
}
