//! Faults of disks and files, and what must survive them. `CCOIN_ROUNDS`
//! multiplies the random ones; every failure names its seed.

mod archive;
mod block_log;
mod checkpoint;
mod disk_full;
mod golden;
mod index;
mod pool_log;
mod sim_disk;
mod slot_file;
mod vote_file;

use ccoin_core::{Address, BlockId, Height, TxId};

/// SplitMix64 (Steele, Lea, Flood 2014): enough for test cases.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }

    fn filled<const N: usize>(&mut self) -> [u8; N] {
        self.bytes(N).try_into().unwrap()
    }

    pub(crate) fn block_id(&mut self) -> BlockId {
        BlockId::new(self.filled())
    }

    pub(crate) fn tx_id(&mut self) -> TxId {
        TxId::new(self.filled())
    }

    pub(crate) fn address(&mut self) -> Address {
        Address::new(self.filled())
    }
}

/// How many times the default work is to be done.
pub(crate) fn rounds() -> u64 {
    std::env::var("CCOIN_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1)
}

pub(crate) fn height(number: u64) -> Height {
    Height::new(number).unwrap()
}
