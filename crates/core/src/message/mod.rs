//! What peers say to each other: one table of headers, limits and meanings.
//!
//! A frame is a `u32` in little-endian order (length of header and body), three ASCII
//! bytes, and a MessagePack body in our one encoding. What a body says has been checked
//! for its shape only; nothing here knows sockets or decides.

mod blocks;
mod bye;
mod consensus;
mod hello;
mod peers;

pub use blocks::{
    BlockAnswer, BlockRequest, Heights, MAX_ANSWER_BLOCKS, MAX_ANSWER_BYTES, MAX_LOCATOR,
};
pub use bye::{Bye, ByeReason};
pub use consensus::{SignedProposal, Status, VoterState, Yours};
pub use hello::{Acknowledgement, Hello, NodeType, PROTOCOL, acknowledgement_digest, okay_digest};
pub use peers::{MAX_SHARED_PEERS, PeerAddress};

use crate::{
    Height, Timestamp,
    block::{Block, MAX_BLOCK_BYTES},
    consensus::{evidence::Evidence, vote::SignedVote},
    encoding::{DecodeError, decode, encode},
    transaction::Transaction,
};
use ccoin_crypto::{PublicKey, Signature};

/// Bytes of the longest frame, header and body: a block of 2,900,000 and what comes with it.
pub const MAX_FRAME: usize = 3_000_000;

/// Most transactions of one message.
pub const MAX_MESSAGE_TXNS: usize = 500;

/// Bytes of the longest message of transactions.
pub const MAX_MESSAGE_TXN_BYTES: usize = 512 << 10;

/// Bytes of the longest message with certificates: two of 67 votes fit.
pub const MAX_CONSENSUS_BYTES: usize = 128 << 10;

/// Three ASCII letters that say what a body is.
pub type Header = [u8; 3];

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Three ASCII letters.
    pub header: Header,
    /// Most bytes of the body.
    pub limit: usize,
    /// Whether it may come before the handshake is finished.
    pub early: bool,
}

const fn kind(header: &Header, limit: usize, early: bool) -> Kind {
    Kind {
        header: *header,
        limit,
        early,
    }
}

/// Every kind of message that this version speaks.
pub const KINDS: [Kind; 18] = [
    kind(b"HEY", 4 << 10, true),
    kind(b"ACK", 4 << 10, true),
    kind(b"OKY", 1 << 10, true),
    kind(b"BYE", 512, true),
    kind(b"KEY", 64 << 10, false),
    kind(b"RBH", 256, false),
    kind(b"BLH", 256, false),
    kind(b"RBL", 4 << 10, false),
    kind(b"ABL", MAX_FRAME - 3, false),
    kind(b"TXN", MAX_MESSAGE_TXN_BYTES, false),
    kind(b"BLK", MAX_BLOCK_BYTES, false),
    kind(b"ADR", 4 << 10, false),
    kind(b"LDR", MAX_CONSENSUS_BYTES, false),
    kind(b"STA", MAX_CONSENSUS_BYTES, false),
    kind(b"EVD", MAX_CONSENSUS_BYTES, false),
    kind(b"PEX", 16 << 10, false),
    kind(b"PNG", 64, false),
    kind(b"POG", 64, false),
];

impl Kind {
    /// The row with this header.
    #[must_use]
    pub fn of(header: Header) -> Option<Self> {
        KINDS.into_iter().find(|kind| kind.header == header)
    }
}

/// A parsed message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "messages are moved once, from the decoder to the handler"
)]
pub enum Message {
    /// `HEY`: the first message of the side that connects.
    Hey(Hello),
    /// `ACK`: the answer, with proof of the answerer's key.
    Ack(Acknowledgement),
    /// `OKY`: proof of the first side's key.
    Oky(Signature),
    /// `BYE`: why the connection ends now.
    Bye(Bye),
    /// `KEY`: public keys of miners; an empty list asks for all.
    Keys(Vec<PublicKey>),
    /// `RBH`: asks for [`Message::Heights`].
    AskHeights,
    /// `BLH`: height and final number.
    Heights(Heights),
    /// `RBL`: asks for blocks.
    AskBlocks(BlockRequest),
    /// `ABL`: blocks in order.
    Blocks(BlockAnswer),
    /// `TXN`: transactions for the pool.
    Transactions(Vec<Transaction>),
    /// `BLK`: a new block.
    Block(Block),
    /// `ADR`: a validator's vote.
    Vote(SignedVote),
    /// `LDR`: the leader's vote 1 and its justification.
    Proposal(SignedProposal),
    /// `STA`: what the sender knows about final blocks.
    Status(Box<Status>),
    /// `EVD`: two conflicting objects of one key.
    Evidence(Evidence),
    /// `PEX`: peers that the sender knows.
    Peers(Vec<PeerAddress>),
    /// `PNG`: asks for a sign of life; the sender's clock.
    Ping(Timestamp),
    /// `POG`: the sign of life; the answerer's clock.
    Pong(Timestamp),
}

/// Why bytes are not a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// A header that is not in the table: a newer peer may speak it.
    #[error("unknown header {}", header.escape_ascii())]
    Unknown {
        /// What came.
        header: Header,
    },
    /// The body is longer than its kind allows.
    #[error("{} of {got} bytes, at most {max} are allowed", header.escape_ascii())]
    Size {
        /// Its kind.
        header: Header,
        /// Bytes announced.
        got: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// The body is not the one encoding of what its kind promises.
    #[error("{}: {source}", header.escape_ascii())]
    Body {
        /// Its kind.
        header: Header,
        /// What does not fit.
        source: DecodeError,
    },
    /// A list or text that is longer than allowed, or a value out of its range.
    #[error("{}: {what}", header.escape_ascii())]
    Value {
        /// Its kind.
        header: Header,
        /// What does not fit.
        what: String,
    },
}

