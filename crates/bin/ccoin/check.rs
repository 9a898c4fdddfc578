//! `ccoin check`: the verdict on a whole chain, for people and for programs.

use std::time::Instant;

use ccoin_client::Progress;
use ccoin_home::{ExitCode, Failure, environment, lanes};
use ccoin_node::BadChain;
use serde_json::json;

use crate::{Options, chain::Directory, print};

impl Directory {
    /// `ccoin check`.
    pub(crate) fn check(&self, options: &Options) -> Result<(), Failure> {
        let (chain, keys) = self.chain(options)?;
        let begun = Instant::now();
        let mut progress = Progress::of_bytes("check", chain.log_bytes()?);
        let checked = chain.verify(&keys, lanes(&environment)?, &mut |done| progress.tell(done));
        let report = match checked {
            Ok(report) => report,
            Err(bad) => {
                drop(progress);
                return Err(refused(options, bad));
            }
        };
        progress.finish();
        let seconds = begun.elapsed().as_secs_f64();
        if options.json {
            let line = json!({
                "good": true,
                "height": report.height,
                "final": report.last_final,
                "blocks": report.blocks,
                "transactions": report.transactions,
                "certificates": report.certificates,
                "evidence": report.evidence,
                "seconds": (seconds * 1e3).round() / 1e3,
            });
            print(&line.to_string());
            return Ok(());
        }
        print(&format!(
            "the chain is good up to block {}, final up to block {}",
            report.height, report.last_final
        ));
        print(&format!(
            "{} blocks with {} transactions, {} certificates: every signature and root is right",
            report.blocks, report.transactions, report.certificates
        ));
        if report.evidence > 0 {
            print(&format!(
                "{} proofs that a validator signed twice: GET /v1/evidence shows them",
                report.evidence
            ));
        }
        Ok(())
    }
}

/// Shows programs where a chain goes wrong; the failure tells people.
fn refused(options: &Options, bad: BadChain) -> Failure {
    let number = bad.number;
    let failure = Failure::from(bad);
    let is_verdict = matches!(failure.code, ExitCode::No | ExitCode::Damaged);
    if options.json && is_verdict {
        let line = json!({"good": false, "first_bad": number, "reason": failure.message});
        print(&line.to_string());
    }
    failure
}
