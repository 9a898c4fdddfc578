//! What happened in a [`World`] and when: the newest entries of all nodes, for the reader of a
//! run that failed and for reports. It judges nothing.

use crate::world::World;
use ccoin_core::{
    BlockId, Height,
    machine::{NodeState, Publish},
};
use std::collections::VecDeque;

/// Entries that are kept: the last ten seconds or so of a small network.
const MAX_ENTRIES: usize = 4_096;

/// Entries that a failed run prints.
const SHOWN: usize = 120;

/// Hex digits of a block id that an entry shows.
const ID_DIGITS: usize = 8;

/// What happened to a node, or to the links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Its process began.
    Started,
    /// Its process ended; its disk stays.
    Killed,
    /// Its process stopped: inputs wait.
    Hung,
    /// It went on.
    Resumed,
    /// Its wall clock is so many ms ahead from now on.
    Clock(i64),
    /// Its vote file was lost.
    VotesLost,
    /// So many of all links are cut from now on.
    Links {
        /// The cut ones.
        cut: usize,
        /// All.
        all: usize,
    },
    /// Its state changed.
    State(NodeState),
    /// A block that it made is on its disk.
    Sealed(Height, BlockId),
    /// Its head changed, and this many blocks left its branch.
    Head(Height, BlockId, usize),
    /// It said that a block is final.
    Final(Height, BlockId),
    /// It has seen proof that a key signed twice.
    Evidence,
    /// It learned that its record of votes is too old.
    RecordLost,
    /// It has seen two certificates that conflict.
    Alarm,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// In ms after [`START`](crate::START).
    pub at: u64,
    /// `None`: it happened to the links.
    pub node: Option<usize>,
    /// What it was.
    pub what: What,
}

/// The newest entries.
#[derive(Debug, Default)]
pub struct Timeline {
    entries: VecDeque<Entry>,
    /// How many there were in all.
    count: u64,
}

impl Timeline {
    /// The entries behind the first `seen`, as far as they are kept, and how many there were in all.
    #[must_use]
    pub fn since(&self, seen: u64) -> (Vec<Entry>, u64) {
        let new = usize::try_from(self.count - seen).unwrap_or(usize::MAX);
        let skipped = self.entries.len().saturating_sub(new);
        (
            self.entries.iter().skip(skipped).cloned().collect(),
            self.count,
        )
    }
}

/// The last digits of a block id: the first ones are zeros.
pub(crate) fn short(id: &BlockId) -> String {
    let hex = id.to_string();
    hex[hex.len() - ID_DIGITS..].to_owned()
}

impl What {
    /// In words, behind the name of the node.
    fn words(&self) -> String {
        match self {
            Self::Started => "starts".into(),
            Self::Killed => "is killed".into(),
            Self::Hung => "hangs".into(),
            Self::Resumed => "goes on".into(),
            Self::Clock(ms) => format!("has a clock that is {ms} ms ahead"),
            Self::VotesLost => "has lost its vote file".into(),
            Self::Links { cut: 0, .. } => "no link is cut".into(),
            Self::Links { cut, all } => format!("{cut} of {all} links are cut"),
            Self::State(state) => format!("is {}", state.word()),
            Self::Sealed(number, id) => format!("made block {number} ...{}", short(id)),
            Self::Head(number, id, 0) => format!("has head {number} ...{}", short(id)),
            Self::Head(number, id, left) => {
                format!("left {left} blocks for head {number} ...{}", short(id))
            }
            Self::Final(number, id) => format!("has final block {number} ...{}", short(id)),
            Self::Evidence => "has proof that a key signed twice".into(),
            Self::RecordLost => "learns that its record of votes is too old".into(),
            Self::Alarm => "raises the alarm: two certificates conflict".into(),
        }
    }
}

impl World {
    /// The name of a node: v1, v2 ... for miners in the order of genesis, v2b for a second machine
    /// with the key of v2, n5, n6 ... for the other nodes.
    #[must_use]
    pub fn name(&self, index: usize) -> String {
        match self.nodes[index].shell.index() {
            Some(miner) if miner == index => format!("v{}", index + 1),
            Some(miner) => format!("v{}b", miner + 1),
            None => format!("n{}", index + 1),
        }
    }

    pub(crate) fn note(&mut self, node: Option<usize>, what: What) {
        let at = self.now;
        let Timeline { entries, count } = &mut self.timeline;
        entries.push_back(Entry { at, node, what });
        *count += 1;
        if entries.len() > MAX_ENTRIES {
            entries.pop_front();
        }
    }

    /// Notes what a node shows to others.
    pub(crate) fn note_published(&mut self, index: usize, publish: &Publish) {
        let what = match publish {
            Publish::State { to, .. } => What::State(*to),
            Publish::Head { reorg, .. } => {
                let Some(head) = reorg.applied.last() else {
                    return;
                };
                let left = reorg.reverted.len() + reorg.older_reverted.len();
                What::Head(head.block.header().number, head.block.id, left)
            }
            Publish::Final(certificate) => What::Final(certificate.number, certificate.id),
            Publish::Evidence(_) => What::Evidence,
            Publish::RecordLost => What::RecordLost,
            Publish::SafetyAlarm { .. } => What::Alarm,
            _ => return,
        };
        self.note(Some(index), what);
    }

    /// The newest entries as lines, with times in seconds after `zero`, and before them who lies.
    #[must_use]
    pub fn timeline(&self, zero: u64) -> Vec<String> {
        let liars = self.nodes.iter().enumerate();
        let liars = liars.filter_map(|(index, node)| {
            let lie = node.lie.as_ref()?;
            Some(format!(
                "{:>9}    {:<5} lies: {lie:?}",
                "",
                self.name(index)
            ))
        });
        let all = &self.timeline.entries;
        let newest = all.iter().skip(all.len().saturating_sub(SHOWN));
        let lines = newest.map(|Entry { at, node, what }| {
            let seconds = (*at as f64 - zero as f64) / 1_000.0;
            let name = node.map_or(String::new(), |node| self.name(node));
            format!("{seconds:>9.3} s  {name:<5} {}", what.words())
        });
        liars.chain(lines).collect()
    }
}

/// A test that fails with a world in its hands shows what happened there last.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("the end of the timeline:");
            self.timeline(0).iter().for_each(|line| println!("{line}"));
        }
    }
}
