//! Votes, certificates and the final block, around the pure rules in `consensus`.
//!
//! `certify` takes certificates, `ballot_box` votes and proposals, `propose` is the leader's
//! side, `status` tells peers what they lack, `relay` hands votes on, `wanted` asks for blocks
//! that were named, `standing` guards a key whose record was lost.

mod ballot_box;
mod below;
mod certify;
mod propose;
mod relay;
mod standing;
mod status;
mod wanted;

use super::{Machine, PeerId, Step};
use crate::{
    BlockId, Height, MonoTime, Now,
    consensus::{
        ballot::Ballot,
        certificate::VerifiedCertificate,
        evidence::Evidence,
        tally::Tally,
        vote::{Phase, VerifiedVote, VoterIndex},
        voter::{Voter, VotingRules},
        voter_record::VoterRecord,
    },
    genesis::Genesis,
};
use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

/// Certificates of phase 1 that are kept for votes 2, and ballots whose proposals were seen.
const MAX_KEPT: usize = 64;

/// A proposal whose block is not here yet (V7).
#[derive(Clone, Debug)]
struct Parked {
    peer: PeerId,
    vote: VerifiedVote,
    justify: VerifiedCertificate,
}

/// What the machine knows about final blocks.
#[derive(Debug)]
pub(super) struct Finality {
    rules: VotingRules,
    last_final: VerifiedCertificate,
    high: VerifiedCertificate,
    /// The certificate of the lock, as far as it is known.
    lock: VerifiedCertificate,
    /// The two certificates that conflict: this node signs nothing any more.
    alarm: Option<VerifiedCertificate>,
    /// `None`: a node that only follows.
    voter: Option<Voter>,
    tally: Tally,
    /// The newest certificates of phase 1.
    certified: BTreeMap<Ballot, VerifiedCertificate>,
    /// Certificates in the block log.
    logged: BTreeSet<(Ballot, Phase)>,
    /// The highest certificate of each phase whose block is not here (R5).
    awaited: BTreeMap<Phase, VerifiedCertificate>,
    /// Certificates of final blocks below others that are fetched.
    below: BTreeMap<Height, VerifiedCertificate>,
    parked: BTreeMap<Ballot, Parked>,
    wanted: wanted::Wanted,
    /// The highest ballot of a justification with which each proposal came.
    proposals: BTreeMap<(Ballot, BlockId), Ballot>,
    proposer: propose::Proposer,
    relays: relay::Relays,
    statuses: status::Statuses,
    /// The first proof of each kind against each offender.
    evidence: BTreeMap<(u8, VoterIndex), Evidence>,
}

impl Finality {
    pub(super) fn new(genesis: &Genesis, voter: Option<(VoterIndex, VoterRecord)>) -> Self {
        let consensus = &genesis.config.consensus;
        let certificate = |phase| VerifiedCertificate::genesis(phase, genesis.id);
        let schedule = genesis.schedule.clone();
        let rules = VotingRules::new(schedule, consensus.slot_ms, consensus.max_skew_ms);
        Self {
            last_final: certificate(Phase::Two),
            high: certificate(Phase::One),
            lock: certificate(Phase::One),
            alarm: None,
            voter: voter.map(|(index, record)| Voter::new(index, record)),
            tally: Tally::new(consensus.quorum, rules.most_votes()),
            rules,
            certified: BTreeMap::new(),
            logged: BTreeSet::new(),
            awaited: BTreeMap::new(),
            below: BTreeMap::new(),
            parked: BTreeMap::new(),
            wanted: wanted::Wanted::default(),
            proposals: BTreeMap::new(),
            proposer: propose::Proposer::default(),
            relays: relay::Relays::default(),
            statuses: status::Statuses::default(),
            evidence: BTreeMap::new(),
        }
    }

    /// Forgets what lies below the final block.
    fn forget_settled(&mut self) {
        let ballot = self.last_final.ballot;
        self.tally.forget_below(ballot);
        self.certified = self.certified.split_off(&ballot);
        self.logged = self.logged.split_off(&(ballot, Phase::One));
        self.parked = self.parked.split_off(&ballot);
        self.proposals = self.proposals.split_off(&(ballot, BlockId::ZERO));
        self.awaited.retain(|_, awaited| awaited.ballot > ballot);
    }
}

impl Machine {
    /// The certificate of the final block.
    #[must_use]
    pub fn last_final(&self) -> &VerifiedCertificate {
        &self.finality.last_final
    }

    /// The highest certificate of either phase.
    #[must_use]
    pub fn high(&self) -> &VerifiedCertificate {
        &self.finality.high
    }

    /// What a checkpoint must hold of certificates, because a restart does not read the log
    /// before it: final, high, lock.
    #[must_use]
    pub fn certificates(&self) -> [&VerifiedCertificate; 3] {
        let Finality {
            last_final,
            high,
            lock,
            ..
        } = &self.finality;
        [last_final, high, lock]
    }

    /// The certificate that conflicts with the final block; a checkpoint must hold it too.
    #[must_use]
    pub fn alarm(&self) -> Option<&VerifiedCertificate> {
        self.finality.alarm.as_ref()
    }

    /// Proofs of validators' faults.
    #[must_use]
    pub fn evidence(&self) -> Vec<Evidence> {
        self.finality.evidence.values().cloned().collect()
    }

    /// This node's voter.
    #[must_use]
    pub fn voter(&self) -> Option<&Voter> {
        self.finality.voter.as_ref()
    }

    /// What time and the other handlers have made due: certificates and proposals whose
    /// blocks have come, votes to hand on, statuses, the leader's proposal.
    pub(super) fn follow_votes(&mut self, now: Now, step: &mut Step) {
        self.take_awaited(now, step);
        self.judge_parked(now, step);
        self.ask_for_wanted(now);
        self.guard_standing(now, step);
        self.propose(now, step);
        self.relay_later(now, step);
        self.send_statuses(now, step);
    }

    /// The next moment at which one of them can be due.
    pub(super) fn votes_wake_at(&self) -> impl Iterator<Item = MonoTime> {
        let statuses = self.status_wake_at();
        statuses
            .chain(self.finality.relays.next_due())
            .chain(self.finality.wanted.next_due())
            .chain(self.propose_at())
    }

    /// Takes note of a proven fault, once per offender and kind (E1).
    pub(super) fn on_evidence(
        &mut self,
        evidence: Evidence,
        from: Option<PeerId>,
        step: &mut Step,
    ) {
        if self.note_offender(&evidence) {
            let peers = self.peers_but(from);
            let message = Box::new(crate::message::Message::Evidence(evidence.clone()));
            step.ask.push(super::Ask::Tell { peers, message });
            step.write.push(super::Write::Evidence(evidence.clone()));
            step.publish.push(super::Publish::Evidence(evidence));
        }
    }

    /// Whether this is the first proof against an offender of this kind.
    pub(super) fn note_offender(&mut self, evidence: &Evidence) -> bool {
        let offender = evidence.offender(self.schedule());
        let index = offender.and_then(|miner| self.schedule().index(&miner));
        let index = index.and_then(|index| u8::try_from(index).ok());
        let kind = u8::from(evidence.voter().is_none());
        let Some(index) = index else { return false };
        let known = self.finality.evidence.entry((kind, index));
        let is_first = matches!(known, Entry::Vacant(_));
        known.or_insert_with(|| evidence.clone());
        is_first
    }

    /// All connected peers but one.
    fn peers_but(&self, except: Option<PeerId>) -> Vec<PeerId> {
        let peers = self.fetcher.peer_ids();
        peers.filter(|peer| Some(*peer) != except).collect()
    }
}
