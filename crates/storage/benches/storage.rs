//! What a commit costs on this disk, and what the index costs per transaction.
//! Figures are comparable only within one run.

use std::time::{Duration, Instant};

use ccoin_core::{Address, BlockId, Height, TxId};
use ccoin_storage::{BlockLog, Index, IndexedBlock, Position};
use criterion::{Criterion, Throughput};

const TXNS: u64 = 1_000;
const ACCOUNTS: u64 = 100_000;

fn spread(number: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (n, chunk) in (1..).zip(bytes.chunks_mut(8)) {
        let mixed = (number + n)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29);
        chunk.copy_from_slice(&mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9).to_be_bytes());
    }
    bytes
}

fn address(number: u64) -> Address {
    let mut bytes = [0; 20];
    bytes.copy_from_slice(&spread(number % ACCOUNTS)[..20]);
    Address::new(bytes)
}

fn height(number: u64) -> Height {
    Height::new(number).expect("small")
}

/// 1,000 transfers between two of 100,000 accounts each: three keys per transaction.
fn block(number: u64) -> IndexedBlock {
    let txns = (0..TXNS).map(|n| (TxId::new(spread((number << 20) + n)), n as u32 * 595, 595));
    let accounts = (0..2 * TXNS).map(|n| (address(number * 7919 + n * 104_729), [7; 16]));
    IndexedBlock {
        height: height(number),
        id: BlockId::new(spread(number)),
        position: Position(number << 20),
        txns: txns.collect(),
        accounts: accounts.collect(),
        new_accounts: Vec::new(),
        documents: Vec::new(),
    }
}

fn log(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut log = BlockLog::create(&dir.path().join("blocks")).expect("a log");
    let payload = vec![0x5a; 600_000];
    let mut slowest = Duration::ZERO;
    let mut group = criterion.benchmark_group("log");
    group.throughput(Throughput::Bytes(payload.len() as u64));
    group.bench_function("append and sync 600 kB", |bencher| {
        bencher.iter(|| {
            let begin = Instant::now();
            log.append(1, &[&payload]).expect("appended");
            log.sync().expect("synced");
            slowest = slowest.max(begin.elapsed());
        });
    });
    group.finish();
    println!("slowest commit {slowest:?}");
}

fn index(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("index");
    let mut index = Index::open(&path, BlockId::ZERO).expect("an index");
    let mut group = criterion.benchmark_group("index");
    group.throughput(Throughput::Elements(TXNS));
    group.bench_function("put a block of 1,000", |bencher| {
        bencher.iter_custom(|count| {
            let mut spent = Duration::ZERO;
            for _ in 0..count {
                let block = block(index.height().get() + 1);
                let begin = Instant::now();
                index.put_block(&block).expect("put");
                spent += begin.elapsed();
            }
            spent
        });
    });
    group.throughput(Throughput::Elements(1));
    let (top, mut number) = (index.height().get(), 0);
    group.bench_function("account_at", |bencher| {
        bencher.iter(|| {
            number += 1;
            let at = height(number * 31 % top + 1);
            index
                .account_at(&address(number * 17), at)
                .expect("an answer")
        });
    });
    group.bench_function("txn", |bencher| {
        bencher.iter(|| {
            number += 1;
            let id = TxId::new(spread((number * 31 % top + 1) << 20));
            index.txn(&id).expect("an answer").expect("it is there")
        });
    });
    group.finish();
    drop(index);
    let begin = Instant::now();
    let index = Index::open(&path, BlockId::ZERO).expect("an index");
    let opened = begin.elapsed();
    let files = std::fs::read_dir(&path).expect("a directory");
    let bytes: u64 = files
        .map(|file| file.and_then(|f| f.metadata()).map_or(0, |m| m.len()))
        .sum();
    let txns = index.height().get() * TXNS;
    println!(
        "{txns} transactions, {} bytes each, opened in {opened:?}",
        bytes / txns
    );
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    log(&mut criterion);
    index(&mut criterion);
    criterion.final_summary();
}
