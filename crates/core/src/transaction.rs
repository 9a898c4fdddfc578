//! A transfer of coins, or a record of text when the amount is zero.

use crate::{
    AccountNonce, Amount, BlockId, Timestamp, TxId,
    encoding::{DecodeError, decode, encode},
};
use ccoin_crypto::{Address, Claim, PublicKey, Signature, SignatureError, Verifier, sha256};
use serde::{Deserialize, Serialize, Serializer};
use std::sync::Arc;

/// Largest encoding of a transaction apart from its `data`: RSA-4096 key and
/// signature, three integers of nine bytes, and headers.
pub const MAX_OVERHEAD: usize = 1_200;

/// A signed transaction, in encoding order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// The sender's account nonce after this transaction: 1 for its first.
    pub number: AccountNonce,
    /// The sender; its address pays.
    pub from: PublicKey,
    /// The recipient; need not exist.
    pub to: Address,
    /// Whole coins; 0 for a pure record.
    pub amount: Amount,
    /// Text, at most `transaction.max_data_bytes` of the genesis configuration.
    pub data: String,
    /// When the sender made it: informative, never a validity rule.
    pub time: Timestamp,
    /// RSASSA-PSS over the id.
    pub signature: Signature,
}

/// What a sender decides before signing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// See [`Transaction::number`].
    pub number: AccountNonce,
    /// See [`Transaction::to`].
    pub to: Address,
    /// See [`Transaction::amount`].
    pub amount: Amount,
    /// See [`Transaction::data`].
    pub data: String,
    /// See [`Transaction::time`].
    pub time: Timestamp,
}

/// Why a transaction is not valid, whatever the state of its account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// `data` is longer than this network allows.
    #[error("data has {got} bytes, this network allows {max}")]
    Data {
        /// Bytes seen.
        got: usize,
        /// `transaction.max_data_bytes`.
        max: usize,
    },
    /// The signature does not fit the id and the key.
    #[error("bad signature of transaction {id}: {source}")]
    Signature {
        /// The transaction.
        id: TxId,
        /// What is wrong with it.
        source: SignatureError,
    },
}

impl Transaction {
    /// Signs a payment for the network with this genesis id.
    ///
    /// # Errors
    /// If the key does not sign.
    #[cfg(not(target_family = "wasm"))]
    pub fn sign(
        payment: Payment,
        key: &dyn ccoin_crypto::KeySigner,
        genesis: &BlockId,
    ) -> Result<Self, ccoin_crypto::SignError> {
        let Payment {
            number,
            to,
            amount,
            data,
            time,
        } = payment;
        let from = key.public_key().clone();
        let id = id(genesis, &(number, &from, to, amount, &data, time));
        let signature = key.signature(&id.into(), ccoin_crypto::Urgency::Low)?;
        Ok(Self {
            number,
            from,
            to,
            amount,
            data,
            time,
            signature,
        })
    }

    /// `SHA256("ccoin/1/txn" | genesis id | encode(fields 1..6))`. The signature
    /// is left out: PSS is randomised, and signing again must not make a second id.
    #[must_use]
    pub fn id(&self, genesis: &BlockId) -> TxId {
        let Self {
            number,
            from,
            to,
            amount,
            data,
            time,
            signature: _,
        } = self;
        id(genesis, &(*number, from, *to, *amount, data, *time))
    }

    /// Parses at most `MAX_OVERHEAD + max_data` bytes.
    ///
    /// # Errors
    /// [`DecodeError`] if they are not the encoding of a transaction.
    pub fn decode(bytes: &[u8], max_data: usize) -> Result<Self, DecodeError> {
        let max = MAX_OVERHEAD.saturating_add(max_data);
        if bytes.len() > max {
            return Err(DecodeError::Size {
                got: bytes.len(),
                max,
            });
        }
        decode("transaction", bytes)
    }
}

fn id(
    genesis: &BlockId,
    fields: &(
        AccountNonce,
        &PublicKey,
        Address,
        Amount,
        &String,
        Timestamp,
    ),
) -> TxId {
    sha256(&[b"ccoin/1/txn", genesis.as_bytes(), &encode(fields)]).into()
}

/// A transaction whose size and signature have been checked for one network.
/// Cloning shares it.
#[derive(Clone, Debug)]
pub struct VerifiedTransaction(Arc<Verified>);

#[derive(Debug)]
struct Verified {
    id: TxId,
    transaction: Transaction,
    size: usize,
}

impl VerifiedTransaction {
    /// Checks size and signature, cheapest first.
    ///
    /// # Errors
    /// [`TransactionError`]: the sender's fault.
    pub fn verify(
        transaction: Transaction,
        genesis: &BlockId,
        max_data: usize,
        verifier: &mut Verifier,
    ) -> Result<Self, TransactionError> {
        let sized = Self::sized(transaction, genesis, max_data)?;
        let verdict = verifier.verify(&sized.from, &(*sized.id()).into(), &sized.signature);
        sized.under(verdict)
    }

    /// The outcomes of [`verify`](Self::verify) for many transactions, in their order; their
    /// signatures are judged together.
    #[must_use]
    pub fn verify_many(
        transactions: impl IntoIterator<Item = Transaction>,
        genesis: &BlockId,
        max_data: usize,
        verifier: &mut Verifier,
    ) -> Vec<Result<Self, TransactionError>> {
        let sized = |transaction| Self::sized(transaction, genesis, max_data);
        let sized: Vec<_> = transactions.into_iter().map(sized).collect();
        let claims = sized.iter().flatten().map(|sized| Claim {
            key: &sized.from,
            message: (*sized.id()).into(),
            signature: &sized.signature,
        });
        let claims: Vec<_> = claims.collect();
        let mut verdicts = verifier.verify_many(&claims).into_iter();
        let judged = |sized: Result<Self, TransactionError>| {
            let sized = sized?;
            // One verdict came for each claim.
            let verdict = verdicts.next().unwrap_or(Err(SignatureError::Mismatch));
            sized.under(verdict)
        };
        sized.into_iter().map(judged).collect()
    }

    /// Not verified yet.
    fn sized(
        transaction: Transaction,
        genesis: &BlockId,
        max_data: usize,
    ) -> Result<Self, TransactionError> {
        let got = transaction.data.len();
        if got > max_data {
            return Err(TransactionError::Data { got, max: max_data });
        }
        Ok(Self::already_verified(transaction, genesis))
    }

    /// With the verdict on its signature.
    fn under(self, verdict: Result<(), SignatureError>) -> Result<Self, TransactionError> {
        let id = *self.id();
        match verdict {
            Ok(()) => Ok(self),
            Err(source) => Err(TransactionError::Signature { id, source }),
        }
    }

    /// Wraps a transaction that this node has verified before: one that it reads
    /// back from its own log. Nothing from a peer or a user may come this way.
    #[must_use]
    pub fn already_verified(transaction: Transaction, genesis: &BlockId) -> Self {
        let id = transaction.id(genesis);
        let size = encode(&transaction).len();
        Self(Arc::new(Verified {
            id,
            transaction,
            size,
        }))
    }

    /// The transaction id.
    #[must_use]
    pub fn id(&self) -> &TxId {
        &self.0.id
    }

    /// The address that pays.
    #[must_use]
    pub fn sender(&self) -> Address {
        self.0.transaction.from.address()
    }

    /// Bytes of the encoding.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.size
    }
}

impl core::ops::Deref for VerifiedTransaction {
    type Target = Transaction;
    fn deref(&self) -> &Transaction {
        &self.0.transaction
    }
}

impl Serialize for VerifiedTransaction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.transaction.serialize(serializer)
    }
}
