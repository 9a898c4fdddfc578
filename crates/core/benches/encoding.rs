//! Writing, reading and naming a block of 1,000 transfers. Divide the printed time by
//! 1,000 for a transfer.

use ccoin_core::{
    AccountNonce, Address, Amount, BlockId, Height, PowNonce, StateHash, Timestamp, TxnsHash,
    block::{Block, Header, SignedHeader, VERSION},
    encoding::encode,
    transaction::Transaction,
};
use ccoin_crypto::{SecretKey, Signature};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

fn block() -> Block {
    let from = SecretKey::generate(2048)
        .expect("the system has randomness")
        .public_key()
        .clone();
    let signature = Signature::new(&[0xab; 256]).expect("not too long");
    let transfer = |number| Transaction {
        number: AccountNonce::new(number).expect("small"),
        from: from.clone(),
        to: Address::ZERO,
        amount: Amount::new(number).expect("small"),
        data: String::new(),
        time: Timestamp::new(1_700_000_000_000).expect("in range"),
        signature: signature.clone(),
    };
    let header = Header {
        version: VERSION,
        number: Height::GENESIS,
        hash_parent: BlockId::ZERO,
        hash_state: StateHash::ZERO,
        hash_txns: TxnsHash::ZERO,
        coinbase: Address::ZERO,
        time: Timestamp::ZERO,
        reward: Amount::ZERO,
        difficulty: 0,
        data: String::new(),
    };
    let signed = SignedHeader {
        header,
        nonce: PowNonce::ZERO,
        signature: Signature::empty(),
    };
    Block {
        signed,
        transactions: (1..=1_000).map(transfer).collect(),
    }
}

fn encoding(c: &mut Criterion) {
    let block = block();
    let bytes = encode(&block);
    c.bench_function("encode 1,000 transfers", |b| {
        b.iter(|| black_box(encode(black_box(&block)).len()));
    });
    c.bench_function("decode 1,000 transfers", |b| {
        b.iter(|| Block::decode(black_box(&bytes)).expect("our own encoding"));
    });
    c.bench_function("ids of 1,000 transfers", |b| {
        b.iter(|| {
            for txn in &block.transactions {
                black_box(txn.id(&BlockId::ZERO));
            }
        });
    });
}

criterion_group!(group, encoding);
criterion_main!(group);
