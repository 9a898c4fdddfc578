//! Transactions and blocks as JSON that is written as the reader takes it. The data of a
//! transaction can be six times as long as text: it is escaped in parts.

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

/// How a row without data shows where the data goes.
const NO_DATA: &str = "\"data\":\"\"";

/// A row whose data was left away, and that data.
pub(crate) async fn row(
    json: &mut JsonWriter,
    without_data: &impl Serialize,
    data: &str,
) -> Result<(), Problem> {
    let text = serde_json::to_string(without_data);
    let text = text.map_err(|error| Problem::internal(error.to_string()))?;
    // The fields before it hold digits only.
    let Some((before, behind)) = text.split_once(NO_DATA) else {
        return Err(Problem::internal("a transaction without data"));
    };
    json.raw(before).await?;
    json.raw(&NO_DATA[..NO_DATA.len() - 1]).await?;
    json.text(data).await?;
    json.raw("\"").await?;
    json.raw(behind).await
}

/// A transaction and what became of it.
pub(crate) async fn txn_status(
    json: &mut JsonWriter,
    txn: &VerifiedTransaction,
    status: &TxStatus,
    last_final: Height,
    time: fn(Timestamp) -> Time,
) -> Result<(), Problem> {
    let fields = TxnStatusJson::new(txn, status, last_final, time).without_data();
    row(json, &fields, &txn.data).await
}

/// An object whose end is not written yet: more fields follow.
pub(crate) async fn open_object(
    json: &mut JsonWriter,
    fields: &impl Serialize,
) -> Result<(), Problem> {
    let text = serde_json::to_string(fields);
    let text = text.map_err(|error| Problem::internal(error.to_string()))?;
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
        for txn in txns {
            json.raw(comma).await?;
            comma = ",";
            match form {
                BodyForm::Full => {
                    let fields = TxnJson::new(&txn, time).without_data();
                    row(json, &fields, &txn.data).await?;
                }
                BodyForm::Ids | BodyForm::Left => json.value(txn.id()).await?,
            }
        }
    }
}
