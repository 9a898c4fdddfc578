//! Events as server-sent frames (WHATWG HTML, 9.2). Each is encoded once for all readers.

use crate::json::{BlockSummary, Time};
use axum::body::Bytes;
use ccoin_core::{
    AccountNonce, Address, Amount, BlockId, Height, TxId, transaction::VerifiedTransaction,
};
use ccoin_node::{BlockHead, TxStatus};
use serde::Serialize;

/// The kinds of events, each a bit of [`Kinds`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Block,
    Txn,
    Final,
    Leader,
    Peer,
    Dropped,
    Lagged,
}

/// What `types` may name.
pub(super) const NAMES: &str = "block, txn, final, leader, peer, dropped";

impl Kind {
    const ASKED_FOR: [Self; 6] = [
        Self::Block,
        Self::Txn,
        Self::Final,
        Self::Leader,
        Self::Peer,
        Self::Dropped,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Txn => "txn",
            Self::Final => "final",
            Self::Leader => "leader",
            Self::Peer => "peer",
            Self::Dropped => "dropped",
            Self::Lagged => "lagged",
        }
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kinds(u8);

impl Kinds {
    /// Every kind.
    pub(super) const ALL: Self = Self(u8::MAX);

    /// The kinds of a comma-separated list, or the word that is none.
    pub(super) fn parse(list: &str) -> Result<Self, &str> {
        list.split(',').try_fold(Self(0), |Self(bits), word| {
            let mut kinds = Kind::ASKED_FOR.into_iter();
            let kind = kinds.find(|kind| kind.word() == word).ok_or(word)?;
            Ok(Self(bits | 1 << kind as u8))
        })
    }

    pub(super) fn contains(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }
}

/// An event, ready to be sent.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    /// Sender and recipient, of a transaction.
    parties: Option<[Address; 2]>,
    /// A transaction of which it tells that it waits.
    pub(super) waiting: Option<TxId>,
    /// Without an id.
    pub(super) bytes: Bytes,
}

impl Frame {
    pub(super) fn new(kind: Kind, json: &impl Serialize) -> Self {
        let json = serde_json::to_string(json).expect("it has only texts and numbers");
        Self {
            kind,
            parties: None,
            waiting: None,
            bytes: format!("event: {}\ndata: {json}\n\n", kind.word()).into(),
        }
    }

    /// A transaction and what became of it.
    pub(super) fn txn(txn: &VerifiedTransaction, status: &TxStatus, last_final: Height) -> Self {
        let kind = match status {
            TxStatus::Dropped(_) => Kind::Dropped,
            _ => Kind::Txn,
        };
        let frame = Self::new(kind, &TxnEvent::new(txn, status, last_final));
        Self {
            parties: Some([txn.sender(), txn.to]),
            waiting: matches!(status, TxStatus::Pending).then(|| *txn.id()),
            ..frame
        }
    }

    /// Whether it is of no account, or of this one.
    pub(super) fn concerns(&self, address: &Address) -> bool {
        let parties = self.parties.as_ref();
        parties.is_none_or(|parties| parties.contains(address))
    }
}

/// What a reader must know of a block.
#[derive(Clone, Debug)]
pub(super) struct BlockFacts {
    pub(super) number: Height,
    pub(super) id: BlockId,
    pub(super) parent: BlockId,
    pub(super) miner: Address,
    pub(super) txn_count: usize,
    pub(super) block: Frame,
}

impl BlockFacts {
    /// `last_final`: number of the final block.
    pub(super) fn new(block: &BlockHead, last_final: Height) -> Self {
        let header = &block.signed.header;
        let event = BlockEvent {
            summary: BlockSummary::new(block.id, header),
            hash_parent: header.hash_parent,
            txn_count: block.txn_count,
            is_final: header.number <= last_final,
        };
        Self {
            number: header.number,
            id: block.id,
            parent: header.hash_parent,
            miner: header.coinbase,
            txn_count: block.txn_count,
            block: Frame::new(Kind::Block, &event),
        }
    }

    /// A transaction of the block.
    pub(super) fn txn(&self, index: usize, txn: &VerifiedTransaction, last_final: Height) -> Frame {
        let status = TxStatus::Included {
            height: self.number,
            block: self.id,
            index,
        };
        Frame::txn(txn, &status, last_final)
    }

    /// Some of them, from number `first` on.
    pub(super) fn txns(
        &self,
        first: usize,
        txns: &[VerifiedTransaction],
        last_final: Height,
    ) -> Vec<Frame> {
        let txns = (first..).zip(txns);
        txns.map(|(index, txn)| self.txn(index, txn, last_final))
            .collect()
    }
}

#[derive(Serialize)]
struct BlockEvent {
    #[serde(flatten)]
    summary: BlockSummary,
    hash_parent: BlockId,
    txn_count: usize,
    #[serde(rename = "final")]
    is_final: bool,
}

/// Who makes blocks from a block on.
#[derive(Serialize)]
pub(super) struct LeaderEvent {
    pub(super) address: Address,
    pub(super) block_number: Height,
}

/// Transactions that a slow reader has missed.
#[derive(Serialize)]
pub(super) struct LaggedEvent {
    pub(super) missed: u64,
}

/// A connection to a peer.
#[derive(Serialize)]
pub(super) struct PeerEvent {
    pub(super) change: &'static str,
    pub(super) address: Address,
    pub(super) remote: String,
    /// Connected ones now.
    pub(super) peers: usize,
}

/// A transaction without key and signature.
#[derive(Serialize)]
struct TxnEvent<'t> {
    id: TxId,
    number: AccountNonce,
    from: Address,
    to: Address,
    amount: Amount,
    data: &'t str,
    time: Time,
    status: &'static str,
    block_number: Option<Height>,
    block_id: Option<BlockId>,
    index: Option<usize>,
    reason: Option<&'t str>,
}

impl<'t> TxnEvent<'t> {
    fn new(txn: &'t VerifiedTransaction, status: &'t TxStatus, last_final: Height) -> Self {
        let (place, reason) = match status {
            TxStatus::Included {
                height,
                block,
                index,
            } => (Some((*height, *block, *index)), None),
            TxStatus::Dropped(reason) => (None, Some(reason.as_str())),
            TxStatus::Pending => (None, None),
        };
        Self {
            id: *txn.id(),
            number: txn.number,
            from: txn.sender(),
            to: txn.to,
            amount: txn.amount,
            data: &txn.data,
            time: Time::Rfc3339(txn.time),
            status: crate::json::status_word(status, last_final),
            block_number: place.map(|(height, ..)| height),
            block_id: place.map(|(_, id, _)| id),
            index: place.map(|(.., index)| index),
            reason,
        }
    }
}
