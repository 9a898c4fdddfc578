//! Statuses: what peers lack, they get (S1 to S5).

use super::{Machine, certify::Source};
use crate::{
    MonoTime, Now,
    consensus::{
        ballot::Ballot,
        schedule::Slot,
        status::VerifiedStatus,
        vote::{Phase, Vote, VoterIndex},
        voter_record::Standing,
    },
    machine::{PeerId, Publish, SealMark, Step},
    message::{Status, VoterState, Yours},
};
use std::collections::{BTreeMap, BTreeSet};

/// How often a status is sent while the head is not final, and else.
const WAITING_MS: u64 = 1_000;
const CALM_MS: u64 = 10_000;

/// Blocks below the head in which a peer's newest header is looked for.
const SEARCHED_BLOCKS: usize = 256;

/// What a peer has told, and when it was told.
#[derive(Debug)]
struct PeerStatus {
    /// Its position among the miners, if it makes blocks.
    index: Option<VoterIndex>,
    state: VoterState,
    links: BTreeSet<VoterIndex>,
    last_final: Ballot,
    high: Ballot,
    sent: Option<MonoTime>,
    /// When it gets a status out of turn.
    due: Option<MonoTime>,
}

/// The connected peers.
#[derive(Debug, Default)]
pub(super) struct Statuses {
    peers: BTreeMap<PeerId, PeerStatus>,
    told: Option<(VoterState, Vec<VoterIndex>)>,
}

impl Statuses {
    pub(super) fn index_of(&self, peer: PeerId) -> Option<VoterIndex> {
        self.peers.get(&peer)?.index
    }

    pub(super) fn peer_of(&self, voter: VoterIndex) -> Option<PeerId> {
        let mut peers = self.peers.iter();
        let found = peers.find(|(_, status)| status.index == Some(voter));
        found.map(|(peer, _)| *peer)
    }

    /// Whether a peer that votes or hands votes on has no connection to the voter.
    pub(super) fn lacks_voter(&self, peer: PeerId, voter: VoterIndex) -> bool {
        let status = self.peers.get(&peer);
        status.is_some_and(|status| {
            let is_part = status.index.is_some() || !status.links.is_empty();
            is_part && !status.links.contains(&voter)
        })
    }

    /// The connected validators.
    fn links(&self) -> Vec<VoterIndex> {
        let links: BTreeSet<_> = self.peers.values().filter_map(|peer| peer.index).collect();
        links.into_iter().collect()
    }

    /// Whether every validator but this one is connected and has said that it is intact.
    pub(super) fn all_intact(&self, miners: usize) -> bool {
        let intact = self.peers.values();
        let intact = intact.filter(|status| status.state == VoterState::Intact);
        let intact: BTreeSet<_> = intact.filter_map(|status| status.index).collect();
        intact.len() == miners.saturating_sub(1)
    }

    pub(super) fn ask_at(&mut self, peer: PeerId, at: MonoTime) {
        if let Some(status) = self.peers.get_mut(&peer) {
            status.due = Some(status.due.map_or(at, |due| due.min(at)));
        }
    }
}

impl Machine {
    pub(in crate::machine) fn on_voter_joined(
        &mut self,
        now: Now,
        peer: PeerId,
        index: Option<VoterIndex>,
    ) {
        let status = PeerStatus {
            index,
            state: VoterState::NoVoter,
            links: BTreeSet::new(),
            last_final: Ballot::GENESIS,
            high: Ballot::GENESIS,
            sent: None,
            due: Some(now.mono),
        };
        self.finality.statuses.peers.insert(peer, status);
    }

    pub(in crate::machine) fn on_voter_left(&mut self, peer: PeerId) {
        self.finality.statuses.peers.remove(&peer);
    }

    /// Takes a peer's status. A certificate proves itself, so it counts from any peer; the vote
    /// state counts only if the peer is a validator (S2).
    pub(in crate::machine) fn on_status(
        &mut self,
        now: Now,
        peer: PeerId,
        status: VerifiedStatus,
        step: &mut Step,
    ) {
        let VerifiedStatus {
            last_final,
            high,
            head: (number, id),
            state,
            links,
            yours,
        } = status;
        if let Some(known) = self.finality.statuses.peers.get_mut(&peer) {
            known.state = state;
            known.links = links.into_iter().collect();
            known.last_final = last_final.ballot;
            known.high = high.ballot;
        }
        self.on_yours(now, &yours, step);
        let shows_less = last_final.ballot < self.finality.last_final.ballot
            || high.ballot < self.finality.high.ballot;
        let mut shown = [last_final, high];
        shown.sort_by_key(|certificate| certificate.ballot);
        for certificate in shown {
            if certificate.ballot > self.finality.last_final.ballot {
                self.on_certificate(now, certificate, Source::Peer(peer), step);
            }
        }
        self.want(now, peer, (number, id));
        if shows_less {
            self.finality.statuses.ask_at(peer, now.mono);
        }
    }

    /// Objects of this key that are newer than its record: the record went back (A1).
    fn on_yours(&mut self, now: Now, yours: &Yours, step: &mut Step) {
        let Some(voter) = &self.finality.voter else {
            return;
        };
        let ballot = |vote: &Option<crate::consensus::vote::SignedVote>| {
            vote.as_ref().map(|vote| vote.vote.block.ballot)
        };
        let shown = ballot(&yours.vote1).max(ballot(&yours.vote2));
        let header = yours.header.as_ref().map(|signed| SealMark {
            slot: self.schedule().slot(signed.header.time),
            number: signed.header.number,
        });
        if shown > Some(voter.record.max_vote1)
            || ballot(&yours.vote2).is_some_and(|ballot| voter.forgot_vote2(ballot))
            || header > Some(self.last_sealed)
        {
            let (vote, header) = (shown.unwrap_or_default(), header.unwrap_or_default());
            self.twin.signed(now.mono, vote, header);
            self.lose_record(vote, header, step);
        }
    }

