//! Why an audit does not end well: the node is wrong, or there is no verdict.

use ccoin_core::{Address, BlockId, Height, receipt::Refused, rules::BlockError};
use ccoin_home::{ExitCode, Failure};

use super::answers::Contradiction;
use crate::HttpError;

/// What is wrong at a block, or stands in the way.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Block(#[from] BlockError),
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    #[error("its parent is {got}, the block before is {expected}")]
    Parent { got: BlockId, expected: BlockId },
    /// What the node says contradicts what it has shown.
    #[error("{0}")]
    Wrong(String),
    #[error("the receipt of the final block does not hold: {0}")]
    Receipt(#[from] Refused),
    #[error("the public key of miner {0} is neither here nor at the node")]
    Key(Address),
    /// The node does not have what it does not claim to have.
    #[error("{0}")]
    NotThere(String),
    #[error(transparent)]
    Http(HttpError),
    #[error("{0}")]
    Host(Failure),
}

impl From<HttpError> for Fault {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Refused(refusal) if refusal.status == 410 => {
                Self::NotThere(format!("the node does not keep it: {}", refusal.detail))
            }
            // An answer that is whole and has another form is the node's.
            HttpError::Answer { .. } => Self::Wrong(error.to_string()),
            error => Self::Http(error),
        }
    }
}

impl Fault {
    /// Whether the node is shown to be wrong.
    fn is_verdict(&self) -> bool {
        match self {
            Self::Block(_)
            | Self::Contradiction(_)
            | Self::Parent { .. }
            | Self::Wrong(_)
            | Self::Receipt(_) => true,
            Self::Key(_) | Self::NotThere(_) | Self::Http(_) | Self::Host(_) => false,
        }
    }
}

/// An audit that has found the node wrong, or that could not go on.
#[derive(Debug)]
pub struct AuditError {
    /// The first block that is wrong, or that could not be judged; `None`: no block.
    pub number: Option<Height>,
    /// Whether the node is wrong: else there is no verdict.
    pub verdict: bool,
    /// What to tell people, and the exit code.
    pub failure: Failure,
}

impl AuditError {
    /// `good`: the last block that was found good.
    pub(super) fn new(
        number: Option<Height>,
        good: Option<(Height, BlockId)>,
        fault: Fault,
    ) -> Self {
        let verdict = fault.is_verdict();
        let reason = fault.to_string();
        let mut failure = match fault {
            Fault::Http(error) => Failure::from(error),
            Fault::Host(failure) => failure,
            Fault::Key(_) => Failure::new(ExitCode::NotFound, reason)
                .hint("its block can be neither good nor bad without it")
                .hint("give it: --key FILE, the miner's .keys/id_rsa.pub"),
            Fault::NotThere(_) => Failure::new(ExitCode::NotFound, reason)
                .hint("name a node that keeps it with --url, or begin above: --trusted-block N:ID"),
            _ => Failure::new(ExitCode::No, reason),
        };
        failure.message = match (number, verdict) {
            (Some(number), true) => {
                format!("block {number} is the first bad one: {}", failure.message)
            }
            (Some(number), false) => format!("at block {number}: {}", failure.message),
            (None, _) => failure.message,
        };
        if let (false, Some((number, id))) = (verdict, good)
            && number > Height::GENESIS
        {
            failure = failure.hint(format!(
                "all blocks up to {number} are good: --trusted-block {number}:{id}   goes on there"
            ));
        }
        Self {
            number,
            verdict,
            failure,
        }
    }

    /// Of no block.
    pub(super) fn early(fault: impl Into<Fault>) -> Self {
        Self::new(None, None, fault.into())
    }

    /// Of a block that is not among those that were read in order.
    pub(super) fn at(number: Height) -> impl Fn(Fault) -> Self {
        move |fault| Self::new(Some(number), None, fault)
    }
}
