//! Every run of the voting rules with a few voters, ballots and blocks: the shipped functions
//! under an adversary that chooses who hears what, restarts voters, and owns a liar.
//!
//! All ballots lie in one slot and its proposer is the adversary, so any proposal with any
//! certificate that exists may come at any time. What must hold: two final blocks lie on one
//! branch (I1), and a certificate above a final one extends its block (I2).

use crate::cases::number;
use ccoin_core::{
    BlockId, Height, Timestamp,
    consensus::{
        ballot::Ballot,
        schedule::Schedule,
        vote::{Phase, Proposed, Vote},
        voter::{Branches, Proposal, Refusal, Voter, VotingRules},
        voter_record::{Standing, VoterRecord},
    },
    genesis_config::GenesisConfig,
};
use ccoin_crypto::Address;
use std::{
    collections::{BTreeSet, HashSet, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
};

const GENESIS: u8 = 0;
/// The parent of each block: two rivals on block 1, and a child of each.
const PARENTS: [u8; 5] = [0, 0, 0, 1, 2];

fn id(block: u8) -> BlockId {
    BlockId::new([block; 32])
}

fn height(block: u8) -> u64 {
    match block {
        GENESIS => 1,
        _ => height(PARENTS[usize::from(block)]) + 1,
    }
}

fn at(ballot: u64, block: u8) -> Proposed {
    Proposed {
        ballot: Ballot(ballot),
        number: Height::new(height(block)).unwrap(),
        id: id(block),
    }
}

fn extends(block: u8, base: u8) -> bool {
    block == base || (block != GENESIS && extends(PARENTS[usize::from(block)], base))
}

struct Blocks;

impl Branches for Blocks {
    fn number(&self, block: &BlockId) -> Option<Height> {
        Height::new(height(block.as_bytes()[0])).ok()
    }
    fn extends(&self, block: &BlockId, base: &Proposed) -> bool {
        extends(block.as_bytes()[0], base.id.as_bytes()[0])
    }
    fn head_extends(&self, _: &Proposed) -> bool {
        false
    }
    fn slots(&self, _: &BlockId) -> u64 {
        0
    }
    fn head_weight(&self) -> u64 {
        0
    }
}

/// A way in which the rules could be wrong; each must be found out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mutant {
    None,
    /// A vote 2 does not lock.
    LockNotRaised,
    /// Any certificate unlocks, however old.
    AnyJustificationUnlocks,
    /// Vote 2 for a certificate outside the run.
    OutsideTheRun,
    /// A restart brings back the first record.
    RecordLost,
    /// A certificate of one vote too few.
    SmallQuorum,
    /// A key votes again for a ballot for which it has voted.
    SecondVote,
}

/// An honest voter and everything that it has signed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Honest {
    voter: Voter,
    last_final: Proposed,
    votes: BTreeSet<(Phase, Proposed)>,
}

/// Voters in order: which one is which does not matter.
type State = Vec<Honest>;

struct Model {
    honest: usize,
    /// Honest votes that make a certificate together with the liars' votes.
    needed: usize,
    ballots: u64,
    blocks: u8,
    mutant: Mutant,
    rules: VotingRules,
}

impl Model {
    fn new(miners: usize, quorum: usize, liars: usize, ballots: u64, blocks: u8) -> Self {
        let addresses = (0..miners).map(|index| Address::new([index as u8; 20]));
        let mut config = GenesisConfig::new(1, addresses.collect());
        config.consensus.slot_ms = 1_000_000;
        Self {
            honest: miners - liars,
            needed: quorum - liars,
            ballots,
            blocks,
            mutant: Mutant::None,
            rules: VotingRules::new(Schedule::new(&config), 1_000_000, 0),
        }
    }

    fn with(self, mutant: Mutant) -> Self {
        let needed = self.needed - usize::from(mutant == Mutant::SmallQuorum);
        Self {
            needed,
            mutant,
            ..self
        }
    }

    fn start(&self) -> State {
        let record = VoterRecord {
            max_vote1: Ballot::GENESIS,
            lock: at(0, GENESIS),
            standing: Standing::Intact,
        };
        let honest = Honest {
            voter: Voter::new(0, record),
            last_final: at(0, GENESIS),
            votes: BTreeSet::new(),
        };
        vec![honest; self.honest]
    }

    /// All certificates of a phase that can exist: enough honest votes, and every liar's.
    fn certificates(&self, state: &State, phase: Phase) -> Vec<Proposed> {
        let mut found = vec![at(0, GENESIS)];
        for ballot in 1..=self.ballots {
            for block in 1..=self.blocks {
                let wanted = (phase, at(ballot, block));
                let votes = state.iter().filter(|v| v.votes.contains(&wanted)).count();
                if votes >= self.needed {
                    found.push(wanted.1);
                }
            }
        }
        found
    }

    fn violation(&self, state: &State) -> Option<String> {
        let finals = self.certificates(state, Phase::Two);
        let block_of = |proposed: &Proposed| proposed.id.as_bytes()[0];
        for last in &finals {
            for later in self.certificates(state, Phase::One).iter().chain(&finals) {
                let fits = extends(block_of(later), block_of(last));
                if later.ballot >= last.ballot && !fits {
                    return Some(format!("{last:?} is final and {later:?} certified"));
                }
            }
        }
        None
    }

