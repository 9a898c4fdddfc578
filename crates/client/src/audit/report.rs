//! What an audit has proven, and what it has not, in words and as JSON.

use std::sync::Arc;

use ccoin_core::{BlockId, Height, genesis::Genesis, receipt::Permanence};
use serde_json::{Value, json};

/// A chain that was found good.
#[derive(Debug)]
pub struct AuditReport {
    pub(super) genesis: Arc<Genesis>,
    pub(super) begin: (Height, BlockId),
    pub(super) last_final: (Height, BlockId),
    pub(super) height: Height,
    pub(super) blocks: u64,
    pub(super) transactions: u64,
    /// `None`: only the first block is final.
    pub(super) permanence: Option<Permanence>,
}

impl AuditReport {
    /// One fact a line.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let (begin, begin_id) = self.begin;
        let (last_final, id) = self.last_final;
        let from = match begin {
            Height::GENESIS => "1".to_owned(),
            later => format!("{later} (trusted: {begin_id})"),
        };
        let mut lines = vec![format!(
            "blocks {from} to {} are good: {} blocks with {} transactions fetched, every \
                 signature, proof of work and state root is right",
            self.height, self.blocks, self.transactions
        )];
        lines.push(match &self.permanence {
            None => "no block after block 1 is final: all of them can still be undone".to_owned(),
            Some(made) => format!(
                "final up to block {last_final} {id}: {} of {} miners voted; holds while at most {} \
                 of them sign contradictions",
                made.voters.len(),
                made.miners,
                made.tolerated
            ),
        });
        if self.height > last_final {
            let from = last_final.get() + 1;
            lines.push(format!(
                "blocks {from} to {} are not final: they can still be undone",
                self.height
            ));
        }
        lines.push(
            "not proven: that the node shows the newest blocks, who the senders are in civil life, \
             that texts are true, or the times of blocks (the word of their miners)"
                .to_owned(),
        );
        lines
    }

    /// One object.
    #[must_use]
    pub fn json(&self) -> Value {
        let (last_final, id) = self.last_final;
        let certificate = self.permanence.as_ref().map(|made| {
            json!({
                "number": made.block.number,
                "id": made.block.id,
                "voters": made.voters,
                "miners": made.miners,
                "tolerated": made.tolerated,
            })
        });
        json!({
            "good": true,
            "genesis_id": self.genesis.id,
            "begin": {"number": self.begin.0, "id": self.begin.1},
            "height": self.height,
            "final": {"number": last_final, "id": id},
            "certificate": certificate,
            "blocks": self.blocks,
            "transactions": self.transactions,
        })
    }
}
