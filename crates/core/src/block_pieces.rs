//! Reading a long encoded block piece by piece: its start, then a few transactions at a time.
//! Checks nothing but the shape: the bytes come from this node's own log.

use crate::{
    block::{Block, SignedHeader},
    encoding::encode,
    transaction::Transaction,
};
use serde::Deserialize as _;

/// What the start of an encoded block tells.
#[derive(Clone, Debug)]
pub struct BlockStart {
    /// The signed header.
    pub signed: SignedHeader,
    /// Number of transactions.
    pub txn_count: usize,
    /// Where the first transaction begins, in bytes.
    pub first_txn: usize,
}

impl BlockStart {
    /// Reads the start of a block, whatever follows; `None` if the bytes end before.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let signed = Block::peek(bytes)?;
        let header_end = encode(&signed).len().checked_add(1)?;
        let (txn_count, array_header) = match *bytes.get(header_end..)? {
            [short @ 0x90..=0x9f, ..] => (usize::from(short & 0x0f), 1),
            [0xdc, a, b, ..] => (usize::from(u16::from_be_bytes([a, b])), 3),
            [0xdd, a, b, c, d, ..] => (usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?, 5),
            _ => return None,
        };
        Some(Self {
            signed,
            txn_count,
            first_txn: header_end.checked_add(array_header)?,
        })
    }
}

/// The transactions that lie whole at the start of `bytes`, at most `limit`.
#[must_use]
pub fn leading_txns(bytes: &[u8], limit: usize) -> Vec<Transaction> {
    let mut txns = Vec::new();
    let mut decoder = rmp_serde::Deserializer::from_read_ref(bytes);
    while txns.len() < limit {
        match Transaction::deserialize(&mut decoder) {
            Ok(txn) => txns.push(txn),
            Err(_) => break,
        }
    }
    txns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        AccountNonce, Address, Amount, BlockId, Height, PowNonce, StateHash, Timestamp, TxnsHash,
        block::Header, transaction::Payment,
    };
    use ccoin_crypto::SecretKey;

    fn block(count: u64) -> Block {
        let key = SecretKey::generate(2048).unwrap();
        let header = Header {
            version: 1,
            number: Height::new(300).unwrap(),
            hash_parent: BlockId::new([1; 32]),
            hash_state: StateHash::ZERO,
            hash_txns: TxnsHash::ZERO,
            coinbase: Address::ZERO,
            time: Timestamp::new(1_700_000_000_000).unwrap(),
            reward: Amount::ZERO,
            difficulty: 0,
            data: "text".into(),
        };
        let id = BlockId::new([2; 32]);
        let txn = |number| {
            let payment = Payment {
                number: AccountNonce::new(number).unwrap(),
                to: Address::ZERO,
                amount: Amount::ZERO,
                data: "x".repeat(usize::try_from(number).unwrap()),
                time: Timestamp::ZERO,
            };
            Transaction::sign(payment, &key, &id).unwrap()
        };
        let signature = key.sign(&id.into()).unwrap();
        Block {
            signed: SignedHeader {
                header,
                nonce: PowNonce::ZERO,
                signature,
            },
            transactions: (1..=count).map(txn).collect(),
        }
    }

    #[test]
    fn pieces_of_a_block_are_its_transactions_in_order() {
        for count in [0, 1, 15, 16, 40] {
            let block = block(count);
            let bytes = encode(&block);
            let start = BlockStart::read(&bytes).unwrap();
            assert_eq!(start.signed, block.signed);
            assert_eq!(start.txn_count, block.transactions.len());
            let (mut at, mut found) = (start.first_txn, Vec::new());
            while at < bytes.len() {
                let end = bytes.len().min(at + 2_000);
                let piece = leading_txns(&bytes[at..end], start.txn_count - found.len());
                assert!(!piece.is_empty());
                at += piece.iter().map(|txn| encode(txn).len()).sum::<usize>();
                found.extend(piece);
            }
            assert_eq!(found, block.transactions);
        }
    }

    #[test]
    fn a_start_that_is_cut_off_is_none() {
        let bytes = encode(&block(20));
        let start = BlockStart::read(&bytes).unwrap();
        for end in 0..start.first_txn {
            assert!(BlockStart::read(&bytes[..end]).is_none(), "{end} bytes");
        }
        assert!(BlockStart::read(&bytes[..start.first_txn]).is_some());
        assert!(leading_txns(&bytes[start.first_txn..start.first_txn + 100], 20).is_empty());
    }
}