    /// Every state that one action of the adversary leads to.
    fn next(&self, state: &State) -> Vec<State> {
        let mut states = Vec::new();
        let ones = self.certificates(state, Phase::One);
        let twos = self.certificates(state, Phase::Two);
        for index in 0..state.len() {
            let mut put = |honest: Honest| {
                let mut next = state.clone();
                next[index] = honest;
                next.sort();
                states.push(next);
            };
            for ballot in 1..=self.ballots {
                for block in 1..=self.blocks {
                    for justify in ones.iter().chain(&twos) {
                        let proposal = at(ballot, block);
                        self.propose(&state[index], proposal, *justify)
                            .map(&mut put);
                    }
                }
            }
            for block in ones.iter().skip(1) {
                put(self.show(&state[index], block));
            }
            for block in twos.iter().skip(1) {
                let mut honest = state[index].clone();
                if block.ballot > honest.last_final.ballot {
                    honest.last_final = *block;
                    honest.voter.on_final(*block);
                }
                put(honest);
            }
            put(self.restart(&state[index]));
        }
        states
    }

    fn propose(&self, honest: &Honest, block: Proposed, justify: Proposed) -> Option<Honest> {
        let mut honest = honest.clone();
        let proposal = Proposal {
            block,
            proposer: 0,
            justify,
        };
        let now = Timestamp::ZERO;
        let mut judged = honest.voter.clone();
        match self.mutant {
            Mutant::AnyJustificationUnlocks => judged.record.lock = at(0, GENESIS),
            Mutant::SecondVote => judged.record.max_vote1 = Ballot::GENESIS,
            _ => {}
        }
        judged
            .judge(now, &self.rules, &proposal, &honest.last_final, &Blocks)
            .ok()?;
        let vote = honest.voter.vote1(now, block, &Blocks);
        honest.votes.insert((Phase::One, vote.block));
        Some(honest)
    }

    fn show(&self, honest: &Honest, block: &Proposed) -> Honest {
        let mut honest = honest.clone();
        let before = honest.voter.record;
        if self.mutant == Mutant::OutsideTheRun {
            let mut other = Voter::new(0, before);
            let now = Timestamp::ZERO;
            other.vote1(now, *block, &Blocks);
            honest.voter = other;
            honest.voter.record = before;
        }
        honest.voter.on_certified(block);
        let votes = honest
            .voter
            .votes2(Timestamp::ZERO, &self.rules, &honest.last_final);
        let signed = |vote: Vote| (vote.phase, vote.block);
        honest.votes.extend(votes.into_iter().map(signed));
        if self.mutant == Mutant::LockNotRaised {
            honest.voter.record.lock = before.lock;
        }
        honest
    }

    fn restart(&self, honest: &Honest) -> Honest {
        let mut record = honest.voter.record;
        if self.mutant == Mutant::RecordLost {
            record.max_vote1 = Ballot::GENESIS;
            record.lock = at(0, GENESIS);
        }
        Honest {
            voter: Voter::new(0, record),
            ..honest.clone()
        }
    }

    /// Breadth first through all states; the number of states, or the first violation.
    fn search(&self) -> Result<usize, String> {
        let start = self.start();
        let mut seen = HashSet::from([digest(&start)]);
        let mut open = VecDeque::from([start]);
        while let Some(state) = open.pop_front() {
            if let Some(violation) = self.violation(&state) {
                return Err(violation);
            }
            for next in self.next(&state) {
                if seen.insert(digest(&next)) {
                    open.push_back(next);
                }
            }
        }
        Ok(seen.len())
    }
}

/// 64 bits stand for a state: two of a million share them once in ten million searches.
fn digest(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

#[test]
fn no_run_of_the_voting_rules_makes_two_branches_final() {
    let ballots = u64::from(number("CCOIN_BALLOTS", 2));
    for (miners, quorum, liars, blocks) in [(2, 2, 0, 4), (3, 2, 0, 2), (4, 3, 1, 2)] {
        let states = Model::new(miners, quorum, liars, ballots, blocks).search();
        let states = states.unwrap_or_else(|violation| panic!("{violation}"));
        println!(
            "{miners} miners, quorum {quorum}, {liars} liars, {ballots} ballots, {blocks} blocks: \
             {states} states"
        );
    }
}

#[test]
fn every_mutant_of_the_voting_rules_makes_two_branches_final() {
    for mutant in [
        Mutant::LockNotRaised,
        Mutant::AnyJustificationUnlocks,
        Mutant::OutsideTheRun,
        Mutant::RecordLost,
        Mutant::SmallQuorum,
        Mutant::SecondVote,
    ] {
        let model = Model::new(3, 2, 0, 3, 2).with(mutant);
        assert!(model.search().is_err(), "{mutant:?} survives");
    }
}

#[test]
fn more_liars_than_the_quorum_survives_make_two_branches_final() {
    assert!(Model::new(3, 2, 1, 2, 2).search().is_err());
}

#[test]
fn a_key_whose_record_was_lost_votes_again_above_its_floor() {
    let model = Model::new(4, 3, 0, 1, 2);
    let record = VoterRecord {
        max_vote1: Ballot::GENESIS,
        lock: at(0, GENESIS),
        standing: Standing::Abstains(None),
    };
    let mut voter = Voter::new(0, record);
    let judge = |voter: &Voter, ballot: u64| {
        let proposal = Proposal {
            block: at(ballot, 1),
            proposer: 0,
            justify: at(0, GENESIS),
        };
        voter.judge(
            Timestamp::ZERO,
            &model.rules,
            &proposal,
            &at(0, GENESIS),
            &Blocks,
        )
    };
    assert_eq!(judge(&voter, 1), Err(Refusal::Abstains));
    voter.set_floor(0, Ballot::GENESIS);
    let floor = Ballot::last(1);
    assert_eq!(voter.record.max_vote1, floor);
    voter.on_final(at(floor.0, 1));
    assert_eq!(judge(&voter, 1), Err(Refusal::Abstains));
    voter.on_final(at(floor.0 + 1, 1));
    assert_eq!(voter.record.standing, Standing::Intact);
    // Below the floor it stays silent for ever.
    assert_eq!(judge(&voter, 5), Err(Refusal::Ballot));
}
