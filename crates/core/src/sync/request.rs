//! A request for blocks in flight, and what its answer must look like. Whether the
//! blocks are valid is not asked here.

use crate::{BlockId, Height, MonoTime, block::VerifiedBlock};

/// How long a peer may take for an answer, in ms; then it is late.
pub const PATIENCE_MS: u64 = 4_000;

/// A request in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub(super) start: Start,
    /// Numbers that its answer is expected to hold.
    pub(super) covers: (u64, u64),
    pub(super) most: u16,
    pub(super) since: MonoTime,
    /// It takes much longer than average: another peer is asked for the same.
    pub(super) slow: bool,
    /// The node does not wait for it; the peer is not asked again before it answers.
    pub(super) late: bool,
}

/// Where the blocks of an answer must start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Behind one of these.
    Locator(Vec<(Height, BlockId)>),
    /// At this number, whatever its parent.
    Ahead(Height),
}

/// Why an answer is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages name every field")]
pub enum AnswerError {
    #[error("{got} blocks where {most} were asked for")]
    TooMany { got: usize, most: u16 },
    #[error("the first block, {number}, does not follow what was asked for")]
    Start { number: Height },
    #[error("block {number} does not follow the one before it")]
    Gap { number: Height },
    #[error("no block, but more are promised")]
    Empty,
}

impl Request {
    /// Asked for? Right start? Contiguous? Not longer than asked?
    ///
    /// # Errors
    /// The first [`AnswerError`].
    pub fn check(&self, blocks: &[VerifiedBlock], more: bool) -> Result<(), AnswerError> {
        if blocks.len() > usize::from(self.most) {
            let (got, most) = (blocks.len(), self.most);
            return Err(AnswerError::TooMany { got, most });
        }
        let Some(first) = blocks.first() else {
            return if more {
                Err(AnswerError::Empty)
            } else {
                Ok(())
            };
        };
        let header = first.header();
        let fits = match &self.start {
            Start::Locator(pairs) => pairs.iter().any(|(number, id)| {
                *id == header.hash_parent && number.next() == Some(header.number)
            }),
            Start::Ahead(number) => header.number == *number,
        };
        if !fits {
            let number = header.number;
            return Err(AnswerError::Start { number });
        }
        for (parent, child) in blocks.iter().zip(blocks.iter().skip(1)) {
            let header = child.header();
            if header.hash_parent != parent.id
                || parent.header().number.next() != Some(header.number)
            {
                let number = header.number;
                return Err(AnswerError::Gap { number });
            }
        }
        Ok(())
    }

    /// Whether its blocks were asked for ahead of their parents.
    #[must_use]
    pub fn is_ahead(&self) -> bool {
        matches!(self.start, Start::Ahead(_))
    }
}
