//! What keeps a node from being ready, in words for operators: the one source of `/readyz`,
//! of warnings in the log, and of the refusal to sign payments on an old head.

use super::{Machine, NodeState, PeerId, twin::Meeting};
use crate::{Height, Now, Timestamp};
use std::collections::BTreeMap;

/// How many blocks a ready node may lack.
const NEAR_BLOCKS: u64 = 1;

/// A key that has signed for a time further ahead than this is told of, in slots and in ms.
const FAR_SLOTS: u64 = 10;
const FAR_MS: u64 = 60_000;

/// Something that keeps a node from being ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// It is not in state r.
    State(NodeState),
    /// A peer whose blocks proved good so far claims more than this node has.
    Behind {
        /// Own height.
        height: Height,
        /// What the peer claims.
        target: Height,
    },
    /// The clocks of more than half of the peers that count differ from this node's in the
    /// same direction (C2).
    Clock {
        /// This node's clock minus the nearest of those peers', in ms.
        ahead_ms: i64,
        /// How many peers differ so.
        peers: usize,
        /// How many peers count.
        of: usize,
    },
    /// The record of what a lone validator's key has voted is lost, and no peer has shown the
    /// chain that it may have made final (A4).
    RecordLost,
    /// The program that holds the key does not sign.
    Signer {
        /// What keeps it from signing.
        fault: String,
    },
    /// Another process uses this node's key (A6).
    Twin(Meeting),
    /// The best block is dated in the future: a clock was wrong when it was made (F4).
    DatedAhead {
        /// Number of the block.
        number: Height,
        /// When its time has come.
        until: Timestamp,
        /// How far that is.
        ahead_ms: u64,
        /// Whether this is the only validator: its operator may take the blocks back.
        alone: bool,
    },
    /// The key has signed for slots that are far ahead: a clock was wrong then, or is now.
    RecordAhead {
        /// How far the end of the last of them is.
        ahead_ms: u64,
        /// Whether this is the only validator: its operator may vouch for the key.
        alone: bool,
    },
}

impl core::fmt::Display for Hindrance {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::State(state) => write!(f, "the node is {}", state.word()),
            Self::Behind { height, target } => write!(f, "at block {height} of {target}"),
            Self::Clock {
                ahead_ms,
                peers,
                of,
            } => {
                let side = if *ahead_ms < 0 { "behind" } else { "ahead of" };
                let ms = ahead_ms.unsigned_abs();
                write!(
                    f,
                    "my clock is {ms} ms {side} those of {peers} of {of} peers: set the clock (NTP)"
                )
            }
            Self::RecordLost => f.write_str(
                "the vote file of the only validator was lost: a peer must show the chain, or \
                 its operator says cnode recover-votes --no-other-copy",
            ),
            Self::Signer { fault } => write!(
                f,
                "this node's signer does not sign ({fault}), so the node follows, makes no block, \
                 gives no vote and meets no new peer: mend the program of \"signer\" in ccoin.json; it \
                 is started again by itself, and cnode --check tries it"
            ),
            Self::Twin(meeting) => write!(f, "{meeting}"),
            Self::RecordAhead { ahead_ms, alone } => {
                let hours = ahead_ms.div_ceil(3_600_000);
                write!(
                    f,
                    "the vote file says that this key has signed for the next {hours} h, so it makes \
                     no block and gives no vote before then: set the clock (NTP)"
                )?;
                match alone {
                    true => f.write_str(
                        "; if it was wrong before and is right now, stop the node and say cnode \
                         drop-future-blocks --no-other-copy, then cnode recover-votes \
                         --no-other-copy",
                    ),
                    false => Ok(()),
                }
            }
            Self::DatedAhead {
                number,
                ahead_ms,
                alone,
                ..
            } => {
                let seconds = ahead_ms.div_ceil(1_000);
                write!(
                    f,
                    "block {number} is dated {seconds} s ahead of this clock, and blocks go on \
                     when its time has come: set the clock (NTP)"
                )?;
                match alone {
                    true => f.write_str(
                        "; if the clock is right now and no other node has the block, stop the \
                         node and say cnode drop-future-blocks",
                    ),
                    false => Ok(()),
                }
            }
        }
    }
}

/// Clock offsets of connected peers: theirs minus this node's, in ms.
#[derive(Debug, Default)]
pub(super) struct ClockOffsets(BTreeMap<PeerId, i64>);

impl ClockOffsets {
    pub(super) fn set(&mut self, peer: PeerId, offset_ms: i64) {
        self.0.insert(peer, offset_ms);
    }

    pub(super) fn forget(&mut self, peer: PeerId) {
        self.0.remove(&peer);
    }

