//! Verifies a receipt without any node: with its file, the genesis id, and the document.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use ccoin_core::{
    BlockId,
    receipt::{MAX_RECEIPT_BYTES, Receipt, Refused},
};
use ccoin_crypto::Verifier;
use ccoin_home::{ExitCode, Failure, replace_file};

use super::{inputs::hash_file, report, words};
use crate::files::unusable;

/// A `COSE_Sign1` with its tag (RFC 9052, 2).
const COSE_SIGN1: &[u8] = &[0xd2, 0x84];

/// What is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The receipt.
    pub receipt: PathBuf,
    /// The document that it must be about.
    pub document: Option<PathBuf>,
    /// The network, from a person that the caller trusts.
    pub genesis: Option<BlockId>,
    /// Where a page with the answer and the receipt goes.
    pub report: Option<PathBuf>,
}

/// What is said, and how it ends if the answer is no.
#[derive(Debug)]
pub struct Outcome {
    /// For stdout; for people nothing if the answer is no.
    pub said: Option<String>,
    /// Exit code and message.
    pub failure: Option<Failure>,
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        Self {
            said: None,
            failure: Some(failure),
        }
    }
}

/// Verifies a receipt. Exit codes: 7 it does not hold, 3 it is none, 2 no genesis id is given, 4
/// a file cannot be read.
#[must_use]
pub fn verify(check: &Check, as_json: bool) -> Outcome {
    judge(check, as_json).unwrap_or_else(Outcome::from)
}

fn judge(check: &Check, as_json: bool) -> Result<Outcome, Failure> {
    let bytes = read(&check.receipt)?;
    let document = check.document.as_deref().map(hash_file).transpose()?;
    let receipt = match Receipt::parse(&bytes) {
        Ok(receipt) => receipt,
        Err(_) if bytes.starts_with(COSE_SIGN1) => return Ok(cose(as_json)),
        Err(refused) => return Ok(no(&refused, as_json)),
    };
    let genesis = check.genesis.ok_or_else(|| no_genesis(&receipt))?;
    let verified = receipt.verify(&genesis, document.as_ref(), &mut Verifier::new(16));
    let verified = match verified {
        Ok(verified) => verified,
        Err(refused) => return Ok(no(&refused, as_json)),
    };
    if let Some(path) = &check.report {
        let page = report::page(&receipt, &verified);
        replace_file(path, page.as_bytes(), 0o644).map_err(unusable(path))?;
    }
    let said = if as_json {
        words::json(&verified).to_string()
    } else {
        words::lines(&verified).join("\n")
    };
    Ok(Outcome {
        said: Some(said),
        failure: None,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    // One byte more tells that it is too long.
    let most = u64::try_from(MAX_RECEIPT_BYTES)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let read = File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => {
            let message = format!("cannot read {}: {error}", path.display());
            Err(Failure::new(ExitCode::NotFound, message))
        }
    }
}

fn cose(as_json: bool) -> Outcome {
    let refused = Refused {
        step: 1,
        got: "a COSE Receipt, which proves less".to_owned(),
        expected: "JSON".to_owned(),
    };
    let Outcome { said, failure } = no(&refused, as_json);
    let failure = failure.map(|failure| {
        failure
            .hint("COSE libraries check it with the transaction id and the miner's public key")
            .hint("ask for the receipt of the transaction: ccoin proof TXID")
    });
    Outcome { said, failure }
}

fn no_genesis(receipt: &Receipt) -> Failure {
    let failure = Failure::new(ExitCode::Usage, "no genesis id is given");
    let failure = match receipt.claimed_genesis() {
        Some(claimed) => failure.hint(format!(
            "the receipt claims {claimed}, which proves nothing"
        )),
        None => failure,
    };
    failure
        .hint("ask a person that you trust for the genesis id of the network")
        .hint("then: ccoin verify FILE --genesis ID   (or CCOIN_GENESIS, or genesis_id in ccoin.json)")
}

fn no(refused: &Refused, as_json: bool) -> Outcome {
    let code = match refused.step {
        1 => ExitCode::BadConfig,
        _ => ExitCode::No,
    };
    let (got, expected) = (&refused.got, &refused.expected);
    let answer = || {
        serde_json::json!({
            "verified": false, "step": refused.step, "got": got, "expected": expected,
        })
    };
    let message = match refused.step {
        1 => format!("not a receipt: {got}"),
        step => format!(
            "the receipt does not hold: step {step} ({})",
            refused.word()
        ),
    };
    let failure = Failure::new(code, message);
    Outcome {
        said: as_json.then(|| answer().to_string()),
        failure: Some(match refused.step {
            1 => failure,
            _ => failure
                .hint(format!("got       {got}"))
                .hint(format!("expected  {expected}")),
        }),
    }
}
