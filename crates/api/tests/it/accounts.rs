//! One account, now and as of a block.

use crate::fixtures::{COINS, MINING, QUEUEING, Signed, TestNode, key, numbered};
use serde_json::{Value, json};

fn account(address: &impl ToString, nonce: u64, balance: u64, pending: u64, block: u64) -> Value {
    json!({
        "address": address.to_string(), "nonce": nonce, "balance": balance,
        "next_number": nonce + 1, "pending": pending, "block_number": block,
    })
}

#[tokio::test]
async fn an_account_at_every_height() {
    let mut node = TestNode::start(&MINING);
    let genesis = node.handle().genesis().id;
    let (sender, receiver) = (key(1).public_key().address(), numbered(9));
    for number in 1..=5 {
        node.include(&Signed::with(genesis, 1, number, receiver, 10 * number, ""))
            .await;
    }
    for _from_disk in [false, true] {
        for block in 1..=6 {
            let sent: u64 = (1..block).map(|number| 10 * number).sum();
            let earned = node.rewards(block).await;
            for (address, nonce, balance) in [
                (sender, block - 1, COINS - sent),
                (receiver, 0, sent),
                (node.address(), 0, COINS + earned),
                (numbered(10), 0, 0),
            ] {
                let expected = account(&address, nonce, balance, 0, block);
                let path = format!("/v1/accounts/{address}");
                assert_eq!(
                    node.get(&format!("{path}?block={block}")).await.ok(),
                    expected
                );
                if block == 6 {
                    assert_eq!(node.get(&path).await.ok(), expected, "now");
                }
            }
        }
        node.restart();
    }
    let beyond = format!("/v1/accounts/{sender}?block=7");
    node.get(&beyond).await.is(404, "block-not-found");
}

#[tokio::test]
async fn what_waits_moves_the_next_number_but_not_the_account() {
    let node = TestNode::start(&QUEUEING);
    let genesis = node.handle().genesis().id;
    let sender = key(1).public_key().address();
    for number in [1, 2, 4] {
        let txn = Signed::new(genesis, 1, number).to_string();
        assert_eq!(node.post("/v1/txns", txn).await.status, 202);
    }
    let now = node.get(&format!("/v1/accounts/{sender}")).await.ok();
    let mut expected = account(&sender, 0, COINS, 3, 1);
    expected["next_number"] = 3.into();
    assert_eq!(now, expected);
    // As of a block nothing waits.
    let then = node
        .get(&format!("/v1/accounts/{sender}?block=1"))
        .await
        .ok();
    assert_eq!(then, account(&sender, 0, COINS, 0, 1));
}

#[tokio::test]
async fn an_address_is_40_lower_case_hex_digits() {
    let node = TestNode::start(&QUEUEING);
    let good = numbered(0xabc).to_string();
    assert_eq!(
        node.get(&format!("/v1/accounts/{good}")).await.ok(),
        account(&good, 0, 0, 0, 1)
    );
    for bad in [
        &good[1..],
        &format!("{good}0"),
        &good.to_uppercase(),
        &"g".repeat(40),
        &format!("0x{good}"),
        "%20",
        &"a".repeat(5_000),
    ] {
        node.get(&format!("/v1/accounts/{bad}"))
            .await
            .is(400, "bad-address");
    }
}
