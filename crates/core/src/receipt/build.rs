//! Makes receipts of final blocks.

use super::{
    AccountPath, CertificateVotes, DocumentPath, Inclusion, MAX_HEADERS, MAX_RECEIPT_BYTES,
    Receipt, Subject, TxnPath,
};
use crate::{
    Address, Hash, Height,
    block::{SealedBlock, SignedHeader},
    consensus::{certificate::Certificate, vote::VoterIndex},
    encoding::encode,
    genesis::Genesis,
    ledger::State,
};
use ccoin_crypto::{PublicKey, merkle};
use std::collections::BTreeSet;

/// Bytes of text that headers may take: the rest is far less than a megabyte.
const MAX_HEADER_TEXT: usize = MAX_RECEIPT_BYTES - (1 << 20);

/// Bytes of base64 with quotes and comma.
fn text_bytes(bytes: usize) -> usize {
    bytes.div_ceil(3).saturating_mul(4).saturating_add(3)
}

/// Headers from a block up to one that a certificate makes final.
#[derive(Clone, Debug)]
pub struct CertifiedHeaders {
    /// Each the parent of the next.
    pub headers: Vec<SignedHeader>,
    /// Of phase 2, for the last header.
    pub certificate: Certificate,
}

/// Why there is no receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The public key of a miner has not been seen.
    #[error("the key of miner {0} is not known here")]
    Key(Address),
    /// The certified block lies too far above the block in question.
    #[error(
        "{got} headers up to block {certified}, at most {MAX_HEADERS} and 3 MiB of text fit into a receipt"
    )]
    Headers {
        /// Headers needed.
        got: usize,
        /// Number of the certified block.
        certified: Height,
    },
    /// The block has no transaction at this place.
    #[error("the block has no transaction {0}")]
    Index(usize),
    /// The state holds numbers that no account has.
    #[error("the account cannot be read")]
    Account,
}

impl Receipt {
    /// The receipt of the transaction at `index` of `block`, which is the first header's.
    /// `keys`: miners' public keys in the order of the genesis block.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn of_transaction(
        genesis: &Genesis,
        block: &SealedBlock,
        index: usize,
        certified: &CertifiedHeaders,
        keys: &[Option<PublicKey>],
    ) -> Result<Self, BuildError> {
        let transactions = &block.transactions;
        let transaction = transactions.get(index).ok_or(BuildError::Index(index))?;
        let ids: Vec<Hash> = block.txn_ids().map(Hash::from).collect();
        let subject = Subject::Transaction(TxnPath {
            transaction: encode(transaction),
            inclusion: Inclusion {
                index: index as u64,
                size: ids.len() as u64,
                path: merkle::path(&ids, index),
            },
            document: None,
        });
        Self::new(genesis, subject, certified, keys)
    }

    /// The receipt of an account in the state after the first header's block.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn of_account(
        genesis: &Genesis,
        state: &State,
        address: Address,
        certified: &CertifiedHeaders,
        keys: &[Option<PublicKey>],
    ) -> Result<Self, BuildError> {
        let path = AccountPath::new(address, state.prove(&address));
        let subject = Subject::Account(path.ok_or(BuildError::Account)?);
        Self::new(genesis, subject, certified, keys)
    }

    /// The same receipt for a document that the transaction names. Whether it does is for
    /// [`Receipt::verify`] to say.
    #[must_use]
    pub fn with_document(mut self, place: DocumentPath) -> Self {
        if let Subject::Transaction(path) = &mut self.subject {
            path.document = Some(place);
        }
        self
    }

    fn new(
        genesis: &Genesis,
        subject: Subject,
        certified: &CertifiedHeaders,
        keys: &[Option<PublicKey>],
    ) -> Result<Self, BuildError> {
        let CertifiedHeaders {
            headers,
            certificate,
        } = certified;
        let too_many = BuildError::Headers {
            got: headers.len(),
            certified: certificate.number,
        };
        if headers.len() > MAX_HEADERS {
            return Err(too_many);
        }
        let signers = headers
            .iter()
            .filter(|signed| signed.header.number > Height::GENESIS)
            .filter_map(|signed| genesis.schedule.index(&signed.header.coinbase))
            .filter_map(|index| VoterIndex::try_from(index).ok());
        let voters = certificate.votes.iter().map(|(voter, _)| *voter);
        let needed: BTreeSet<VoterIndex> = signers.chain(voters).collect();
        let keys = needed.into_iter().map(|voter| {
            let key = keys.get(usize::from(voter)).and_then(Option::as_ref);
            let miner = genesis.schedule.miner(voter).unwrap_or(Address::ZERO);
            let key = key.ok_or(BuildError::Key(miner))?;
            Ok((voter, key.as_der().to_vec()))
        });
        let votes = certificate.votes.iter();
        let votes = votes.map(|(voter, signature)| (*voter, signature.as_bytes().to_vec()));
        let receipt = Self {
            genesis: encode(genesis.signed()),
            subject,
            headers: headers.iter().map(encode).collect(),
            certificate: CertificateVotes {
                ballot: certificate.ballot,
                number: certificate.number,
                id: certificate.id,
                votes: votes.collect(),
            },
            keys: keys.collect::<Result<_, _>>()?,
        };
        let bytes = receipt
            .headers
            .iter()
            .map(|header| text_bytes(header.len()));
        match bytes.fold(0, usize::saturating_add) {
            bytes if bytes <= MAX_HEADER_TEXT => Ok(receipt),
            _ => Err(too_many),
        }
    }
}
