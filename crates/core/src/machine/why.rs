//! Why no block is made, or why the head is not final, in one sentence for operators.

use super::{Hindrance, Machine};
use crate::{
    Height, Now,
    consensus::{schedule::Slot, vote::VoterIndex},
    message::VoterState,
};
use ccoin_crypto::Address;

/// What a validator does for finality, as far as this node knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voting {
    /// It votes.
    Votes,
    /// It is connected, and gives no votes: its vote record was lost.
    Abstains,
    /// It is not connected, and no vote of it came lately.
    Silent,
}

/// Why something is not coming right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// This node is not ready.
    NotReady(Hindrance),
    /// Two certificates conflict.
    Alarm,
    /// Fewer validators vote than a certificate needs.
    NoQuorum {
        /// How many vote.
        voting: usize,
        /// How many are needed.
        quorum: usize,
        /// Those that do not, and why.
        missing: Vec<(Address, Voting)>,
    },
    /// The head is new: its votes are on their way.
    Votes {
        /// Number of the head.
        number: Height,
        /// Number of the final block.
        last_final: Height,
    },
    /// No transaction waits, and empty blocks are not made.
    NothingWaits {
        /// Number of the head.
        number: Height,
    },
    /// Blocks are made by hand, and none is asked for.
    ByHand {
        /// Number of the head.
        number: Height,
        /// How many transactions wait here.
        waiting: usize,
    },
    /// A block waits for more transactions, or for the interval to pass.
    Batch {
        /// How many more make it due at once.
        more: usize,
        /// When it is due in any case, in ms.
        wait_ms: u64,
    },
    /// A block is due: its maker has the turn.
    Turn {
        /// Who has it.
        leader: Address,
        /// Whether it is this node or connected.
        here: bool,
        /// When the turn ends, in ms.
        ends_ms: u64,
    },
}

impl core::fmt::Display for Why {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotReady(hindrance) => hindrance.fmt(f),
            Self::Alarm => f.write_str(
                "SAFETY ALARM: two certificates conflict, too many validators have signed twice; \
                 this node signs nothing any more",
            ),
            Self::NoQuorum {
                voting,
                quorum,
                missing,
            } => {
                let of = voting.saturating_add(missing.len());
                write!(
                    f,
                    "finality waits: {voting} of {of} validators vote, {quorum} are needed"
                )?;
                for (address, voting) in missing {
                    let what = match voting {
                        Voting::Abstains => "abstains (its vote file was lost)",
                        _ => "is silent",
                    };
                    write!(f, "; miner {address} {what}")?;
                }
                Ok(())
            }
            Self::Votes { number, last_final } => write!(
                f,
                "the votes for block {number} are on their way; block {last_final} is final"
            ),
            Self::NothingWaits { number } => {
                write!(f, "no transaction waits, and block {number} is final")
            }
            Self::ByHand { number, waiting } => {
                let one = *waiting == 1;
                let (noun, verb) = if one { ("", "s") } else { ("s", "") };
                write!(
                    f,
                    "blocks are made by hand: {waiting} transaction{noun} wait{verb}, block {number} is \
                     final, and ccoin devnet mine makes the next"
                )
            }
            Self::Batch { more, wait_ms } => write!(
                f,
                "waiting for {more} more transaction{} or {} s",
                if *more == 1 { "" } else { "s" },
                wait_ms.div_ceil(1_000)
            ),
            Self::Turn {
                leader,
                here,
                ends_ms,
            } => {
                let what = if *here { "makes it" } else { "is not here" };
                write!(
                    f,
                    "a block is due: miner {leader} has the turn for {ends_ms} ms more and {what}"
                )
            }
        }
    }
}

impl Machine {
    /// Why no block is made, or none becomes final: the first reason that counts.
    #[must_use]
    pub fn why(&self, now: Now) -> Why {
        if self.is_alarmed() {
            return Why::Alarm;
        }
        if let Some(hindrance) = self.hindrances(now).into_iter().next() {
            return Why::NotReady(hindrance);
        }
        self.why_not_final(now)
            .unwrap_or_else(|| self.why_no_block(now))
    }

    /// What each validator does for finality.
    #[must_use]
    pub fn voting(&self, now: Now) -> Vec<(Address, Voting)> {
        let miners = &self.genesis.config.miners;
        let slot = self.schedule().slot(now.wall);
        let voting = miners.iter().enumerate().map(|(index, address)| {
            let index = VoterIndex::try_from(index).unwrap_or(VoterIndex::MAX);
            (*address, self.voting_of(index, slot))
        });
        voting.collect()
    }

    /// What a miner says of its vote record: this one, or a connected one.
    pub(super) fn state_of(&self, index: VoterIndex) -> Option<VoterState> {
        match self.voter() {
            Some(voter) if voter.index() == index => Some(self.voter_state()),
            _ => self.told_state(index),
        }
    }

    fn voting_of(&self, index: VoterIndex, slot: Slot) -> Voting {
        match self.state_of(index) {
            Some(VoterState::Intact | VoterState::Recovering) => Voting::Votes,
            Some(VoterState::Abstains) => Voting::Abstains,
            // It may vote through others: a turn of everybody has passed since.
            _ if self.voted_since(index, slot.saturating_sub(self.schedule().miners() as u64)) => {
                Voting::Votes
            }
            _ => Voting::Silent,
        }
    }

    fn why_not_final(&self, now: Now) -> Option<Why> {
        let number = self.chain.height();
        let (last_final, id) = self.chain.last_final();
        if self.chain.head().block.id == id {
            return None;
        }
        let mut missing = self.voting(now);
        let voting = missing
            .iter()
            .filter(|(_, voting)| *voting == Voting::Votes);
        let voting = voting.count();
        let quorum = usize::try_from(self.genesis.config.consensus.quorum).unwrap_or(usize::MAX);
        if voting >= quorum {
            return Some(Why::Votes { number, last_final });
        }
        missing.retain(|(_, voting)| *voting != Voting::Votes);
        Some(Why::NoQuorum {
            voting,
            quorum,
            missing,
        })
    }

    fn why_no_block(&self, now: Now) -> Why {
        let mining = &self.genesis.config.block_mining;
        let waiting = self.pool.ready_len();
        let number = self.chain.height();
        if self.by_hand && !self.asked {
            return Why::ByHand { number, waiting };
        }
        if waiting == 0 && !mining.allow_empty {
            return Why::NothingWaits { number };
        }
        let parent = self.chain.head().block.header().time;
        let due = parent.get().saturating_add(mining.interval_ms);
        let wait_ms = due.saturating_sub(now.wall.get());
        let least = usize::try_from(mining.min_bound).unwrap_or(usize::MAX);
        let more = least.saturating_sub(waiting);
        if more > 0 && wait_ms > 0 {
            return Why::Batch { more, wait_ms };
        }
        let slot = self.schedule().slot(now.wall);
        let leader = self.schedule().leader(slot).unwrap_or(Address::ZERO);
        let index = self.schedule().index(&leader);
        let index = index.and_then(|index| VoterIndex::try_from(index).ok());
        let connected = index.is_some_and(|index| self.told_state(index).is_some());
        Why::Turn {
            leader,
            here: self.miner == Some(leader) || connected,
            ends_ms: self.schedule().end(slot).saturating_sub(now.wall.get()),
        }
    }
}
