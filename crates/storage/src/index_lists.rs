//! Lists that the index keeps in an order of their own: accounts by the block that made them,
//! and transactions by the document that they record. Entries of branches that were left are
//! passed over.

use ccoin_core::{Address, Hash, Height, TxId};

use crate::index_key as key;
use crate::{Index, IndexError};

/// Entries of left branches that one look for a document passes over at most.
const DOCUMENT_SCAN: usize = 1_000;

/// Where a list of new accounts goes on.
pub type NewAccountsPlace = Vec<u8>;

impl Index {
    /// Accounts that exist as of the block at height `at`, in the order in which they came into
    /// being, from a place on. Stops after `limit` entries; then tells where the list goes on.
    ///
    /// # Errors
    /// Any failure is final.
    pub fn accounts_by_age(
        &mut self,
        at: Height,
        from: Option<NewAccountsPlace>,
        limit: usize,
    ) -> Result<(Vec<Address>, Option<NewAccountsPlace>), IndexError> {
        let at = at.min(self.height());
        let (mut entries, mut blocks) = (self.cursor()?, self.cursor()?);
        let mut found = entries.seek(&from.unwrap_or_else(key::first_new_account))?;
        let (mut page, mut known) = (Vec::new(), None);
        for _ in 0..limit {
            let entry = found
                .as_ref()
                .and_then(|(key, _)| key::parse_new_account(key));
            let Some((height, tag, address)) = entry.filter(|(height, ..)| *height <= at) else {
                return Ok((page, None));
            };
            let canonical = match known {
                Some((of, tag)) if of == height => tag,
                _ => key::tag(&blocks.known_block(height)?.0),
            };
            known = Some((height, canonical));
            if canonical == tag {
                page.push(address);
            }
            found = entries.next()?;
        }
        Ok((page, found.map(|(key, _)| key)))
    }

    /// Transactions of the present branch that record the root of documents, oldest first.
    ///
    /// # Errors
    /// Any failure is final.
    pub fn documents(&mut self, root: &Hash, limit: usize) -> Result<Vec<TxId>, IndexError> {
        let prefix = key::document_from(root);
        let top = self.height();
        let (mut entries, mut blocks) = (self.cursor()?, self.cursor()?);
        let mut found = entries.seek(&prefix)?;
        let mut page = Vec::new();
        for _ in 0..DOCUMENT_SCAN {
            let Some((key, value)) = found.filter(|(key, _)| key.starts_with(&prefix)) else {
                break;
            };
            let entry = key::parse_document(&key, &value);
            let (position, height, id) = entry.ok_or_else(|| entries.damaged(top))?;
            if height <= top && blocks.known_block(height)?.1 == position {
                page.push(id);
            }
            if page.len() == limit {
                break;
            }
            found = entries.next()?;
        }
        Ok(page)
    }
}