    /// Whether this node votes, as it tells others.
    pub(in crate::machine) fn voter_state(&self) -> VoterState {
        let standing = self.finality.voter.as_ref().map(|v| v.record.standing);
        match standing {
            None => VoterState::NoVoter,
            Some(_) if self.is_alarmed() => VoterState::Abstains,
            Some(Standing::Intact) => VoterState::Intact,
            Some(Standing::Abstains(_)) => VoterState::Abstains,
            Some(Standing::Recovering(_)) => VoterState::Recovering,
        }
    }

    /// What a connected validator tells of its votes.
    pub(in crate::machine) fn told_state(&self, index: VoterIndex) -> Option<VoterState> {
        let mut peers = self.finality.statuses.peers.values();
        let found = peers.find(|status| status.index == Some(index));
        found.map(|status| status.state)
    }

    /// Whether a validator has voted for a ballot of this slot or a later one.
    pub(in crate::machine) fn voted_since(&self, index: VoterIndex, slot: Slot) -> bool {
        let newest = self.finality.tally.newest(Phase::One, index);
        newest.is_some_and(|vote| vote.block.ballot.slot() >= slot)
    }

    /// The newest vote of a validator that is kept.
    pub(in crate::machine) fn newest_vote(&self, phase: Phase, index: VoterIndex) -> Option<Vote> {
        let newest = self.finality.tally.newest(phase, index);
        newest.map(|vote| vote.signed().vote)
    }

    /// A certificate that did not come from own votes is news to others (S3).
    pub(super) fn tell_of_certificate(&mut self, is_final: bool) {
        let (last_final, high) = (self.finality.last_final.ballot, self.finality.high.ballot);
        for status in self.finality.statuses.peers.values_mut() {
            let shows_less = if is_final {
                status.last_final < last_final
            } else {
                status.high < high
            };
            if shows_less {
                status.due = Some(MonoTime::default());
            }
        }
    }

    /// Sends the statuses that are due: at most one for each peer in four rho.
    pub(super) fn send_statuses(&mut self, now: Now, step: &mut Step) {
        let told = (self.voter_state(), self.finality.statuses.links());
        let changed = self.finality.statuses.told.as_ref() != Some(&told);
        if changed {
            let peers = self.finality.statuses.peers.values_mut();
            peers.for_each(|status| status.due = Some(now.mono));
            self.finality.statuses.told = Some(told);
        }
        let due = self.status_times();
        let due: Vec<_> = due
            .filter(|(_, at)| now.mono >= *at)
            .map(|(peer, _)| peer)
            .collect();
        for peer in due {
            let status = Box::new(self.status_for(peer));
            step.publish.push(Publish::SendStatus { peer, status });
            if let Some(known) = self.finality.statuses.peers.get_mut(&peer) {
                (known.sent, known.due) = (Some(now.mono), None);
            }
        }
    }

    /// When each peer gets a status.
    fn status_times(&self) -> impl Iterator<Item = (PeerId, MonoTime)> {
        let calm = self.chain.head().block.id == self.finality.last_final.id;
        let period = if calm { CALM_MS } else { WAITING_MS };
        let least = self.finality.rules.rho_ms().saturating_mul(4);
        let peers = self.finality.statuses.peers.iter();
        peers.map(move |(peer, status)| {
            let regular = status.sent.map(|sent| sent.after(period));
            let regular = regular.unwrap_or_default();
            let due = status.due.map_or(regular, |due| due.min(regular));
            let earliest = status.sent.map(|sent| sent.after(least));
            (*peer, due.max(earliest.unwrap_or_default()))
        })
    }

    pub(super) fn status_wake_at(&self) -> impl Iterator<Item = MonoTime> {
        self.status_times().map(|(_, at)| at)
    }

    fn status_for(&self, peer: PeerId) -> Status {
        let head = self.chain.head();
        let index = self.finality.statuses.index_of(peer);
        Status {
            last_final: (*self.finality.last_final).clone(),
            high: (*self.finality.high).clone(),
            head: (head.block.header().number, head.block.id),
            state: self.voter_state(),
            links: self.finality.statuses.links(),
            yours: index.map_or_else(Yours::default, |index| self.seen_of(index)),
        }
    }

    /// The newest objects of a validator's key that are known here, also from certificates: the
    /// tally is empty after a restart.
    fn seen_of(&self, index: VoterIndex) -> Yours {
        let newest = |phase| {
            let vote = self.finality.tally.newest(phase, index);
            let vote = vote.map(|vote| vote.signed().clone());
            let certified = self.certificates().into_iter();
            let certified = certified.filter(|certificate| certificate.phase == phase);
            let votes = vote
                .into_iter()
                .chain(certified.filter_map(|c| c.vote_of(index)));
            votes.max_by_key(|signed| signed.vote.block.ballot)
        };
        let miner = self.schedule().miner(index);
        let blocks = self.chain.canonical().iter().rev().take(SEARCHED_BLOCKS);
        let mut headers = blocks.map(|applied| &applied.block.signed);
        let header = headers.find(|signed| Some(signed.header.coinbase) == miner);
        Yours {
            vote1: newest(Phase::One),
            vote2: newest(Phase::Two),
            header: header
                .cloned()
                .filter(|signed| signed.header.number > crate::Height::GENESIS),
        }
    }
}
