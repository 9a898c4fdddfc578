//! The names of what lying validators do.

use crate::{
    lies::{Lie, Misdeed},
    vote_lies::VoteLie,
};

/// What a lying validator does, and how users call it.
#[derive(Clone, Debug)]
pub struct Attack {
    pub name: &'static str,
    /// For the help.
    pub does: &'static str,
    pub(crate) lie: Lie,
}

impl Attack {
    /// Whether it is a second machine.
    pub(crate) fn is_copy(&self) -> bool {
        self.lie == Lie::Votes(VoteLie::Copied)
    }
}

const fn votes(name: &'static str, does: &'static str, lie: VoteLie) -> Attack {
    let lie = Lie::Votes(lie);
    Attack { name, does, lie }
}

const fn blocks(name: &'static str, does: &'static str, misdeed: Misdeed) -> Attack {
    let lie = Lie::Miner(misdeed);
    Attack { name, does, lie }
}

/// All of them.
pub const ATTACKS: [Attack; 16] = [
    votes(
        "copy",
        "runs on a second machine behind the first cut, with a copy of its directory",
        VoteLie::Copied,
    ),
    votes("silent", "keeps its votes to itself", VoteLie::Silent),
    votes(
        "strip",
        "hands proposals on without what justifies them",
        VoteLie::Strip,
    ),
    votes("hide", "shows no certificate", VoteLie::Hide),
    votes(
        "replay",
        "repeats old messages of everybody",
        VoteLie::Replay,
    ),
    votes(
        "double-vote",
        "votes for two blocks under one ballot",
        VoteLie::Twice,
    ),
    votes(
        "aim",
        "shows its votes to one validator at the worst moment",
        VoteLie::Aim,
    ),
    votes(
        "backdate-vote",
        "signs blocks into its past and votes for them",
        VoteLie::Backdate,
    ),
    votes(
        "flood-ballots",
        "proposes under more ballots of its slot than it may",
        VoteLie::Flood,
    ),
    blocks(
        "withhold",
        "keeps its blocks to itself for a while",
        Misdeed::Withhold,
    ),
    blocks(
        "deaf",
        "the same, and hears nothing meanwhile",
        Misdeed::Hide,
    ),
    blocks("twins", "signs two blocks for one turn", Misdeed::Twins),
    blocks("backdate", "signs blocks into its past", Misdeed::Backdate),
    blocks(
        "flood",
        "signs many large blocks on one parent",
        Misdeed::Flood,
    ),
    blocks("early", "shows blocks before their time", Misdeed::Early),
    blocks("wrong", "signs blocks that break a rule", Misdeed::Wrong),
];
