//! The answers of a node, with the fields that are used here; other fields are ignored, so
//! that an older client can ask a newer node.

use std::borrow::Cow;

use ccoin_core::{AccountNonce, Address, Amount, BlockId, Height, TxId};
use serde::Deserialize;

/// `GET /v1/status`.
#[derive(Clone, Debug, Deserialize)]
pub struct StatusAnswer {
    /// The network.
    pub genesis_id: BlockId,
    /// Number of the newest block.
    pub height: Height,
    /// Version of the node's program.
    pub version: String,
    /// The newest final block.
    #[serde(rename = "final")]
    pub last_final: FinalAnswer,
}

/// The final block in `GET /v1/status`.
#[derive(Clone, Debug, Deserialize)]
pub struct FinalAnswer {
    /// Its number.
    pub number: Height,
    /// Its id.
    pub id: BlockId,
}

/// `GET /v1/accounts/{address}`.
#[derive(Clone, Debug, Deserialize)]
pub struct AccountAnswer {
    /// Number of the next transaction of this account.
    pub next_number: AccountNonce,
    /// Coins.
    pub balance: Amount,
}

/// `GET /v1/blocks/{n}?body=ids`.
#[derive(Clone, Debug, Deserialize)]
pub struct BlockIds {
    /// Its id.
    pub id: BlockId,
    /// Id of the block before it.
    pub hash_parent: BlockId,
    /// Its miner.
    pub coinbase: Address,
    /// RFC 3339.
    pub time: String,
    /// Ids of its transactions in their order.
    pub body: Vec<TxId>,
}

/// `GET /v1/blocks/1`.
#[derive(Clone, Debug, Deserialize)]
pub struct GenesisAnswer {
    /// Canonical text of the genesis configuration.
    pub data: String,
}

/// `POST /v1/txns` with an array.
#[derive(Deserialize)]
pub(crate) struct Submitted<'a> {
    #[serde(borrow)]
    pub(crate) items: Vec<SubmittedItem<'a>>,
}

/// The outcome of one transaction.
#[derive(Deserialize)]
pub(crate) struct SubmittedItem<'a> {
    pub(crate) id: Option<TxId>,
    #[serde(borrow)]
    pub(crate) status: Option<Cow<'a, str>>,
    pub(crate) problem: Option<ItemProblem>,
}

#[derive(Deserialize)]
pub(crate) struct ItemProblem {
    pub(crate) code: String,
    pub(crate) detail: String,
}
