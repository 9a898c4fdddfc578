//! Writes a COSE Receipt of a transaction, signed by a miner whose key lies on this host.

use std::path::Path;

use ccoin_core::{
    Address, TxId,
    receipt::{Subject, Verified},
};
use ccoin_crypto::Verifier;
use ccoin_home::{DataDir, ExitCode, Failure, PassphraseSource, replace_file, unlock_key};

use super::{
    ProofRequest,
    cose::{CoseReceiptError, check, sign},
    proof::fetch_verified,
};
use crate::{
    Connection, NodeUrl,
    files::unusable,
    runtime,
    wallet::{Account, KnownAccounts},
};

/// Miners that an error lists, at most.
const MAX_LISTED: usize = 8;

/// What is written, and who signs.
#[derive(Debug)]
pub struct CoseExport<'a> {
    /// The node that is asked.
    pub url: NodeUrl,
    /// The transaction.
    pub txn: TxId,
    /// The file.
    pub out: &'a Path,
    /// The miner; without one, the first of the certificate whose key is known.
    pub miner: Option<Account>,
    /// Accounts whose keys lie on this host.
    pub known: &'a KnownAccounts,
    /// Of the miner's key.
    pub passphrase: PassphraseSource,
}

/// Fetches the receipt of a final transaction, verifies it under the node's genesis id, signs
/// the root of its block's transactions as a miner of its certificate, and writes the COSE
/// Receipt; the lines for people or programs.
///
/// # Errors
/// [`Failure`] of the request and of the key, 7 if the receipt does not hold or the miner is not
/// of its certificate, 4 if no such key is here, 3 if the file cannot be written.
pub fn cose_proof(export: &CoseExport<'_>, as_json: bool) -> Result<String, Failure> {
    let request = ProofRequest::Transaction(export.txn);
    let (receipt, verified) = runtime()?.block_on(async {
        fetch_verified(&mut Connection::new(export.url.clone()), request).await
    })?;
    let asked = verified.transaction.as_ref().map(|txn| txn.id);
    let (Subject::Transaction(place), true) = (&receipt.subject, asked == Some(export.txn)) else {
        let message = format!("the node's receipt is not of transaction {}", export.txn);
        return Err(Failure::new(ExitCode::No, message).hint("try another node: --url URL"));
    };
    let data_dir = signer(export, &verified)?;
    let key = unlock_key(data_dir, &export.passphrase)?;
    let failed = |error: CoseReceiptError| {
        let message = format!("cannot make a COSE Receipt: {error}");
        Failure::new(ExitCode::Unexpected, message)
    };
    let bytes = sign(&export.txn, &place.inclusion, &key).map_err(failed)?;
    // A computation that went wrong leaves no file.
    let public = key.public_key();
    check(&bytes, &export.txn, public, &mut Verifier::new(1)).map_err(failed)?;
    replace_file(export.out, &bytes, 0o644).map_err(unusable(export.out))?;
    let (miner, number) = (public.address(), verified.block.number);
    if as_json {
        let said = serde_json::json!({"cose": export.out, "miner": miner, "block_number": number});
        return Ok(said.to_string());
    }
    Ok(format!(
        "{}: in block {number} by the word of miner {miner}, which does not prove that it is final\n\
         COSE libraries check it with the transaction id and the key {}",
        export.out.display(),
        data_dir.public_key().display()
    ))
}

/// Where the key lies that signs.
fn signer<'a>(export: &'a CoseExport<'_>, verified: &Verified) -> Result<&'a DataDir, Failure> {
    let voters = &verified.permanence.voters;
    let listed = || {
        let label = |voter: &Address| export.known.label(voter);
        let labels: Vec<_> = voters.iter().take(MAX_LISTED).map(label).collect();
        format!("miners of the certificate: {}", labels.join(", "))
    };
    let Some(miner) = &export.miner else {
        let mut known = export.known.iter();
        let found = known.find_map(|known| {
            let here = known.data_dir.as_ref()?;
            voters.contains(&known.address).then_some(here)
        });
        return found.ok_or_else(|| {
            let message = "no key of a miner of the certificate lies on this host";
            Failure::new(ExitCode::NotFound, message)
                .hint(listed())
                .hint("give the command on the host of one of them, with -c of its node")
        });
    };
    if !voters.contains(&miner.address) {
        let label = export.known.label(&miner.address);
        let message = format!("{label} is no miner of the certificate");
        return Err(Failure::new(ExitCode::No, message).hint(listed()));
    }
    miner.data_dir.as_ref().ok_or_else(|| {
        let message = format!("the key of {} is not on this host", miner.address);
        Failure::new(ExitCode::NotFound, message)
            .hint("give the command on the host of that miner, with -c of its node")
    })
}
