//! Blocks: a header that HashCash and a miner's signature seal, and transactions.

use crate::{
    Amount, BlockId, Height, PowNonce, StateHash, Timestamp, TxId, TxnsHash,
    encoding::{DecodeError, decode, encode},
    transaction::{Transaction, VerifiedTransaction},
};
use bytes::Bytes;
use ccoin_crypto::{Address, Hash, Signature, merkle, sha256};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes of the largest block: one frame of the peer protocol holds it.
pub const MAX_BLOCK_BYTES: usize = 2_900_000;

/// Bytes of the longest `data` of a block after genesis.
pub const MAX_BLOCK_DATA: usize = 1024;

/// The version of the rules, in every header.
pub const VERSION: u8 = 1;

/// What HashCash and the signature cover, in encoding order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`VERSION`].
    pub version: u8,
    /// The parent's number plus one.
    pub number: Height,
    /// Id of the parent.
    pub hash_parent: BlockId,
    /// Root of the state **after** this block.
    pub hash_state: StateHash,
    /// RFC 6962 root over the transaction ids; zeros without transactions.
    pub hash_txns: TxnsHash,
    /// The miner that signs and is paid.
    pub coinbase: Address,
    /// When the miner made it.
    pub time: Timestamp,
    /// Coins paid to `coinbase`.
    pub reward: Amount,
    /// Zero hex digits that the id must start with.
    pub difficulty: u8,
    /// Text of the operator's choice.
    pub data: String,
}

impl Header {
    /// `SHA256("ccoin/1/hdr" | genesis id | encode(header))`.
    #[must_use]
    pub fn mining_hash(&self, genesis: &BlockId) -> Hash {
        sha256(&[b"ccoin/1/hdr", genesis.as_bytes(), &encode(self)])
    }

    /// The mining hash of a genesis block, which has no genesis id yet.
    #[must_use]
    pub fn genesis_mining_hash(&self) -> Hash {
        sha256(&[b"ccoin/1/gen", &encode(self)])
    }
}

/// A header with its HashCash nonce and its miner's signature; one array of twelve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHeader {
    /// The ten fields of the header.
    pub header: Header,
    /// Makes the id start with `difficulty` zeros.
    pub nonce: PowNonce,
    /// RSASSA-PSS over the id; empty in a genesis block.
    pub signature: Signature,
}

impl SignedHeader {
    /// `SHA256(hex(mining hash) | decimal(nonce))`.
    #[must_use]
    pub fn id(&self, genesis: &BlockId) -> BlockId {
        block_id(&self.header.mining_hash(genesis), self.nonce)
    }
}

/// The id of a block from its mining hash and nonce.
#[must_use]
pub fn block_id(mining_hash: &Hash, nonce: PowNonce) -> BlockId {
    sha256(&[
        mining_hash.to_string().as_bytes(),
        nonce.to_string().as_bytes(),
    ])
    .into()
}

impl Serialize for SignedHeader {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let h = &self.header;
        let first = (
            h.version,
            h.number,
            h.hash_parent,
            h.hash_state,
            h.hash_txns,
            h.coinbase,
        );
        let (a, b, c, d, e, f) = first;
        (
            a,
            b,
            c,
            d,
            e,
            f,
            h.time,
            h.reward,
            h.difficulty,
            &h.data,
            self.nonce,
            &self.signature,
        )
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SignedHeader {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (
            version,
            number,
            hash_parent,
            hash_state,
            hash_txns,
            coinbase,
            time,
            reward,
            difficulty,
            data,
            nonce,
            signature,
        ) = Deserialize::deserialize(deserializer)?;
        let header = Header {
            version,
            number,
            hash_parent,
            hash_state,
            hash_txns,
            coinbase,
            time,
            reward,
            difficulty,
            data,
        };
        Ok(Self {
            header,
            nonce,
            signature,
        })
    }
}

/// A block as it arrives: nothing of it has been checked but its shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The signed header.
    pub signed: SignedHeader,
    /// The transactions, in the order in which they are applied.
    pub transactions: Vec<Transaction>,
}

