//! A vote record made anew for a key whose record is lost, from what the operator brings: the
//! data directories of enough other validators (A5).

use crate::{
    NodeError, chain_paths::ChainPaths, clock, commit_batch::kind, maintenance, replay::read_blocks,
};
use ccoin_core::{
    Address,
    consensus::{
        certificate::VerifiedCertificate,
        vote::Phase,
        voter_record::{Standing, VoterRecord},
    },
    encoding::encode,
    genesis::Genesis,
    machine::{Machine, SealMark, Start},
};
use ccoin_storage::{BlockLog, VoteRecord};
use std::sync::Arc;

/// Another validator whose record is whole.
#[derive(Clone, Debug)]
pub struct IntactValidator {
    /// Its address.
    pub address: Address,
    /// Its chain; no node uses it.
    pub chain: ChainPaths,
    /// What it has voted.
    pub record: VoterRecord,
}

impl ChainPaths {
    /// Writes the highest certificates of `others` and of this chain into its block log, and
    /// returns the record that its key may have then: locked on the highest of them, silent
    /// for every ballot up to the end of the next slot.
    ///
    /// # Errors
    /// [`NodeError`] if a chain is damaged or cannot be written, or holds certificates that
    /// conflict.
    pub fn recover_votes(
        &self,
        genesis: &Genesis,
        others: &[IntactValidator],
    ) -> Result<VoteRecord, NodeError> {
        let genesis = Arc::new(genesis.clone());
        let own = read_blocks(self, &start(&genesis, None))?;
        check_alarm(&own.machine, self)?;
        let mut certificates: Vec<_> = own.machine.certificates().map(Clone::clone).into();
        for other in others {
            certificates.extend(read_certificates(&genesis, other)?);
        }
        let highest = |phase: Option<Phase>| {
            let of_phase = |c: &&VerifiedCertificate| phase.is_none_or(|phase| c.phase == phase);
            let found = certificates.iter().filter(of_phase);
            found.max_by_key(|c| c.ballot).cloned()
        };
        let found = [highest(Some(Phase::Two)), highest(Some(Phase::One))];
        let mut log = own.blocks.resume()?;
        let found: Vec<_> = found.into_iter().flatten().collect();
        append(&mut log, &found)?;
        let mut record = VoteRecord::never_signed(genesis.id);
        if let Some(lock) = highest(None) {
            record.voter.lock = lock.block();
        }
        let slot = genesis.schedule.slot(clock::wall());
        let mark = SealMark::after_lost_record(slot);
        (record.last_sealed_slot, record.last_sealed_number) = (mark.slot, mark.number.get());
        record.voter.max_vote1 = VoterRecord::floor_after(slot);
        record.voter.standing = Standing::Recovering(record.voter.max_vote1);
        Ok(record)
    }
}

fn append(log: &mut BlockLog, certificates: &[VerifiedCertificate]) -> Result<(), NodeError> {
    for certificate in certificates {
        log.append(kind::CERTIFICATE, &[&encode(&**certificate)])?;
    }
    Ok(log.sync()?)
}

/// Final, high and lock of another validator.
fn read_certificates(
    genesis: &Arc<Genesis>,
    other: &IntactValidator,
) -> Result<Vec<VerifiedCertificate>, NodeError> {
    let replay = read_blocks(&other.chain, &start(genesis, Some(other)))?;
    let machine: Machine = replay.machine;
    check_alarm(&machine, &other.chain)?;
    Ok(machine.certificates().map(Clone::clone).into())
}

/// No record is safe where two certificates conflict.
fn check_alarm(machine: &Machine, chain: &ChainPaths) -> Result<(), NodeError> {
    if machine.is_alarmed() {
        let path = chain.blocks.clone();
        return Err(NodeError::Alarmed { path });
    }
    Ok(())
}

fn start(genesis: &Arc<Genesis>, validator: Option<&IntactValidator>) -> Start {
    Start {
        miner: validator.map(|validator| validator.address),
        voter_record: validator.map(|validator| validator.record),
        ..maintenance::start(genesis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccoin_core::{
        BlockId, Height,
        consensus::{ballot::Ballot, certificate::Certificate},
    };
    use ccoin_sim::Network;
    use ccoin_storage::Position;

    /// A rival of block 1 that a quorum has made final.
    #[test]
    fn no_record_is_made_from_certificates_that_conflict() {
        let place = tempfile::tempdir().unwrap();
        let genesis = (*Network::ready(1).found()).clone();
        let chain = ChainPaths::new(place.path().join("chain"));
        std::fs::create_dir(&chain.root).unwrap();
        chain.create(&genesis).unwrap();
        assert!(chain.recover_votes(&genesis, &[]).is_ok());

        let conflicting = Certificate {
            phase: Phase::Two,
            ballot: Ballot(1 << 20),
            number: Height::GENESIS,
            id: BlockId::new([7; 32]),
            votes: Vec::new(),
        };
        let nothing = &mut |_, _, _: &[u8]| Ok::<_, ccoin_storage::StorageError>(());
        let mut log = BlockLog::read(&chain.blocks, Position::START, nothing)
            .unwrap()
            .resume()
            .unwrap();
        log.append(kind::CERTIFICATE, &[&encode(&conflicting)])
            .unwrap();
        log.sync().unwrap();
        drop(log);
        let refused = chain.recover_votes(&genesis, &[]);
        assert!(
            matches!(refused, Err(NodeError::Alarmed { .. })),
            "{refused:?}"
        );
    }
}
