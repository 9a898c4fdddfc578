//! A peer's status whose signatures have been checked.

use super::{
    ConsensusError,
    certificate::{Certificate, VerifiedCertificate},
    vote::{SignedVote, VerifiedVote, VoterIndex},
};
use crate::{
    BlockId, Height,
    genesis::Genesis,
    message::{Status, VoterState, Yours},
    rules::check_header,
};
use ccoin_crypto::{PublicKey, Verifier};

/// What a peer knows about final blocks.
#[derive(Clone, Debug)]
pub struct VerifiedStatus {
    /// The certificate of its final block.
    pub last_final: VerifiedCertificate,
    /// Its highest certificate.
    pub high: VerifiedCertificate,
    /// Number and id of its head.
    pub head: (Height, BlockId),
    /// Whether it votes.
    pub state: VoterState,
    /// The validators that are connected to it.
    pub links: Vec<VoterIndex>,
    /// What it has seen of this node's key.
    pub yours: Yours,
}

impl VerifiedStatus {
    /// Checks all signatures. `certificate` checks one, or finds a copy that was checked;
    /// `own` is this node's position among the miners.
    ///
    /// # Errors
    /// [`ConsensusError`].
    pub fn verify(
        status: Status,
        genesis: &Genesis,
        own: Option<(VoterIndex, &PublicKey)>,
        mut certificate: impl FnMut(
            Certificate,
            &mut Verifier,
        ) -> Result<VerifiedCertificate, ConsensusError>,
        verifier: &mut Verifier,
    ) -> Result<Self, ConsensusError> {
        let last_final = certificate(status.last_final, verifier)?;
        let high = certificate(status.high, verifier)?;
        let yours = match own {
            None => Yours::default(),
            Some((index, own)) => check_yours(status.yours, genesis, index, own, verifier)?,
        };
        Ok(Self {
            last_final,
            high,
            head: status.head,
            state: status.state,
            links: status.links,
            yours,
        })
    }
}

/// A bad signature is a violation by the sender of the status (S4).
fn check_yours(
    yours: Yours,
    genesis: &Genesis,
    index: VoterIndex,
    own: &PublicKey,
    verifier: &mut Verifier,
) -> Result<Yours, ConsensusError> {
    let mut vote = |vote: &SignedVote| {
        if vote.vote.voter != index {
            return Err(ConsensusError::Stranger);
        }
        let checked = VerifiedVote::verify(vote.clone(), genesis, |_| Some(own), verifier);
        checked.map(drop).map_err(ConsensusError::from)
    };
    yours.vote1.iter().try_for_each(&mut vote)?;
    yours.vote2.iter().try_for_each(&mut vote)?;
    if let Some(header) = &yours.header {
        check_header(header, genesis, own, verifier)?;
    }
    Ok(yours)
}
