//! Blocks, states and keys as a node answers them, turned into what the rules judge. What a node
//! says of ids and addresses is compared with what follows from the other fields.

use std::time::UNIX_EPOCH;

use ccoin_core::{
    AccountNonce, Address, Amount, BlockId, Height, PowNonce, StateHash, Timestamp, TxId, TxnsHash,
    block::{Block, Header, SignedHeader, VERSION},
    transaction::Transaction,
};
use ccoin_crypto::{PublicKey, Signature};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// A member of a block that is not what follows from the others.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {got}, the other fields give {expected}")]
pub(super) struct Contradiction {
    field: String,
    got: String,
    expected: String,
}

/// A header in `GET /v1/blocks/{n}` and `GET /v1/blocks`; `B` is the body.
#[derive(Deserialize)]
pub(super) struct BlockAnswer<B = IgnoredAny> {
    pub(super) number: Height,
    pub(super) id: BlockId,
    hash_parent: BlockId,
    hash_state: StateHash,
    hash_txns: TxnsHash,
    coinbase: Address,
    #[serde(deserialize_with = "time")]
    time: Timestamp,
    reward: Amount,
    difficulty: u8,
    nonce: PowNonce,
    data: String,
    signature: Signature,
    body: Option<B>,
}

/// A transaction in a body.
#[derive(Deserialize)]
pub(super) struct TxnAnswer {
    id: TxId,
    number: AccountNonce,
    from: Address,
    public_key: PublicKey,
    to: Address,
    amount: Amount,
    data: String,
    #[serde(deserialize_with = "time")]
    time: Timestamp,
    signature: Signature,
}

/// A page of `GET /v1/blocks/{n}/state`.
#[derive(Deserialize)]
pub(super) struct StatePage {
    pub(super) items: Vec<AccountRow>,
    pub(super) next: Option<Address>,
}

/// An account of a state.
#[derive(Deserialize)]
pub(super) struct AccountRow {
    pub(super) address: Address,
    pub(super) nonce: AccountNonce,
    pub(super) balance: Amount,
}

/// `GET /v1/blocks`.
#[derive(Deserialize)]
pub(super) struct BlockPage {
    pub(super) items: Vec<BlockAnswer>,
}

/// `GET /v1/miners`; nodes of the version before show no keys.
#[derive(Deserialize)]
pub(super) struct MinersAnswer {
    pub(super) items: Vec<MinerRow>,
}

#[derive(Deserialize)]
pub(super) struct MinerRow {
    pub(super) public_key: Option<PublicKey>,
}

impl<B> BlockAnswer<B> {
    /// The signed header, and the body.
    pub(super) fn into_parts(self) -> (SignedHeader, Option<B>) {
        let header = Header {
            version: VERSION,
            number: self.number,
            hash_parent: self.hash_parent,
            hash_state: self.hash_state,
            hash_txns: self.hash_txns,
            coinbase: self.coinbase,
            time: self.time,
            reward: self.reward,
            difficulty: self.difficulty,
            data: self.data,
        };
        let signed = SignedHeader {
            header,
            nonce: self.nonce,
            signature: self.signature,
        };
        (signed, self.body)
    }
}

impl BlockAnswer<Vec<TxnAnswer>> {
    /// The block, on the network `genesis`.
    ///
    /// # Errors
    /// [`Contradiction`].
    pub(super) fn into_block(self, genesis: &BlockId) -> Result<Block, Contradiction> {
        let claimed = self.id;
        let (signed, body) = self.into_parts();
        same(|| "id".to_owned(), claimed, signed.id(genesis))?;
        let txns = body.unwrap_or_default().into_iter().enumerate();
        let txns = txns.map(|(index, txn)| txn.into_transaction(index, genesis));
        Ok(Block {
            signed,
            transactions: txns.collect::<Result<_, _>>()?,
        })
    }
}

impl TxnAnswer {
    fn into_transaction(
        self,
        index: usize,
        genesis: &BlockId,
    ) -> Result<Transaction, Contradiction> {
        let (id, from) = (self.id, self.from);
        let txn = Transaction {
            number: self.number,
            from: self.public_key,
            to: self.to,
            amount: self.amount,
            data: self.data,
            time: self.time,
            signature: self.signature,
        };
        let field = |name| move || format!("{name} of transaction {index}");
        same(field("id"), id, txn.id(genesis))?;
        same(field("from"), from, txn.from.address())?;
        Ok(txn)
    }
}

fn same<T: PartialEq + ToString>(
    field: impl FnOnce() -> String,
    got: T,
    expected: T,
) -> Result<(), Contradiction> {
    if got == expected {
        return Ok(());
    }
    Err(Contradiction {
        field: field(),
        got: got.to_string(),
        expected: expected.to_string(),
    })
}

/// RFC 3339 in whole milliseconds since 1970.
fn time<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    let since = humantime::parse_rfc3339(&text).ok();
    let since = since.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let millis = since.and_then(|since| u64::try_from(since.as_millis()).ok());
    let time = millis.and_then(|millis| Timestamp::new(millis).ok());
    time.ok_or_else(|| serde::de::Error::custom(format!("{text} is not a time")))
}
