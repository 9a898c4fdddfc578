//! The lines of the log that follow from what has become visible.

use crate::clock;
use ccoin_core::{
    Address,
    applied::Applied,
    chain::Reorg,
    consensus::{certificate::Certificate, evidence::Evidence, voter_record::Standing},
    genesis::Genesis,
    machine::{Hindrance, Machine, NodeState},
};
use std::{collections::BTreeSet, sync::Arc};

/// What has been told.
pub(crate) struct LogLines {
    genesis: Arc<Genesis>,
    leader: Option<Address>,
}

impl LogLines {
    pub(crate) fn new(genesis: &Arc<Genesis>) -> Self {
        Self {
            genesis: Arc::clone(genesis),
            leader: None,
        }
    }

    /// The head has moved.
    pub(crate) fn blocks(&mut self, reorg: &Reorg, dropped: usize) {
        if let (Some(newest), Some(oldest)) = (reorg.reverted.first(), reorg.reverted.last()) {
            let ids = |blocks: &[Arc<Applied>]| -> BTreeSet<_> {
                blocks.iter().flat_map(|b| b.block.txn_ids()).collect()
            };
            let applied = ids(&reorg.applied);
            let left = ids(&reorg.reverted).difference(&applied).count();
            let branch = reorg
                .applied
                .last()
                .map(|head| head.block.header().coinbase);
            let oldest = oldest.block.header().number;
            let older = reorg.older_reverted.last().map(|(number, _)| *number);
            tracing::warn!(
                "Reorg: blocks {} to {} are replaced by a better branch, whose head miner {} made; \
                 {} transactions wait again, {dropped} were dropped",
                older.unwrap_or(oldest),
                newest.block.header().number,
                branch.unwrap_or(Address::ZERO),
                left.saturating_sub(dropped)
            );
        }
        for applied in &reorg.applied {
            let header = applied.block.header();
            tracing::info!(
                "Applied new block {n}. Current height is {n}",
                n = header.number
            );
            self.new_leader(header.coinbase);
        }
    }

    /// The node's state has changed.
    pub(crate) fn state(&mut self, from: NodeState, to: NodeState) {
        tracing::info!(
            "Node state changed from={} to={}",
            from.letter(),
            to.letter()
        );
        if to == NodeState::Ready {
            let schedule = &self.genesis.schedule;
            let leader = schedule.leader(schedule.slot(clock::wall()));
            leader
                .into_iter()
                .for_each(|leader| self.new_leader(leader));
        }
    }

    fn new_leader(&mut self, leader: Address) {
        if self.leader.replace(leader) != Some(leader) {
            tracing::info!("New leader is {leader}");
        }
    }

    /// A block is final.
    pub(crate) fn finality(&self, certificate: &Certificate) {
        tracing::info!("Block {} is final", certificate.number);
    }

    /// More validators broke the rules than the network tolerates.
    pub(crate) fn alarm(&self, last_final: &Certificate, conflicting: &Certificate) {
        tracing::error!(
            "SAFETY ALARM: block {} ({}) is final here, and a certificate proves the conflicting \
             block {} ({}): too many validators have signed both. This node signs nothing any \
             more, and goes on serving. Both certificates are in its block log",
            last_final.number,
            last_final.id,
            conflicting.number,
            conflicting.id
        );
    }

    /// The vote record of this node's key is older than what the key has signed.
    pub(crate) fn record_lost(&self) {
        tracing::warn!(
            "a peer shows signatures of this node's key that its vote file does not know: the \
             file is an old copy, or another machine uses this key. The node gives no votes until \
             that is safe; end the other machine if there is one"
        );
    }

    /// What keeps the key of a node that starts from voting.
    pub(crate) fn voting_at_start(machine: &Machine) {
        if machine.is_alarmed() {
            tracing::error!(
                "SAFETY ALARM: two certificates in the block log conflict: this node signs nothing"
            );
        }
        let standing = machine.voter().map(|voter| voter.record.standing);
        if matches!(standing, Some(Standing::Abstains(_))) {
            tracing::warn!(
                "the vote file and the block log do not show all that this node's key has signed: \
                 the key gives no votes until that is safe; README.md, \"Lost votes\", tells when"
            );
        }
    }

    /// The record of the key has changed.
    pub(crate) fn standing(before: Standing, now: Standing) {
        let abstains = |standing| matches!(standing, Standing::Abstains(_));
        if abstains(before) && !abstains(now) {
            tracing::info!("this node's key votes again");
        }
    }

    /// A validator has signed two things of which it may sign one.
    pub(crate) fn evidence(&self, evidence: &Evidence) {
        let offender = evidence.offender(&self.genesis.schedule);
        let offender = offender.unwrap_or(Address::ZERO);
        let what = match evidence {
            Evidence::Votes(_) => "two votes for one ballot",
            Evidence::Headers(_) => "two blocks for one turn",
        };
        tracing::warn!(
            "miner {offender} has signed {what}: it breaks the rules, or two machines use its \
             key; GET /v1/evidence shows both"
        );
    }
}

/// Tells the operator once of a clock or date that is wrong, and once when it is right again.
/// Start and sync have lines of their own.
pub(crate) fn hindrances(before: &[Hindrance], now: &[Hindrance]) {
    let is_wrong = |hindrance: &&Hindrance| {
        matches!(
            hindrance,
            Hindrance::Signer { .. }
                | Hindrance::Clock { .. }
                | Hindrance::DatedAhead { .. }
                | Hindrance::RecordAhead { .. }
        )
    };
    let same =
        |a: &Hindrance, b: &Hindrance| core::mem::discriminant(a) == core::mem::discriminant(b);
    let lacks = |list: &[Hindrance], wanted: &Hindrance| !list.iter().any(|h| same(h, wanted));
    for new in now.iter().filter(is_wrong).filter(|h| lacks(before, h)) {
        tracing::warn!("not ready: {new}");
    }
    for gone in before.iter().filter(is_wrong).filter(|h| lacks(now, h)) {
        tracing::info!("no longer: {gone}");
    }
}
