//! Announced blocks of one peer whose miner's key is not known yet.

use bytes::Bytes;
use ccoin_crypto::Address;

/// Most parked blocks of a peer, and their bytes.
const MAX_BLOCKS: usize = 8;
const MAX_BYTES: usize = 6 << 20;

/// Encoded blocks with their miners, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Parked {
    blocks: Vec<(Address, Bytes)>,
    bytes: usize,
}

impl Parked {
    /// Keeps a block, if there is room.
    pub(super) fn add(&mut self, miner: Address, block: Bytes) {
        let bytes = self.bytes.saturating_add(block.len());
        if self.blocks.len() < MAX_BLOCKS && bytes <= MAX_BYTES {
            self.bytes = bytes;
            self.blocks.push((miner, block));
        }
    }

    /// Takes the blocks of miners whose keys are known now; the others go on waiting.
    pub(super) fn take(&mut self, is_known: impl Fn(&Address) -> bool) -> Vec<Bytes> {
        let blocks = core::mem::take(&mut self.blocks);
        let (ready, rest): (Vec<_>, Vec<_>) =
            blocks.into_iter().partition(|(miner, _)| is_known(miner));
        self.blocks = rest;
        self.bytes = self.blocks.iter().map(|(_, block)| block.len()).sum();
        ready.into_iter().map(|(_, block)| block).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parked_blocks_are_bounded_by_count_and_bytes() {
        let mut parked = Parked::default();
        (0..20).for_each(|_| parked.add(Address::ZERO, Bytes::from_static(b"block")));
        assert_eq!(parked.take(|_| true).len(), MAX_BLOCKS);
        let large = Bytes::from(vec![0; 2_900_000]);
        (0..4).for_each(|_| parked.add(Address::ZERO, large.clone()));
        assert_eq!(parked.take(|_| true).len(), 2);
    }

    #[test]
    fn only_blocks_of_known_miners_are_taken() {
        let mut parked = Parked::default();
        let known = Address::new([1; 20]);
        parked.add(Address::ZERO, Bytes::from_static(b"unknown"));
        parked.add(known, Bytes::from_static(b"known"));
        assert_eq!(parked.take(|miner| *miner == known), [&b"known"[..]]);
        assert_eq!(parked.take(|_| true), [&b"unknown"[..]]);
    }
}