    /// A jump of the own clock makes all of them wrong (C4).
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The offsets of these peers.
    fn of(&self, peers: impl Iterator<Item = PeerId>) -> Vec<i64> {
        peers
            .filter_map(|peer| self.0.get(&peer).copied())
            .collect()
    }
}

impl Machine {
    /// Everything that keeps this node from being ready now.
    #[must_use]
    pub fn hindrances(&self, now: Now) -> Vec<Hindrance> {
        let state = (self.state != NodeState::Ready).then_some(Hindrance::State(self.state));
        let lost = self.is_alone() && !self.is_record_whole();
        let lost = lost.then_some(Hindrance::RecordLost);
        let height = self.chain.height();
        let target = self.fetcher.credible_claim();
        let behind = target.get() > height.get().saturating_add(NEAR_BLOCKS);
        let behind = behind.then_some(Hindrance::Behind { height, target });
        let signer = self.signer_fault.clone();
        let found = [
            signer.map(|fault| Hindrance::Signer { fault }),
            lost,
            self.twin.now(now.mono).map(Hindrance::Twin),
            state,
            behind,
            self.wrong_clock(),
            self.dated_ahead(now),
            self.record_ahead(now),
        ];
        found.into_iter().flatten().collect()
    }

    /// Whether this key has signed for a time so far ahead that no clock within the rules was
    /// near it.
    fn record_ahead(&self, now: Now) -> Option<Hindrance> {
        let voted = self.voter()?.record.max_vote1.slot();
        let end = self.schedule().end(voted.max(self.last_sealed.slot));
        let ahead_ms = end.saturating_sub(now.wall.get());
        let slots = self.genesis.config.consensus.slot_ms;
        let far = slots.saturating_mul(FAR_SLOTS).max(FAR_MS);
        (ahead_ms > far).then_some(Hindrance::RecordAhead {
            ahead_ms,
            alone: self.is_alone(),
        })
    }

    /// Whether more than half of (connected validators and this node) differ from this
    /// node's clock by more than max_skew in the same direction (C2). Without a connected
    /// validator the other peers count.
    pub(super) fn wrong_clock(&self) -> Option<Hindrance> {
        let offsets = self.offsets_that_count();
        let skew = i64::try_from(self.genesis.config.consensus.max_skew_ms).unwrap_or(i64::MAX);
        let of = offsets.len();
        let most = of.saturating_add(1) >> 1;
        let later: Vec<_> = offsets.iter().filter(|offset| **offset > skew).collect();
        let earlier: Vec<_> = offsets
            .iter()
            .filter(|offset| **offset < skew.saturating_neg())
            .collect();
        let (peers, nearest) = if later.len() > earlier.len() {
            (later.len(), later.into_iter().min())
        } else {
            (earlier.len(), earlier.into_iter().max())
        };
        (peers > most).then_some(Hindrance::Clock {
            ahead_ms: nearest.map_or(0, |offset| offset.saturating_neg()),
            peers,
            of,
        })
    }

    /// Offsets of the connected validators, or of other peers if none is connected.
    fn offsets_that_count(&self) -> Vec<i64> {
        if self.fetcher.sees_a_validator() {
            self.clock_offsets.of(self.fetcher.validator_ids())
        } else {
            self.clock_offsets.of(self.fetcher.peer_ids())
        }
    }

    /// Whether one offset at least is known, and at most half of them exceed max_skew (C3): a
    /// vote by a clock that is ahead bars this key until that time has come, and a floor (A2)
    /// may lie below it.
    pub(super) fn clock_is_confirmed(&self) -> bool {
        let skew = self.genesis.config.consensus.max_skew_ms;
        let offsets = self.offsets_that_count();
        let wrong = offsets.iter().filter(|offset| offset.unsigned_abs() > skew);
        !offsets.is_empty() && wrong.count() <= offsets.len() >> 1
    }

    /// The same, and at least one offset within max_skew is known (C5).
    pub(super) fn clock_is_proven(&self) -> bool {
        let skew = self.genesis.config.consensus.max_skew_ms;
        let offsets = self.offsets_that_count();
        self.clock_is_confirmed() && offsets.iter().any(|offset| offset.unsigned_abs() <= skew)
    }

    fn dated_ahead(&self, now: Now) -> Option<Hindrance> {
        let (number, time) = self.chain.newest_time();
        let skew = self.genesis.config.consensus.max_skew_ms;
        let ahead_ms = time.get().saturating_sub(now.wall.get());
        (ahead_ms > skew).then_some(Hindrance::DatedAhead {
            number,
            until: time,
            ahead_ms,
            alone: self.is_alone(),
        })
    }
}
