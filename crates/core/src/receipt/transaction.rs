//! Steps 4 to 6: a document in a transaction, the transaction, and its place in a block.

use super::{
    DocumentPath, DocumentRoot, Inclusion, Refused, TxnPath, verified::VerifiedTxn, verify::Proof,
};
use crate::{
    TxId,
    block::SignedHeader,
    transaction::{Transaction, VerifiedTransaction},
};
use ccoin_crypto::{Hash, Verifier, merkle};

/// Characters of a transaction's data that an answer repeats.
const EXCERPT: usize = 80;

impl Proof<'_> {
    /// Steps 4 to 6; with the SHA-256 of the document.
    pub(super) fn check_transaction(
        &self,
        path: &TxnPath,
        held: Option<&Hash>,
        first: &SignedHeader,
        verifier: &mut Verifier,
    ) -> Result<(VerifiedTxn, Option<Hash>), Refused> {
        let refused = Refused::at(5);
        let max_data = self.genesis.config.transaction.max_data_bytes as usize;
        // What cannot be decoded has no data that step 4 could look at.
        let txn = Transaction::decode(&path.transaction, max_data)
            .map_err(|error| refused(&error, &"the encoding of a signed transaction"))?;
        let shown = check_document(path.document.as_ref(), &txn.data, held)?;
        let txn = VerifiedTransaction::verify(txn, &self.genesis.id, max_data, verifier)
            .map_err(|error| refused(&error, &"a transaction that its sender signed"))?;
        check_inclusion(*txn.id(), &path.inclusion, &first.header.hash_txns.into())?;
        let facts = VerifiedTxn {
            id: *txn.id(),
            sender: txn.sender(),
            to: txn.to,
            amount: txn.amount,
            data: txn.data.clone(),
            time: txn.time,
        };
        Ok((facts, shown))
    }
}

/// Step 4: the receipt's document and the reader's are the same, and stand in the data.
fn check_document(
    document: Option<&DocumentPath>,
    data: &str,
    held: Option<&Hash>,
) -> Result<Option<Hash>, Refused> {
    let refused = Refused::at(4);
    let root = DocumentRoot::parse(data);
    if let Some(place) = document
        && !root.is_some_and(|root| place.leads_to(&root))
    {
        let (index, size) = (place.index, place.size);
        let got = format!("document {} at {index} of {size}", place.sha256);
        let data: String = data.chars().take(EXCERPT).collect();
        let expected = format!("a path to the data of the transaction: {data}");
        return Err(refused(&got, &expected));
    }
    let shown = match (document, root) {
        (Some(place), _) => Some(place.sha256),
        (None, Some(DocumentRoot::One(hash))) => Some(hash),
        (None, _) => None,
    };
    match held {
        Some(held) if shown != Some(*held) => {
            let expected = shown.map_or_else(
                || "no document: the receipt names none".to_owned(),
                |shown| format!("the document {shown}"),
            );
            Err(refused(held, &expected))
        }
        _ => Ok(shown),
    }
}

/// Step 6.
fn check_inclusion(id: TxId, inclusion: &Inclusion, root: &Hash) -> Result<(), Refused> {
    let Inclusion { index, size, path } = inclusion;
    if merkle::verify_path(&id.into(), *index, *size, path, root) {
        return Ok(());
    }
    let got = format!("a path of {id} at {index} of {size} to another root");
    Err(Refused::at(6)(&got, root))
}
