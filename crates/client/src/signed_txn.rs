//! Signed payments in the form of `POST /v1/txns`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ccoin_core::transaction::{Payment, Transaction};
use ccoin_core::{AccountNonce, Address, Amount, BlockId, Timestamp, TxId};
use ccoin_crypto::{PublicKey, SecretKey, Signature};
use ccoin_home::{ExitCode, Failure};
use serde::Serialize;

/// A transaction as `POST /v1/txns` takes it.
#[derive(Serialize)]
pub(crate) struct SignedTxn<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<TxId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Address>,
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
            id: None,
            from: None,
            number: txn.number,
            public_key: &txn.from,
            to: txn.to,
            amount: txn.amount,
            data: &txn.data,
            time: humantime::format_rfc3339_millis(time).to_string(),
            signature: &txn.signature,
        }
    }

    /// The same with what follows from them on this network, so that a reader can compare.
    pub(crate) fn with_id(txn: &'a Transaction, genesis: &BlockId) -> Self {
        Self {
            id: Some(txn.id(genesis)),
            from: Some(txn.from.address()),
            ..Self::new(txn)
        }
    }
}

/// Signs a transfer of one coin with the number `number`.
///
/// # Errors
/// [`Failure`] 1 if the library refuses to sign.
pub(crate) fn transfer(
    key: &SecretKey,
    number: AccountNonce,
    to: Address,
    data: &str,
    time: Timestamp,
    genesis: &BlockId,
) -> Result<Transaction, Failure> {
    let payment = Payment {
        number,
        to,
        amount: Amount::new(1).expect("one is in range"),
        data: data.to_owned(),
        time,
    };
    sign(payment, key, genesis)
}

/// Signs a payment.
///
/// # Errors
/// [`Failure`] 1 if the library refuses to sign.
pub(crate) fn sign(
    payment: Payment,
    key: &SecretKey,
    genesis: &BlockId,
) -> Result<Transaction, Failure> {
    let failed =
        |error: ccoin_crypto::SignError| Failure::new(ExitCode::Unexpected, error.to_string());
    Transaction::sign(payment, key, genesis).map_err(failed)
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
