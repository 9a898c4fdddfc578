//! Accounts and what transactions do to them (the account machine of the Ethereum
//! yellow paper without gas; empty accounts do not exist, EIP-161).
//!
//! Executing never touches the state it starts from: a [`Draft`] collects changes,
//! and [`Draft::finish`] makes the next state from them. There is no rollback code.

use crate::{AccountNonce, Amount, StateHash, transaction::VerifiedTransaction};
use ccoin_crypto::{Address, Proof, StateTree, Value};
use std::collections::BTreeMap;

/// What an address owns and how many transactions it has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Transactions sent.
    pub nonce: AccountNonce,
    /// Whole coins.
    pub balance: Amount,
}

impl Account {
    /// The 16 bytes kept in the state tree: nonce and balance, big-endian.
    #[must_use]
    pub fn to_value(self) -> Value {
        (u128::from(self.nonce.get()) << 64 | u128::from(self.balance.get())).to_be_bytes()
    }

    /// Reads the 16 bytes; `None` if a number is out of range.
    #[must_use]
    pub fn from_value(value: Value) -> Option<Self> {
        let both = u128::from_be_bytes(value);
        let nonce = AccountNonce::new(u64::try_from(both >> 64).ok()?).ok()?;
        let balance = Amount::new(u64::try_from(both & u128::from(u64::MAX)).ok()?).ok()?;
        Some(Self { nonce, balance })
    }
}

/// All accounts after some block. Cloning is cheap: states share what is equal.
#[derive(Clone, Debug, Default)]
pub struct State(StateTree);

/// An account and what it is after a block.
pub type Change = (Address, Account);

impl State {
    /// The state with exactly these accounts.
    pub fn from_accounts(accounts: impl IntoIterator<Item = Change>) -> Self {
        Self(StateTree::from_values(
            accounts
                .into_iter()
                .map(|(address, account)| (address, account.to_value())),
        ))
    }

    /// The account of `address`; zeros if it does not exist.
    #[must_use]
    pub fn account(&self, address: &Address) -> Account {
        let value = self.0.get(address).unwrap_or_default();
        Account::from_value(value).expect("only accounts are ever put into the tree")
    }

    /// Whether the account exists, even if it holds zeros.
    #[must_use]
    pub fn contains(&self, address: &Address) -> bool {
        self.0.get(address).is_some()
    }

    /// The root that a block header states.
    #[must_use]
    pub fn root(&self) -> StateHash {
        self.0.root().into()
    }

    /// Proves under [`State::root`] what the account is, or that it does not exist.
    #[must_use]
    pub fn prove(&self, address: &Address) -> Proof {
        self.0.prove(address)
    }

    /// Number of accounts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no account.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All accounts, in the order of the tree's paths.
    pub fn values(&self) -> impl Iterator<Item = (Address, Value)> + '_ {
        self.0.iter()
    }
}

/// Why a transaction cannot be applied to an account: its number or its amount does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Not the next number of the sender.
    #[error("transaction number {got} of {sender} where {expected} is next")]
    Number {
        /// Who sends.
        sender: Address,
        /// The number in the transaction.
        got: AccountNonce,
        /// The sender's nonce plus one.
        expected: u64,
    },
    /// The sender has fewer coins than it sends.
    #[error("{sender} has {balance} coins and sends {amount}")]
    Funds {
        /// Who sends.
        sender: Address,
        /// What it has.
        balance: Amount,
        /// What it sends.
        amount: Amount,
    },
    /// A balance would pass 2^53 - 1.
    #[error("{receiver} has {balance} coins and cannot hold {amount} more")]
    Overflow {
        /// Who receives.
        receiver: Address,
        /// What it has.
        balance: Amount,
        /// What it would get.
        amount: Amount,
    },
}

/// Changes to a state that no reader can see yet.
#[derive(Debug)]
pub struct Draft<'a> {
    base: &'a State,
    touched: BTreeMap<Address, Account>,
}

impl<'a> Draft<'a> {
    /// No change to `base` so far.
    #[must_use]
    pub fn new(base: &'a State) -> Self {
        Self {
            base,
            touched: BTreeMap::new(),
        }
    }

    /// The account as of the changes so far.
    #[must_use]
    pub fn account(&self, address: &Address) -> Account {
        self.touched
            .get(address)
            .copied()
            .unwrap_or_else(|| self.base.account(address))
    }

    /// Applies a transaction, all or nothing.
    ///
    /// # Errors
    /// [`ApplyError`]; the draft is then unchanged.
    pub fn apply(&mut self, txn: &VerifiedTransaction) -> Result<(), ApplyError> {
        let sender = txn.sender();
        let Account { nonce, balance } = self.account(&sender);
        let next = nonce.checked_add(1);
        if next != Some(txn.number) {
            let expected = nonce.get().saturating_add(1);
            return Err(ApplyError::Number {
                sender,
                got: txn.number,
                expected,
            });
        }
        let Some(left) = balance.checked_sub(txn.amount.get()) else {
            return Err(ApplyError::Funds {
                sender,
                balance,
                amount: txn.amount,
            });
        };
        if txn.to == sender {
            self.touched.insert(
                sender,
                Account {
                    nonce: txn.number,
                    balance,
                },
            );
            return Ok(());
        }
        self.credit(txn.to, txn.amount)?;
        self.touched.insert(
            sender,
            Account {
                nonce: txn.number,
                balance: left,
            },
        );
        Ok(())
    }

    /// Adds coins to an account: a transfer's second half, or a reward.
    ///
    /// # Errors
    /// [`ApplyError::Overflow`]; the draft is then unchanged.
    pub fn credit(&mut self, receiver: Address, amount: Amount) -> Result<(), ApplyError> {
        let account = self.account(&receiver);
        let balance = account
            .balance
            .checked_add(amount.get())
            .ok_or(ApplyError::Overflow {
                receiver,
                balance: account.balance,
                amount,
            })?;
        self.touched
            .insert(receiver, Account { balance, ..account });
        Ok(())
    }

    /// The state with all changes, and the changes sorted by address. An account
    /// that is still empty is no change.
    #[must_use]
    pub fn finish(self) -> (State, Vec<Change>) {
        let exists = |change: &Change| change.1 != Account::default();
        let changes: Vec<Change> = self.touched.into_iter().filter(exists).collect();
        let values: Vec<_> = changes
            .iter()
            .map(|(address, account)| (*address, account.to_value()))
            .collect();
        (State(self.base.0.update(&values)), changes)
    }
}
