//! Signs a payment without a node: the key may lie on a host that has no network.

use ccoin_core::transaction::Payment;
use ccoin_core::{AccountNonce, Address, Amount, BlockId};
use ccoin_crypto::SecretKey;
use ccoin_home::Failure;

use crate::files::json;
use crate::signed_txn::{self, SignedTxn, now};

/// A payment that no node has seen.
#[derive(Debug)]
pub struct Draft {
    /// The key of the account that pays.
    pub from: SecretKey,
    /// The account that is paid.
    pub to: Address,
    /// Coins.
    pub amount: Amount,
    /// Text that goes with it.
    pub data: String,
    /// The number of this transaction of the account; its first one has 1.
    pub number: AccountNonce,
    /// The network: a signature counts on no other one.
    pub genesis_id: BlockId,
}

/// Signs a payment: one line of JSON that `publish` and `POST /v1/txns` take.
///
/// # Errors
/// [`Failure`] 1 if the library refuses to sign.
pub fn sign(draft: Draft) -> Result<String, Failure> {
    let payment = Payment {
        number: draft.number,
        to: draft.to,
        amount: draft.amount,
        data: draft.data,
        time: now(),
    };
    let signed = signed_txn::sign(payment, &draft.from, &draft.genesis_id)?;
    Ok(json(&SignedTxn::with_id(&signed, &draft.genesis_id)))
}
