//! A signed transaction in the form of `POST /v1/txns`, and the time to put into one.
//! It signs nothing itself.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ccoin_core::transaction::Transaction;
use ccoin_core::{AccountNonce, Address, Amount, Timestamp};
use ccoin_crypto::{PublicKey, Signature};
use serde::Serialize;

/// A transaction as `POST /v1/txns` takes it.
#[derive(Serialize)]
pub(crate) struct SignedTxn<'a> {
    number: AccountNonce,
    public_key: &'a PublicKey,
    to: Address,
    amount: Amount,
    data: &'a str,
    time: String,
    signature: &'a Signature,
}

impl<'a> SignedTxn<'a> {
    /// The fields of `txn`.
    pub(crate) fn new(txn: &'a Transaction) -> Self {
        let time = UNIX_EPOCH + Duration::from_millis(txn.time.get());
        Self {
            number: txn.number,
            public_key: &txn.from,
            to: txn.to,
            amount: txn.amount,
            data: &txn.data,
            time: humantime::format_rfc3339_millis(time).to_string(),
            signature: &txn.signature,
        }
    }
}

/// The time of this host's clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis())
        .ok()
        .and_then(|millis| Timestamp::new(millis).ok())
        .unwrap_or(Timestamp::ZERO)
}
