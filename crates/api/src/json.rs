//! The JSON of answers. Times: seconds as a decimal number on the legacy paths, RFC 3339
//! with three decimals under /v1.

use crate::schema::{AddressText, Base64, Id, TimeText, Whole};
use ccoin_core::{
    AccountNonce, Address, Amount, BlockId, Height, StateHash, Timestamp, TxId, TxnsHash,
    block::Header, ledger, transaction::VerifiedTransaction,
};
use ccoin_crypto::{PublicKey, Signature};
use ccoin_node::{BlockHead, TxStatus};
use serde::Serialize;
use std::time::{Duration, UNIX_EPOCH};
use utoipa::ToSchema;

/// A time in the notation of the path.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Time {
    /// Seconds since 1970 as a decimal number.
    Seconds(Timestamp),
    /// RFC 3339, UTC, three decimals.
    Rfc3339(Timestamp),
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            // Below the year 9999 these are at most 15 digits: exact in a double.
            #[allow(clippy::cast_precision_loss)]
            Self::Seconds(time) => serializer.serialize_f64(time.get() as f64 / 1000.0),
            Self::Rfc3339(time) => serializer.collect_str(&rfc3339(*time)),
        }
    }
}

/// `2018-04-07T11:46:59.336Z`.
pub(crate) fn rfc3339(time: Timestamp) -> impl core::fmt::Display {
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(time.get()))
}

/// A transaction in the nine fields of 2018.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TxnJson {
    id: TxId,
    number: AccountNonce,
    from: Address,
    to: Address,
    amount: Amount,
    data: String,
    time: Time,
    signature: Signature,
    public_key: PublicKey,
}

impl TxnJson {
    pub(crate) fn new(txn: &VerifiedTransaction, time: fn(Timestamp) -> Time) -> Self {
        Self {
            id: *txn.id(),
            number: txn.number,
            from: txn.sender(),
            to: txn.to,
            amount: txn.amount,
            data: txn.data.clone(),
            time: time(txn.time),
            signature: txn.signature.clone(),
            public_key: txn.from.clone(),
        }
    }

    /// For a writer that writes the data in parts.
    pub(crate) fn without_data(mut self) -> Self {
        self.data.clear();
        self
    }
}

/// A transaction and its status.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TxnStatusJson {
    #[serde(flatten)]
    txn: TxnJson,
    status: &'static str,
    block_number: Option<Height>,
    block_id: Option<BlockId>,
    index: Option<usize>,
    reason: Option<String>,
}

impl TxnStatusJson {
    /// `last_final`: number of the final block.
    pub(crate) fn new(
        txn: &VerifiedTransaction,
        status: &TxStatus,
        last_final: Height,
        time: fn(Timestamp) -> Time,
    ) -> Self {
        let (place, reason) = match status {
            TxStatus::Pending => (None, None),
            TxStatus::Included {
                height,
                block,
                index,
            } => (Some((*height, *block, *index)), None),
            TxStatus::Dropped(reason) => (None, Some(reason.clone())),
        };
        Self {
            txn: TxnJson::new(txn, time),
            status: status_word(status, last_final),
            block_number: place.map(|(height, _, _)| height),
            block_id: place.map(|(_, block, _)| block),
            index: place.map(|(_, _, index)| index),
            reason,
        }
    }

    /// See [`TxnJson::without_data`].
    pub(crate) fn without_data(mut self) -> Self {
        self.txn = self.txn.without_data();
        self
    }
}

/// The word for a status: a transaction of a final block is final.
pub(crate) fn status_word(status: &TxStatus, last_final: Height) -> &'static str {
    match status {
        TxStatus::Included { height, .. } if *height <= last_final => "final",
        other => other.word(),
    }
}

/// An account as of a block.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccountJson {
    address: Address,
    nonce: AccountNonce,
    balance: Amount,
}

impl AccountJson {
    pub(crate) fn new(address: Address, account: ledger::Account) -> Self {
        Self {
            address,
            nonce: account.nonce,
            balance: account.balance,
        }
    }
}

/// How much of a block's body is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyForm {
    /// Whole transactions.
    Full,
    /// Their ids.
    Ids,
    /// Nothing.
    Left,
}

/// A field that is written row by row, behind the others.
#[derive(Debug, Serialize)]
enum WrittenLater {}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct List<T> {
    pub(crate) items: Vec<T>,
    /// Where the next page begins.
    pub(crate) next: Option<String>,
}

/// What tells a block from others.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BlockSummary {
    number: Height,
    id: BlockId,
    time: Time,
    coinbase: Address,
}

impl BlockSummary {
    pub(crate) fn new(id: BlockId, header: &Header) -> Self {
        Self {
            number: header.number,
            id,
            time: Time::Rfc3339(header.time),
            coinbase: header.coinbase,
        }
    }
}

/// What a body is a list of.
#[derive(ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes the rows of a body")]
enum BodyRow {
    Full(Box<TxnJson>),
    Id(Id),
}

/// A block without its state.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BlockJson {
    number: Height,
    id: BlockId,
    hash_parent: BlockId,
    hash_state: StateHash,
    hash_txns: TxnsHash,
    coinbase: Address,
    time: Time,
    reward: Amount,
    difficulty: u8,
    nonce: ccoin_core::PowNonce,
    data: String,
    signature: Signature,
    #[serde(rename = "final")]
    is_final: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<BodyRow>>)]
    body: Option<WrittenLater>,
}

impl BlockJson {
    /// `last_final`: number of the final block.
    pub(crate) fn new(block: &BlockHead, last_final: Height, time: fn(Timestamp) -> Time) -> Self {
        let header = &block.signed.header;
        Self {
            number: header.number,
            id: block.id,
            hash_parent: header.hash_parent,
            hash_state: header.hash_state,
            hash_txns: header.hash_txns,
            coinbase: header.coinbase,
            time: time(header.time),
            reward: header.reward,
            difficulty: header.difficulty,
            nonce: block.signed.nonce,
            data: header.data.clone(),
            signature: block.signed.signature.clone(),
            is_final: header.number <= last_final,
            body: None,
        }
    }
}
