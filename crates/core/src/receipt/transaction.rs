//! Steps 4 to 6: a document in a transaction, the transaction, and its place in a block.

use super::{DocumentRoot, Refused, Subject, verified::VerifiedTxn, verify::Proof};
use crate::{
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
        document: Option<&Hash>,
        first: &SignedHeader,
        verifier: &mut Verifier,
    ) -> Result<(VerifiedTxn, Option<Hash>), Refused> {
        let Subject::Transaction {
            transaction,
            inclusion,
            ..
        } = &self.receipt.subject
        else {
            return Err(Refused::at(5)(&"an account", &"a transaction"));
        };
        let refused = Refused::at(5);
        let max_data = self.genesis.config.transaction.max_data_bytes as usize;
        // What cannot be decoded has no data that step 4 could look at.
        let txn = Transaction::decode(transaction, max_data)
            .map_err(|error| refused(&error, &"the encoding of a signed transaction"))?;
        let shown = self.check_document(&txn.data, document)?;
        let txn = VerifiedTransaction::verify(txn, &self.genesis.id, max_data, verifier)
            .map_err(|error| refused(&error, &"a transaction that its sender signed"))?;
        let (index, size, path) = (inclusion.index, inclusion.size, &inclusion.path);
        let root: Hash = first.header.hash_txns.into();
        if !merkle::verify_path(&(*txn.id()).into(), index, size, path, &root) {
            let got = format!(
                "a path of {} at {index} of {size} to another root",
                txn.id()
            );
            return Err(Refused::at(6)(&got, &root));
        }
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

    /// Step 4: the receipt's document and the reader's are the same, and stand in the data.
    fn check_document(&self, data: &str, held: Option<&Hash>) -> Result<Option<Hash>, Refused> {
        let refused = Refused::at(4);
        let Subject::Transaction { document, .. } = &self.receipt.subject else {
            return Ok(None);
        };
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
}
