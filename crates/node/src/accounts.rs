//! Reads of accounts: one, all as of a block, and what one has lived through. States of blocks
//! in memory are read there; older ones from the index, in slices.

use crate::reader::{ChainReader, ReadError};
use ccoin_core::{
    Address, Height,
    ledger::{Account, State},
};
use ccoin_storage::{Index, IndexError};
use std::sync::Arc;

/// Entries of accounts that a slice of a long read looks at: a millisecond or two.
const SLICE: usize = 250;

/// One page of accounts as of a block, and behind which address the next one begins.
pub type AccountsPage = (Vec<(Address, Account)>, Option<Address>);

impl ChainReader {
    /// An account as of a block of the head's branch; zeros if it did not exist.
    /// `None` if there is no such block.
    ///
    /// # Errors
    /// [`ReadError`] if it is not in memory and storage does not answer.
    pub async fn account(
        &self,
        address: Address,
        at: Height,
    ) -> Result<Option<Account>, ReadError> {
        let view = Arc::clone(&self.view.borrow());
        if let Some(recent) = view.at(at) {
            return Ok(Some(recent.applied.state.account(&address)));
        }
        if at > view.height() || at == Height::ZERO {
            return Ok(None);
        }
        let found = self
            .index
            .ask(at, move |index| index.account_at(&address, at))
            .await?;
        let value = found.map_or_else(Default::default, |(_, value)| value);
        Account::from_value(value)
            .map(Some)
            .ok_or(ReadError::Mismatch(0))
    }

    /// Accounts as of a block in address order, at most `limit`, after an address. It looks at
    /// about `scan` entries at most: the page then ends early.
    ///
    /// # Errors
    /// [`ReadError`] if storage does not answer.
    pub async fn accounts(
        &self,
        at: Height,
        after: Option<Address>,
        limit: usize,
        scan: usize,
    ) -> Result<AccountsPage, ReadError> {
        let (mut rows, mut after) = (Vec::new(), after);
        for _ in 0..scan.div_ceil(SLICE) {
            let (from, wanted) = (after, limit - rows.len());
            let slice = self.index.ask_slice(at, move |index| {
                index.accounts_page(at, from, wanted.min(SLICE), SLICE)
            });
            let (page, next) = slice.await?;
            for (address, value) in page {
                let account = Account::from_value(value).ok_or(ReadError::Mismatch(0))?;
                rows.push((address, account));
            }
            after = next;
            if after.is_none() || rows.len() == limit {
                break;
            }
        }
        Ok((rows, after))
    }

    /// An account after each of the newest blocks below `below` that changed it, newest first.
    ///
    /// # Errors
    /// [`ReadError`] if storage does not answer.
    pub async fn history(
        &self,
        address: Address,
        below: Height,
        limit: usize,
    ) -> Result<Vec<(Height, Account)>, ReadError> {
        let height = self.view.borrow().height();
        let find = move |index: &mut Index| -> Result<Vec<_>, IndexError> {
            let heights = index.changes_page(&address, below, limit)?.into_iter();
            let values = heights.map(|height| index.account_at(&address, height));
            values.collect()
        };
        let found = self.index.ask_slice(height, find).await?;
        let found = found.into_iter().flatten();
        let account = |(height, value)| Some((height, Account::from_value(value)?));
        let history: Option<Vec<_>> = found.map(account).collect();
        history.ok_or(ReadError::Mismatch(0))
    }

    /// All accounts as of a block of the head's branch, in no certain order; `None` if they
    /// are more than `most`. It looks at no account that came later.
    ///
    /// # Errors
    /// [`ReadError`] if storage does not answer.
    pub async fn small_state(
        &self,
        at: Height,
        most: usize,
    ) -> Result<Option<Vec<(Address, Account)>>, ReadError> {
        if let Some(state) = self.state_in_memory(at) {
            let values = (state.len() <= most).then(|| state.values());
            let account = |(address, value)| Some((address, Account::from_value(value)?));
            let accounts = values.map(|values| values.map(account).collect::<Option<Vec<_>>>());
            return accounts
                .map(|accounts| accounts.ok_or(ReadError::Mismatch(0)))
                .transpose();
        }
        let _turn = self.old_states.acquire().await;
        let (mut addresses, mut place) = (Vec::new(), None);
        loop {
            let slice = self
                .index
                .ask_slice(at, move |index| index.accounts_by_age(at, place, SLICE));
            let (page, next) = slice.await?;
            addresses.extend(page);
            place = next;
            if place.is_none() || addresses.len() > most {
                break;
            }
        }
        if addresses.len() > most {
            return Ok(None);
        }
        let mut accounts = Vec::new();
        for part in addresses.chunks(SLICE) {
            let part = part.to_vec();
            let values = move |index: &mut Index| -> Result<Vec<_>, IndexError> {
                let values = part.into_iter().map(|address| {
                    let value = index.account_at(&address, at)?;
                    Ok(value.map(|(_, value)| (address, value)))
                });
                values.collect()
            };
            let values = self.index.ask_slice(at, values).await?;
            for (address, value) in values.into_iter().flatten() {
                let account = Account::from_value(value).ok_or(ReadError::Mismatch(0))?;
                accounts.push((address, account));
            }
        }
        Ok(Some(accounts))
    }

    fn state_in_memory(&self, at: Height) -> Option<State> {
        if at == Height::GENESIS {
            return Some(self.genesis.state().clone());
        }
        let view = Arc::clone(&self.view.borrow());
        Some(view.at(at)?.applied.state.clone())
    }
}
