//! Records of unknown origin, parsed and with every signature in them checked. What a block does
//! to the accounts is checked by the replay.

use crate::replayer::Record;
use ccoin_core::{
    Address, Height,
    consensus::{
        ConsensusError,
        certificate::{Certificate, VerifiedCertificate},
        vote::{VoteError, VoterIndex},
    },
    encoding::DecodeError,
    genesis::Genesis,
    gossip::MinerKeys,
    rules::{BlockError, check_block},
};
use ccoin_crypto::{PublicKey, Verifier};
use std::sync::Arc;

/// Why a record cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Block(#[from] BlockError),
    #[error("certificate of block {0}: {1}")]
    Certificate(Height, VoteError),
    #[error("evidence: {0}")]
    Evidence(ConsensusError),
    #[error("records of kind {0} are of another version")]
    Kind(u8),
    /// Its signatures are neither good nor bad.
    #[error("the public key of miner {0} is not here")]
    Key(Address),
}

/// Checks records for one network.
pub(super) struct Checker<'g> {
    genesis: &'g Genesis,
    keys: MinerKeys,
    by_index: Arc<[Option<PublicKey>]>,
}

impl<'g> Checker<'g> {
    pub(super) fn new(genesis: &'g Genesis, keys: MinerKeys) -> Self {
        let by_index = keys.by_index();
        Self {
            genesis,
            keys,
            by_index,
        }
    }

    /// Parses a record and checks its signatures.
    pub(super) fn check(
        &self,
        kind: u8,
        bytes: &[u8],
        verifier: &mut Verifier,
    ) -> Result<Record, Fault> {
        let record = Record::parse(kind, bytes, |block| {
            let miner = block.signed.header.coinbase;
            match self.keys.get(&miner) {
                Some(key) => Ok(check_block(block, self.genesis, key, verifier)?),
                None => Err(self.stranger(miner)),
            }
        })?;
        match record {
            Record::Certificate(certificate) => self.certificate(certificate, verifier),
            Record::Evidence(evidence) => {
                let checked = evidence.verify(self.genesis, |voter| self.key(voter), verifier);
                match checked {
                    Err(ConsensusError::Vote(VoteError::Key(voter))) => Err(self.no_key(voter)),
                    checked => checked.map_err(Fault::Evidence),
                }?;
                Ok(Record::Evidence(evidence))
            }
            Record::Unknown => Err(Fault::Kind(kind)),
            record => Ok(record),
        }
    }

    fn certificate(
        &self,
        certificate: Certificate,
        verifier: &mut Verifier,
    ) -> Result<Record, Fault> {
        let number = certificate.number;
        let key = |voter| self.key(voter);
        match VerifiedCertificate::verify(certificate, self.genesis, key, verifier) {
            Ok(verified) => Ok(Record::Certificate((*verified).clone())),
            Err(VoteError::Key(voter)) => Err(self.no_key(voter)),
            Err(error) => Err(Fault::Certificate(number, error)),
        }
    }

    fn key(&self, voter: VoterIndex) -> Option<&PublicKey> {
        self.by_index.get(usize::from(voter))?.as_ref()
    }

    fn no_key(&self, voter: VoterIndex) -> Fault {
        Fault::Key(self.genesis.schedule.miner(voter).unwrap_or(Address::ZERO))
    }

    /// Only a listed miner's key can be missing.
    fn stranger(&self, miner: Address) -> Fault {
        if self.genesis.config.miners.contains(&miner) {
            return Fault::Key(miner);
        }
        let (got, expected) = (miner, Address::ZERO);
        BlockError::Turn { got, expected }.into()
    }
}