/// Checks what a frame announces before any of its body is buffered: `length` counts
/// header and body.
///
/// # Errors
/// [`MessageError::Unknown`] for a header that may be skipped if the length allows
/// it, [`MessageError::Size`] for a frame that must not be read.
pub fn check_announced(header: Header, length: usize) -> Result<Kind, MessageError> {
    let got = length.saturating_sub(header.len());
    let max = Kind::of(header).map_or(MAX_FRAME.saturating_sub(header.len()), |kind| kind.limit);
    if length < header.len() || got > max {
        return Err(MessageError::Size { header, got, max });
    }
    Kind::of(header).ok_or(MessageError::Unknown { header })
}

impl Message {
    /// Its row in the table.
    #[must_use]
    pub fn header(&self) -> Header {
        *match self {
            Self::Hey(_) => b"HEY",
            Self::Ack(_) => b"ACK",
            Self::Oky(_) => b"OKY",
            Self::Bye(_) => b"BYE",
            Self::Keys(_) => b"KEY",
            Self::AskHeights => b"RBH",
            Self::Heights(_) => b"BLH",
            Self::AskBlocks(_) => b"RBL",
            Self::Blocks(_) => b"ABL",
            Self::Transactions(_) => b"TXN",
            Self::Block(_) => b"BLK",
            Self::Vote(_) => b"ADR",
            Self::Proposal(_) => b"LDR",
            Self::Status(_) => b"STA",
            Self::Evidence(_) => b"EVD",
            Self::Peers(_) => b"PEX",
            Self::Ping(_) => b"PNG",
            Self::Pong(_) => b"POG",
        }
    }

    /// The whole frame.
    #[must_use]
    pub fn frame(&self) -> Vec<u8> {
        let body = match self {
            Self::Hey(hello) => encode(hello),
            Self::Ack(acknowledgement) => encode(acknowledgement),
            Self::Oky(signature) => encode(&(signature,)),
            Self::Bye(bye) => encode(bye),
            Self::Keys(keys) => encode(keys),
            Self::AskHeights => encode::<[Height; 0]>(&[]),
            Self::Heights(heights) => encode(heights),
            Self::AskBlocks(request) => encode(request),
            Self::Blocks(answer) => encode(answer),
            Self::Transactions(txns) => encode(txns),
            Self::Block(block) => encode(block),
            Self::Vote(vote) => encode(vote),
            Self::Proposal(proposal) => encode(proposal),
            Self::Status(status) => encode(status),
            Self::Evidence(evidence) => encode(evidence),
            Self::Peers(peers) => encode(peers),
            Self::Ping(clock) | Self::Pong(clock) => encode(&(clock,)),
        };
        frame(self.header(), &body)
    }

    /// Parses a body of the kind that its header names.
    ///
    /// # Errors
    /// [`MessageError`] if it is too long, not canonical, or out of range.
    pub fn decode(header: Header, body: &[u8]) -> Result<Self, MessageError> {
        check_announced(header, body.len().saturating_add(header.len()))?;
        let parsed = match &header {
            b"HEY" => decode("HEY", body).map(Self::Hey),
            b"ACK" => decode("ACK", body).map(Self::Ack),
            b"OKY" => decode("OKY", body).map(|(signature,)| Self::Oky(signature)),
            b"BYE" => decode("BYE", body).map(Self::Bye),
            b"KEY" => decode("KEY", body).map(Self::Keys),
            b"RBH" => decode::<[Height; 0]>("RBH", body).map(|_| Self::AskHeights),
            b"BLH" => decode("BLH", body).map(Self::Heights),
            b"RBL" => decode("RBL", body).map(Self::AskBlocks),
            b"ABL" => decode("ABL", body).map(Self::Blocks),
            b"TXN" => decode("TXN", body).map(Self::Transactions),
            b"BLK" => Block::decode(body).map(Self::Block),
            b"ADR" => decode("ADR", body).map(Self::Vote),
            b"LDR" => decode("LDR", body).map(Self::Proposal),
            b"STA" => decode("STA", body).map(|status| Self::Status(Box::new(status))),
            b"EVD" => decode("EVD", body).map(Self::Evidence),
            b"PEX" => decode("PEX", body).map(Self::Peers),
            b"PNG" => decode("PNG", body).map(|(clock,)| Self::Ping(clock)),
            b"POG" => decode("POG", body).map(|(clock,)| Self::Pong(clock)),
            _ => return Err(MessageError::Unknown { header }),
        };
        let message = parsed.map_err(|source| MessageError::Body { header, source })?;
        match message.out_of_range() {
            Some(what) => Err(MessageError::Value { header, what }),
            None => Ok(message),
        }
    }

    /// What a well-formed body must still not say.
    fn out_of_range(&self) -> Option<String> {
        let too_many = |got: usize, max: usize| {
            (got > max).then(|| format!("{got} entries, at most {max} are allowed"))
        };
        match self {
            Self::Hey(hello) | Self::Ack(Acknowledgement { hello, .. }) => hello.out_of_range(),
            Self::AskBlocks(request) => request.out_of_range(),
            Self::Blocks(answer) => answer.out_of_range(),
            Self::Status(status) => status.out_of_range(),
            Self::Transactions(txns) => too_many(txns.len(), MAX_MESSAGE_TXNS),
            Self::Peers(peers) => too_many(peers.len(), MAX_SHARED_PEERS)
                .or_else(|| peers.iter().find_map(PeerAddress::out_of_range)),
            _ => None,
        }
    }
}

/// A whole frame around an encoded body.
#[must_use]
pub fn frame(header: Header, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len().saturating_add(header.len())).unwrap_or(u32::MAX);
    [&length.to_le_bytes()[..], &header, body].concat()
}
