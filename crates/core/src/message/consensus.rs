//! What validators say about final blocks: proposals, statuses, and proof of faults. Votes
//! and certificates have their own modules.

use crate::{
    BlockId, Height,
    block::SignedHeader,
    consensus::{
        certificate::Certificate,
        vote::{SignedVote, VoterIndex},
    },
};
use serde::{Deserialize, Serialize};

/// Most links that a status may name: a network has at most 100 validators.
const MAX_LINKS: usize = 100;

/// `LDR`: the leader's vote 1, and the certificate that justifies it. The certificate is not
/// signed again: it proves itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedProposal {
    /// The leader's own vote 1.
    pub vote: SignedVote,
    /// Of either phase.
    pub justify: Certificate,
}

/// Whether a node votes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum VoterState {
    /// It is no validator.
    #[default]
    NoVoter,
    /// It votes, and its record is whole.
    Intact,
    /// Its record was lost: it does not vote (A1).
    Abstains,
    /// Its record was lost; it votes again, but others do not count it as intact (A4).
    Recovering,
}

impl From<VoterState> for u8 {
    fn from(state: VoterState) -> Self {
        match state {
            VoterState::NoVoter => 0,
            VoterState::Intact => 1,
            VoterState::Abstains => 2,
            VoterState::Recovering => 3,
        }
    }
}

impl TryFrom<u8> for VoterState {
    type Error = String;

    fn try_from(value: u8) -> Result<Self, String> {
        match value {
            0 => Ok(Self::NoVoter),
            1 => Ok(Self::Intact),
            2 => Ok(Self::Abstains),
            3 => Ok(Self::Recovering),
            other => Err(format!("state {other} is not 0, 1, 2 or 3")),
        }
    }
}

/// The newest objects known that the receiver's key has signed: they show it a lost record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Yours {
    /// Of phase 1.
    pub vote1: Option<SignedVote>,
    /// Of phase 2.
    pub vote2: Option<SignedVote>,
    /// Of a block.
    pub header: Option<SignedHeader>,
}

/// `STA`: what a node knows about final blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The certificate of its final block.
    pub last_final: Certificate,
    /// Its highest certificate of either phase.
    pub high: Certificate,
    /// Number and id of its head.
    pub head: (Height, BlockId),
    /// Whether it votes.
    pub state: VoterState,
    /// The validators that are connected to it.
    pub links: Vec<VoterIndex>,
    /// What it has seen of the receiver.
    pub yours: Yours,
}

impl Status {
    pub(super) fn out_of_range(&self) -> Option<String> {
        let got = self.links.len();
        (got > MAX_LINKS).then(|| format!("{got} links, at most {MAX_LINKS} are allowed"))
    }
}
