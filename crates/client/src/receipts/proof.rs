//! Fetches the receipt of a transaction or an account, and checks it before it is kept.

use std::path::{Path, PathBuf};

use ccoin_core::{
    Address, Height, TxId,
    receipt::{Receipt, Verified},
};
use ccoin_crypto::Verifier;
use ccoin_home::{ExitCode, Failure, replace_file};
use serde_json::value::RawValue;

use crate::{Connection, NodeUrl, files::unusable, runtime};

/// What a receipt is wanted of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofRequest {
    /// A transaction.
    Transaction(TxId),
    /// An account as of a block; without a number, as of the newest final one.
    Account(Address, Option<Height>),
}

impl ProofRequest {
    fn path(self) -> String {
        match self {
            Self::Transaction(id) => format!("/v1/txns/{id}/proof"),
            Self::Account(address, None) => format!("/v1/accounts/{address}/proof"),
            Self::Account(address, Some(block)) => {
                format!("/v1/accounts/{address}/proof?block={block}")
            }
        }
    }

    fn file(self) -> PathBuf {
        match self {
            Self::Transaction(id) => format!("{id}.ccoin").into(),
            Self::Account(address, _) => format!("{address}.ccoin").into(),
        }
    }
}

/// Fetches a receipt, verifies it under the node's genesis id and writes it to `out`, else to a
/// file named after what it is of; the line for people or programs.
///
/// # Errors
/// [`Failure`] of the request, 7 if the receipt does not hold, 3 if it cannot be written.
pub fn proof(
    url: &NodeUrl,
    request: ProofRequest,
    out: Option<&Path>,
    as_json: bool,
) -> Result<String, Failure> {
    let path = out.map_or_else(|| request.file(), Path::to_owned);
    let number = runtime()?.block_on(async {
        let mut node = Connection::new(url.clone());
        let (receipt, verified) = fetch_verified(&mut node, request).await?;
        let text = format!("{}\n", receipt.to_json());
        replace_file(&path, text.as_bytes(), 0o644).map_err(unusable(&path))?;
        Ok::<_, Failure>(verified.block.number)
    })?;
    if as_json {
        return Ok(serde_json::json!({"receipt": path, "block_number": number}).to_string());
    }
    let shown = path.display();
    Ok(format!(
        "{shown}: final in block {number}\nccoin verify {shown} --genesis ID   checks it without a node"
    ))
}

/// Asks a node for a receipt and verifies it under that node's genesis id.
///
/// # Errors
/// [`Failure`] of the request, 7 if the receipt does not hold.
pub(super) async fn fetch_verified(
    node: &mut Connection,
    request: ProofRequest,
) -> Result<(Receipt, Verified), Failure> {
    let status = node.status().await?;
    let receipt = fetch(node, &request.path()).await?;
    let verified = receipt.verify(&status.genesis_id, None, &mut Verifier::new(16));
    let verified = verified.map_err(|refused| {
        let message = format!("the node's receipt does not hold: {refused}");
        Failure::new(ExitCode::No, message)
    })?;
    Ok((receipt, verified))
}

/// Asks a node for a receipt.
///
/// # Errors
/// [`Failure`] of the request.
pub(super) async fn fetch(node: &mut Connection, path: &str) -> Result<Receipt, Failure> {
    let text: Box<RawValue> = node.get(path).await?;
    Receipt::parse(text.get().as_bytes()).map_err(|refused| {
        let message = format!("the answer to {path} is no receipt: {refused}");
        Failure::new(ExitCode::Unexpected, message)
    })
}
