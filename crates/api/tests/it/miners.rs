//! Who makes the chain: `/v1/miners` and `/v1/genesis`.

use crate::fixtures::{COINS, MINING, Network, Signed, TestNode, numbered};
use serde_json::{Value, json};

#[tokio::test]
async fn each_miner_is_listed_with_its_last_block_and_vote() {
    let node = TestNode::start(&MINING);
    let genesis = node.handle().genesis().id;
    for number in 1..=3 {
        node.include(&Signed::new(genesis, 1, number)).await;
    }
    let miners = node.get("/v1/miners").await.ok();
    assert_eq!(
        (&miners["quorum"], &miners["of_blocks"]),
        (&json!(1), &json!(4))
    );
    let status = node.get("/v1/status").await.ok();
    let vote = &miners["items"][0]["last_vote"];
    assert_eq!(vote["phase"], 2);
    assert_eq!(vote["block_number"], 4);
    assert_eq!(vote["block_id"], status["head"]["id"]);
    assert_eq!(
        miners["items"],
        json!([{
            "address": node.address(), "public_key": node.handle().miner_keys().get(&node.address()), "link": "self", "leads": true,
            "last_block": status["head"], "blocks": 3, "last_vote": vote,
            "voting": "votes", "vote_state": "intact", "clock_offset_ms": null,
        }])
    );
}

#[tokio::test]
async fn a_miner_that_is_away_is_silent_and_unknown() {
    let node = TestNode::start(&Network {
        absent: 1,
        ..MINING
    });
    let miners = node.get("/v1/miners").await.ok();
    assert_eq!(miners["items"].as_array().map(Vec::len), Some(2));
    let mut away = miners["items"][1].clone();
    // It has its turn, whether it is there or not.
    let leads = away["leads"].take();
    assert_ne!(leads, miners["items"][0]["leads"]);
    assert_eq!(
        away,
        json!({
            "address": numbered(0xab00), "public_key": null, "link": "away", "leads": null, "last_block": null,
            "blocks": 0, "last_vote": null, "voting": "silent", "vote_state": null,
            "clock_offset_ms": null,
        })
    );
}

#[tokio::test]
async fn genesis_shows_the_rules_as_block_1_holds_them() {
    let node = TestNode::start(&MINING);
    let genesis = node.get("/v1/genesis").await.ok();
    let block = node.get("/v1/blocks/1").await.ok();
    for field in ["id", "time", "difficulty", "nonce", "hash_state"] {
        assert_eq!(genesis[field], block[field], "{field}");
    }
    assert_eq!(genesis["supply"], 4 * COINS);
    let text = block["data"].as_str().expect("a text");
    let config: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(genesis["config"], config);
    assert_eq!(config["miners"], json!([node.address()]));
}
