//! Transactions and blocks as JSON that is written as the reader takes it, made with the low
//! priority of reads. The data of a transaction can be six times as long as text: long data is
//! escaped in parts.

use crate::{
    json::{BodyForm, Time, TxnJson, TxnStatusJson},
    problem::unreadable,
};
use ccoin_core::{Height, Timestamp, transaction::VerifiedTransaction};
use ccoin_http::{JsonWriter, Problem};
use ccoin_node::{ChainReader, OpenBlock, TxStatus};
use serde::Serialize;

/// Bytes of encoded transactions behind which a page of a list ends.
pub(crate) const PAGE_BYTES: usize = 64 << 10;

/// Bytes of data that are escaped in one go.
const PART: usize = 4 << 10;

/// How a row without data shows where the data goes.
const NO_DATA: &str = "\"data\":\"\"";

/// A row whose data was left away, and that data.
pub(crate) async fn row(
    json: &mut JsonWriter,
    reader: &ChainReader,
    without_data: &impl Serialize,
    data: &str,
) -> Result<(), Problem> {
    let text = to_json(without_data)?;
    // The fields before it hold digits only.
    let Some((before, behind)) = text.split_once(NO_DATA) else {
        return Err(Problem::internal("a transaction without data"));
    };
    json.raw(before).await?;
    json.raw(&NO_DATA[..NO_DATA.len() - 1]).await?;
    let mut rest = data;
    while !rest.is_empty() {
        let (part, more) = rest.split_at(rest.floor_char_boundary(PART));
        let part = part.to_owned();
        let quoted = reader.work(move || to_json(&part)).await;
        let quoted = quoted.map_err(unreadable)??;
        // Without the quotes.
        json.raw(quoted.get(1..quoted.len() - 1).unwrap_or_default())
            .await?;
        rest = more;
    }
    json.raw("\"").await?;
    json.raw(behind).await
}

/// A transaction and what became of it.
pub(crate) async fn txn_status(
    json: &mut JsonWriter,
    reader: &ChainReader,
    (txn, status): (&VerifiedTransaction, &TxStatus),
    last_final: Height,
    time: fn(Timestamp) -> Time,
) -> Result<(), Problem> {
    let fields = TxnStatusJson::new(txn, status, last_final, time).without_data();
    row(json, reader, &fields, &txn.data).await
}

/// An object whose end is not written yet: more fields follow.
pub(crate) async fn open_object(
    json: &mut JsonWriter,
    fields: &impl Serialize,
) -> Result<(), Problem> {
    let text = to_json(fields)?;
    json.raw(text.strip_suffix('}').unwrap_or(&text)).await
}

/// The field `body` of a block, behind other fields.
pub(crate) async fn body(
    json: &mut JsonWriter,
    reader: &ChainReader,
    mut block: OpenBlock,
    form: BodyForm,
    time: fn(Timestamp) -> Time,
) -> Result<(), Problem> {
    if form == BodyForm::Left {
        return Ok(());
    }
    json.raw(",\"body\":[").await?;
    let mut comma = "";
    loop {
        let txns = reader.next_txns(&mut block).await.map_err(unreadable)?;
        if txns.is_empty() {
            return json.raw("]").await;
        }
        json.raw(comma).await?;
        comma = ",";
        if let ([txn], BodyForm::Full) = (txns.as_slice(), form) {
            let fields = TxnJson::new(txn, time).without_data();
            row(json, reader, &fields, &txn.data).await?;
            continue;
        }
        let rows = reader.work(move || rows(&txns, form, time)).await;
        json.raw(&rows.map_err(unreadable)??).await?;
    }
}

/// The rows of a piece that holds no long data, with commas between them.
fn rows(
    txns: &[VerifiedTransaction],
    form: BodyForm,
    time: fn(Timestamp) -> Time,
) -> Result<String, Problem> {
    let rows = txns.iter().map(|txn| match form {
        BodyForm::Full => to_json(&TxnJson::new(txn, time)),
        BodyForm::Ids | BodyForm::Left => to_json(txn.id()),
    });
    Ok(rows.collect::<Result<Vec<_>, _>>()?.join(","))
}

fn to_json(value: &(impl Serialize + ?Sized)) -> Result<String, Problem> {
    serde_json::to_string(value).map_err(|error| Problem::internal(error.to_string()))
}
