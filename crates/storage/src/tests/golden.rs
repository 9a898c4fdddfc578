//! Digests of what lies on disk, the same in every run. A red line here means that a node
//! no longer reads what the version before wrote: raise the format of that file, and read
//! the old one or say which command to run.

use std::path::Path;
use std::sync::Arc;

use ccoin_core::{Address, BlockId, Hash, Timestamp, TxId};
use ccoin_crypto::sha256;

use super::height;
use super::sim_disk::SimDisk;
use crate::block_log::Position;
use crate::segment::FileHeader;
use crate::{
    CheckpointHead, PoolRecord, VoteFile, VoteRecord, index_key, pool_record, record,
    write_checkpoint,
};

/// Name, bytes and digest.
fn line(name: &str, bytes: &[u8]) -> String {
    let digest = sha256(&[bytes]).to_string();
    format!("{name}: {} {}", bytes.len(), &digest[..32])
}

fn block_id() -> BlockId {
    BlockId::new([0x11; 32])
}

fn vote_file() -> Vec<u8> {
    let (disk, path) = (SimDisk::default(), Path::new("/keys/votes"));
    let mut votes = VoteFile::create_on(Arc::new(disk.clone()), path, None).unwrap();
    for slot in [7, 8] {
        let record = VoteRecord {
            genesis_id: block_id(),
            last_sealed_slot: slot,
            last_sealed_number: 3,
            ..VoteRecord::never_signed(block_id())
        };
        votes.store(record).unwrap();
    }
    disk.content(path)
}

fn checkpoint() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let head = CheckpointHead {
        height: height(12),
        id: block_id(),
        position: Position(345),
        note: vec![7; 5],
    };
    let accounts = [
        (Address::new([1; 20]), [2; 16]),
        (Address::new([3; 20]), [4; 16]),
    ];
    write_checkpoint(dir.path(), &head, accounts.into_iter()).unwrap();
    std::fs::read(dir.path().join("0000000000000012.state")).unwrap()
}

#[test]
fn every_file_has_its_golden_bytes() {
    let header = FileHeader {
        number: 2,
        seed: 0x0123_4567_89ab_cdef,
    };
    let (mut logged, mut turn) = (Vec::new(), Vec::new());
    record::encode(&mut logged, header.seed, 1_000, 900, 2, &[b"ab", b"c"]);
    record::encode_turn(&mut turn, header.seed, 1_000, 900);
    let (mut pooled, arrived) = (Vec::new(), Timestamp::new(1_700_000_000_000).unwrap());
    let record = PoolRecord::Waiting {
        arrived,
        bytes: b"abc",
    };
    pool_record::encode(&mut pooled, (header.seed, 1_000, 900), &record).unwrap();
    let found = [
        line("segment header", &header.encode()),
        line("record", &logged),
        line("end of a segment", &turn),
        line("pool record", &pooled),
        line("checkpoint", &checkpoint()),
        line("vote file", &vote_file()),
    ];
    assert_eq!(found, FILES, "found:\n{}", found.join("\n"));
}

#[test]
fn every_index_entry_has_its_golden_bytes() {
    let (address, id, txn) = (Address::new([5; 20]), block_id(), TxId::new([6; 32]));
    let (height, position) = (height(300), Position(1 << 40));
    let found = [
        line("account", &index_key::account(&address, height, &id)),
        line("block", &index_key::block(&id)),
        line("height", &index_key::height(height, 1)),
        line("height value", &index_key::height_value(&id, position)),
        line("transaction", &index_key::txn(&txn, position)),
        line(
            "transaction value",
            &index_key::txn_value(10, 600, height, 2),
        ),
        line(
            "new account",
            &index_key::new_account(height, &id, &address),
        ),
        line(
            "document",
            &index_key::document(&Hash::new([7; 32]), position, 3),
        ),
        line("document value", &index_key::document_value(height, &txn)),
        line("meta", &index_key::meta()),
        line("last", &index_key::last(height)),
    ];
    assert_eq!(found, INDEX, "found:\n{}", found.join("\n"));
}

const FILES: [&str; 6] = [
    "segment header: 32 bcf2be203780aab20c417d3252d41a95",
    "record: 24 a6009c196055671252d5651b619e919d",
    "end of a segment: 21 79113c46995b996b1465f7de61174f49",
    "pool record: 32 5edf63f2ac4a5d0cca325a7341373948",
    "checkpoint: 153 eedaa5e83fcfe34da6b97cee8814028f",
    "vote file: 32768 37f647158fda658d4c1455af642b93ee",
];

const INDEX: [&str; 11] = [
    "account: 45 3f635c3e7f264f359ff560ad1c9f5326",
    "block: 33 042de2898f4a317f2227467d18198b11",
    "height: 13 e32694c01417a95b709ad3666ae3f1a3",
    "height value: 40 ebe33d376470101df36dc5a28b5714f9",
    "transaction: 41 47c0881edc029bfce4f06d13b350c5de",
    "transaction value: 20 9d37a2ca3f9efe7a73b3ecfbe1279ad1",
    "new account: 45 8b6facc2735e9f2d81910ca515479a62",
    "document: 45 72664e5efd3e2ffeb26570cb66cf75ac",
    "document value: 40 a65f49d97d36f4abc6a11be2bae4bccc",
    "meta: 1 62c66a7a5dd70c3146618063c344e531",
    "last: 9 f14f377a8e3e94c279d13150a33c9288",
];
