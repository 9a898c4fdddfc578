//! Keys and values of the index. Each kind of key has one length, numbers are
//! big-endian, and no key is ever written with two values, so none needs
//! deleting and block 1 never sees what belongs to block 10.

use ccoin_core::{Address, BlockId, Hash, Height, TxId};

use crate::block_log::Position;

/// One byte that tells the kinds of keys apart.
mod kind {
    pub(super) const ACCOUNT: u8 = b'a';
    pub(super) const BLOCK: u8 = b'b';
    pub(super) const DOCUMENT: u8 = b'd';
    pub(super) const HEIGHT: u8 = b'h';
    pub(super) const META: u8 = b'm';
    pub(super) const NEW: u8 = b'n';
    pub(super) const TXN: u8 = b't';
    pub(super) const LAST: u8 = b'z';
}

/// Bytes of a block id kept with a history entry.
pub(crate) const TAG: usize = 16;
/// Bytes before the revision in a height key.
pub(crate) const HEIGHT_PREFIX: usize = 1 + 8;
/// Bytes before the position in a transaction key.
pub(crate) const TXN_PREFIX: usize = 1 + 32;

fn join(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(64);
    key.push(kind);
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

/// The end of a block id.
pub(crate) fn tag(id: &BlockId) -> [u8; TAG] {
    let mut tag = [0; TAG];
    tag.copy_from_slice(&id.as_bytes()[32 - TAG..]);
    tag
}

/// Where the history of an account at or below `at` begins, newest first.
pub(crate) fn account_from(address: &Address, at: Height) -> Vec<u8> {
    join(
        kind::ACCOUNT,
        &[address.as_bytes(), &(!at.get()).to_be_bytes()],
    )
}

/// What an account was worth after a block.
pub(crate) fn account(address: &Address, height: Height, id: &BlockId) -> Vec<u8> {
    let mut key = account_from(address, height);
    key.extend_from_slice(&tag(id));
    key
}

/// Where the histories of the accounts behind `address` begin.
pub(crate) fn accounts_behind(address: &Address) -> Vec<u8> {
    join(kind::ACCOUNT, &[address.as_bytes(), &[0xff; 8 + TAG + 1]])
}

/// Where all histories begin.
pub(crate) fn first_account() -> Vec<u8> {
    vec![kind::ACCOUNT]
}

/// Address, height and tag of a history key; `None` for any other key.
pub(crate) fn parse_account(key: &[u8]) -> Option<(Address, Height, [u8; TAG])> {
    let (address, rest) = key.strip_prefix(&[kind::ACCOUNT])?.split_first_chunk()?;
    let (height, tag) = rest.split_first_chunk()?;
    let height = Height::new(!u64::from_be_bytes(*height)).ok()?;
    Some((Address::new(*address), height, tag.try_into().ok()?))
}

/// The height of a block.
pub(crate) fn block(id: &BlockId) -> Vec<u8> {
    join(kind::BLOCK, &[id.as_bytes()])
}

/// Where the blocks at a height begin, the one put last first.
pub(crate) fn height_from(height: Height) -> Vec<u8> {
    join(kind::HEIGHT, &[&height.get().to_be_bytes()])
}

/// The block at a height, by how often another was put there before it.
pub(crate) fn height(height: Height, revision: u32) -> Vec<u8> {
    join(
        kind::HEIGHT,
        &[&height.get().to_be_bytes(), &(!revision).to_be_bytes()],
    )
}

/// Revision of a height key.
pub(crate) fn parse_revision(key: &[u8]) -> Option<u32> {
    let revision = key.get(HEIGHT_PREFIX..)?.try_into().ok()?;
    Some(!u32::from_be_bytes(revision))
}

/// Id and position of a block.
pub(crate) fn height_value(id: &BlockId, position: Position) -> Vec<u8> {
    [id.as_bytes().as_slice(), &position.0.to_be_bytes()].concat()
}

/// See [`height_value`].
pub(crate) fn parse_height_value(value: &[u8]) -> Option<(BlockId, Position)> {
    let (id, position) = value.split_first_chunk()?;
    let position = u64::from_be_bytes(position.try_into().ok()?);
    Some((BlockId::new(*id), Position(position)))
}

/// Where the places of a transaction begin: one per branch that holds it.
pub(crate) fn txn_from(id: &TxId) -> Vec<u8> {
    join(kind::TXN, &[id.as_bytes()])
}

/// A transaction in the block at `position`.
pub(crate) fn txn(id: &TxId, position: Position) -> Vec<u8> {
    join(kind::TXN, &[id.as_bytes(), &position.0.to_be_bytes()])
}

/// Position of a transaction key.
pub(crate) fn parse_txn(key: &[u8]) -> Option<Position> {
    let position = key.get(TXN_PREFIX..)?.try_into().ok()?;
    Some(Position(u64::from_be_bytes(position)))
}

/// Offset, length, height and number in the block.
pub(crate) fn txn_value(offset: u32, length: u32, height: Height, index: u32) -> [u8; 20] {
    let mut value = [0; 20];
    value[..4].copy_from_slice(&offset.to_be_bytes());
    value[4..8].copy_from_slice(&length.to_be_bytes());
    value[8..16].copy_from_slice(&height.get().to_be_bytes());
    value[16..].copy_from_slice(&index.to_be_bytes());
    value
}

/// See [`txn_value`].
pub(crate) fn parse_txn_value(value: &[u8]) -> Option<(u32, u32, Height, u32)> {
    let (offset, rest) = value.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (height, index) = rest.split_first_chunk()?;
    Some((
        u32::from_be_bytes(*offset),
        u32::from_be_bytes(*length),
        Height::new(u64::from_be_bytes(*height)).ok()?,
        u32::from_be_bytes(index.try_into().ok()?),
    ))
}

/// An account that did not exist before a block.
pub(crate) fn new_account(height: Height, id: &BlockId, address: &Address) -> Vec<u8> {
    let number = height.get().to_be_bytes();
    join(kind::NEW, &[&number, &tag(id), address.as_bytes()])
}

/// Where the new accounts of all blocks begin, by height.
pub(crate) fn first_new_account() -> Vec<u8> {
    vec![kind::NEW]
}

/// Height, tag and address of such a key; `None` for any other key.
pub(crate) fn parse_new_account(key: &[u8]) -> Option<(Height, [u8; TAG], Address)> {
    let (height, rest) = key.strip_prefix(&[kind::NEW])?.split_first_chunk()?;
    let (tag, address) = rest.split_first_chunk()?;
    let height = Height::new(u64::from_be_bytes(*height)).ok()?;
    Some((height, *tag, Address::new(address.try_into().ok()?)))
}

/// A transaction that records a document, oldest first.
pub(crate) fn document(root: &Hash, position: Position, index: u32) -> Vec<u8> {
    let place = (position.0.to_be_bytes(), index.to_be_bytes());
    join(kind::DOCUMENT, &[root.as_bytes(), &place.0, &place.1])
}

/// Where the transactions that record a document begin.
pub(crate) fn document_from(root: &Hash) -> Vec<u8> {
    join(kind::DOCUMENT, &[root.as_bytes()])
}

/// Block and id of such a transaction.
pub(crate) fn document_value(height: Height, id: &TxId) -> Vec<u8> {
    [&height.get().to_be_bytes(), id.as_bytes().as_slice()].concat()
}

/// Position of a document key, and what [`document_value`] holds.
pub(crate) fn parse_document(key: &[u8], value: &[u8]) -> Option<(Position, Height, TxId)> {
    let position = key.get(1 + 32..)?.first_chunk()?;
    let (height, id) = value.split_first_chunk()?;
    let height = Height::new(u64::from_be_bytes(*height)).ok()?;
    let position = Position(u64::from_be_bytes(*position));
    Some((position, height, TxId::new(id.try_into().ok()?)))
}

/// The one key about the index itself.
pub(crate) fn meta() -> Vec<u8> {
    vec![kind::META]
}

/// Written last in every batch and never read: the engine may miss the very last entry.
pub(crate) fn last(height: Height) -> Vec<u8> {
    join(kind::LAST, &[&height.get().to_be_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The toy this replaces looked accounts up by the text `blk-1`, a prefix of `blk-10`.
    #[test]
    fn block_1_never_sees_accounts_of_block_10() {
        let (address, id) = (Address::new([7; 20]), BlockId::new([1; 32]));
        let key = |height| account(&address, Height::new(height).unwrap(), &id);
        let from = |height| account_from(&address, Height::new(height).unwrap());
        for (low, high) in [(1, 10), (1, 100), (255, 256), (1, 1 << 40)] {
            assert!(
                from(low) <= key(low) && key(high) < from(low),
                "{low} {high}"
            );
            assert!(
                from(high) <= key(high) && key(high) < key(low),
                "newest first: {low} {high}"
            );
            assert!(!key(high).starts_with(&from(low)));
        }
        assert!(key(0) < accounts_behind(&address));
        let next = Address::new({
            let mut bytes = [7; 20];
            bytes[19] = 8;
            bytes
        });
        assert!(accounts_behind(&address) < account_from(&next, Height::MAX));
    }
}