impl Block {
    /// Parses at most [`MAX_BLOCK_BYTES`].
    ///
    /// # Errors
    /// [`DecodeError`] if they are not the encoding of a block.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_BLOCK_BYTES {
            return Err(DecodeError::Size {
                got: bytes.len(),
                max: MAX_BLOCK_BYTES,
            });
        }
        decode("block", bytes)
    }

    /// The header of an encoded block, whatever follows; nothing is checked. It tells
    /// copies of a known block from news at little cost.
    #[must_use]
    pub fn peek(bytes: &[u8]) -> Option<SignedHeader> {
        let (array_of_two, rest) = bytes.split_first()?;
        let mut decoder = rmp_serde::Deserializer::from_read_ref(rest);
        let signed = SignedHeader::deserialize(&mut decoder).ok()?;
        (*array_of_two == 0x92).then_some(signed)
    }
}

/// A block whose header (`rules::check_header`) and transactions' signatures have
/// been checked; what it does to the state has not.
#[derive(Clone, Debug)]
pub struct SealedBlock {
    /// Its id.
    pub id: BlockId,
    /// The signed header.
    pub signed: SignedHeader,
    /// The transactions; shared with the pool where they came from.
    pub transactions: Vec<VerifiedTransaction>,
}

impl SealedBlock {
    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.signed.header
    }

    /// The ids of its transactions, in order.
    pub fn txn_ids(&self) -> impl Iterator<Item = TxId> + '_ {
        self.transactions.iter().map(|txn| *txn.id())
    }

    /// The canonical bytes, as in the log and on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(&(&self.signed, &self.transactions))
    }

    /// Where each transaction lies in [`SealedBlock::encode`]: (offset, length).
    pub fn transaction_ranges(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let count = self.transactions.len();
        let array_header = match count {
            0..=0xf => 1,
            0x10..=0xffff => 3,
            _ => 5,
        };
        let start = 1usize
            .saturating_add(encode(&self.signed).len())
            .saturating_add(array_header);
        self.transactions.iter().scan(start, |end, txn| {
            let offset = *end;
            *end = end.saturating_add(txn.size());
            Some((u32::try_from(offset).ok()?, u32::try_from(txn.size()).ok()?))
        })
    }

    /// Wraps a block that this node has checked before: one read from its own log.
    #[must_use]
    pub fn already_verified(block: Block, genesis: &BlockId) -> Self {
        let id = block.signed.id(genesis);
        let verified = |txn| VerifiedTransaction::already_verified(txn, genesis);
        let transactions = block.transactions.into_iter().map(verified).collect();
        Self {
            id,
            signed: block.signed,
            transactions,
        }
    }
}

/// The root that a header's `hash_txns` must be for these transactions.
#[must_use]
pub fn txns_hash(txns: impl IntoIterator<Item = TxId>) -> TxnsHash {
    let ids: Vec<Hash> = txns.into_iter().map(Hash::from).collect();
    merkle::root(&ids).into()
}

/// A checked block with its canonical bytes, which the log and the wire take as they are.
#[derive(Clone, Debug)]
pub struct VerifiedBlock {
    block: SealedBlock,
    bytes: Bytes,
}

impl VerifiedBlock {
    /// A checked block that was decoded from `bytes`, which are canonical if `decode` took them.
    #[must_use]
    pub fn from_wire(block: SealedBlock, bytes: Bytes) -> Self {
        Self { block, bytes }
    }

    /// A block that this node has made.
    #[must_use]
    pub fn made_here(block: SealedBlock) -> Self {
        let bytes = block.encode().into();
        Self { block, bytes }
    }

    /// Bytes of its encoding.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Its canonical encoding.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The block and its bytes.
    #[must_use]
    pub fn into_parts(self) -> (SealedBlock, Bytes) {
        (self.block, self.bytes)
    }
}

impl core::ops::Deref for VerifiedBlock {
    type Target = SealedBlock;
    fn deref(&self) -> &SealedBlock {
        &self.block
    }
}
