//! What this node knows of each miner's votes, for operators.

use super::{Machine, Voting};
use crate::{
    Now,
    consensus::vote::{Phase, Vote, VoterIndex},
    message::VoterState,
};
use ccoin_crypto::Address;

/// One miner, as this node knows it.
#[derive(Clone, Copy, Debug)]
pub struct MinerVotes {
    /// Its account.
    pub address: Address,
    /// What it does for finality.
    pub voting: Voting,
    /// What it says of its vote record; `None`: it is not connected.
    pub state: Option<VoterState>,
    /// Its newest vote that is not older than the final block.
    pub last_vote: Option<Vote>,
}

impl Machine {
    /// All miners, in the order of their turns.
    #[must_use]
    pub fn miners(&self, now: Now) -> Vec<MinerVotes> {
        let voting = self.voting(now).into_iter().enumerate();
        let miners = voting.map(|(index, (address, voting))| {
            let index = VoterIndex::try_from(index).unwrap_or(VoterIndex::MAX);
            MinerVotes {
                address,
                voting,
                state: self.state_of(index),
                last_vote: self.last_vote(index),
            }
        });
        miners.collect()
    }

    fn last_vote(&self, index: VoterIndex) -> Option<Vote> {
        let votes = [Phase::One, Phase::Two].map(|phase| self.newest_vote(phase, index));
        let votes = votes.into_iter().flatten();
        votes.max_by_key(|vote| (vote.block.ballot, vote.phase))
    }
}
