//! Receipts over HTTP, each verified as an outsider does: with the genesis id and nothing else.

use crate::fixtures::{Answer, COINS, MINING, Network, QUEUEING, Signed, TestNode, key, numbered};
use axum::{
    body::Body,
    http::{Request, header},
};
use ccoin_core::{
    BlockId,
    receipt::{DocumentRoot, Receipt, Refused, Verified},
};
use ccoin_crypto::{Hash, Verifier, sha256};
use serde_json::{Value, json};

fn verify(answer: &Answer, genesis: BlockId, document: Option<&Hash>) -> Result<Verified, Refused> {
    assert_eq!(answer.status, 200, "{answer}");
    let receipt = Receipt::parse(answer.json().to_string().as_bytes())?;
    receipt.verify(&genesis, document, &mut Verifier::new(4))
}

#[tokio::test]
async fn a_final_transaction_has_a_receipt_from_memory_and_from_disk() {
    let mut node = TestNode::start(&MINING);
    let genesis = node.handle().genesis().id;
    let document = sha256(&[b"a document"]);
    let data = DocumentRoot::One(document).to_string();
    let txns: Vec<_> = (1..=4)
        .map(|number| Signed::with(genesis, 1, number, numbered(9), 1, &data))
        .collect();
    for txn in &txns {
        node.include(txn).await;
    }
    for _from_disk in [false, true] {
        for (block, txn) in (2..).zip(&txns) {
            let path = format!("/v1/txns/{}/proof", txn.id());
            let verified = verify(&node.get(&path).await, genesis, Some(&document)).unwrap();
            assert_eq!(verified.transaction.unwrap().id.to_string(), txn.id());
            assert_eq!(verified.block.number.get(), block);
            assert_eq!(verified.permanence.voters, [node.address()]);

            let named = node.get(&format!("{path}?document={document}")).await;
            assert_eq!(named.json()["document"]["sha256"], document.to_string());
            assert_eq!(
                verify(&named, genesis, None).unwrap().document,
                Some(document)
            );
            let refused = verify(&named, BlockId::ZERO, None).unwrap_err();
            assert_eq!(refused.step, 2);
            let other = node.get(&format!("{path}?document={}", Hash::ZERO)).await;
            other.is(422, "document-not-named");
        }
        node.restart();
    }
}

#[tokio::test]
async fn an_account_has_a_receipt_at_every_final_block() {
    let mut node = TestNode::start(&MINING);
    let genesis = node.handle().genesis().id;
    let sender = key(1).public_key().address();
    for number in 1..=5 {
        node.include(&Signed::with(genesis, 1, number, numbered(9), 10, ""))
            .await;
    }
    for _from_disk in [false, true] {
        for block in 1..=6 {
            for (address, nonce, balance) in [
                (sender, block - 1, COINS - 10 * (block - 1)),
                (numbered(9), 0, 10 * (block - 1)),
                (numbered(10), 0, 0),
            ] {
                let path = format!("/v1/accounts/{address}/proof");
                let answer = node.get(&format!("{path}?block={block}")).await;
                let verified = verify(&answer, genesis, None).unwrap();
                assert_eq!(verified.block.number.get(), block);
                let (shown, account) = verified.account.unwrap();
                assert_eq!(shown, address);
                assert_eq!(
                    (account.nonce.get(), account.balance.get()),
                    (nonce, balance)
                );
                if block == 6 {
                    let newest = verify(&node.get(&path).await, genesis, None).unwrap();
                    assert_eq!(newest.account, Some((address, account)));
                }
            }
        }
        node.restart();
    }
    let beyond = format!("/v1/accounts/{sender}/proof?block=7");
    node.get(&beyond).await.is(404, "block-not-found");
}

#[tokio::test]
async fn before_it_is_final_nothing_has_a_receipt() {
    // Two miners of which one runs: blocks, and no quorum.
    let node = TestNode::start(&Network {
        absent: 1,
        ..MINING
    });
    let genesis = node.handle().genesis().id;
    let txn = Signed::new(genesis, 1, 1);
    let answer = node
        .post("/v1/txns?wait=included&timeout=60", txn.to_string())
        .await;
    assert_eq!(answer.status, 200, "{answer}");
    for path in [
        format!("/v1/txns/{}/proof", txn.id()),
        format!("/v1/accounts/{}/proof?block=2", numbered(1)),
        format!("/v1/accounts/{}/proof", numbered(1)),
    ] {
        let answer = node.get(&path).await;
        answer.is(409, "not-final");
        assert_eq!(answer.header("retry-after"), "1", "{path}");
    }

    let node = TestNode::start(&QUEUEING);
    let genesis = node.handle().genesis().id;
    let txn = Signed::new(genesis, 1, 1);
    assert_eq!(node.post("/v1/txns", txn.to_string()).await.status, 202);
    let path = format!("/v1/txns/{}/proof", txn.id());
    node.get(&path).await.is(409, "not-final");
    let unknown = format!("/v1/txns/{}/proof", Hash::ZERO);
    node.get(&unknown).await.is(404, "txn-not-found");
    node.get(&format!("{path}?document=5"))
        .await
        .is(400, "bad-field");
    node.get("/v1/accounts/5/proof")
        .await
        .is(400, "bad-address");
}

fn notarize(node: &TestNode, body: &Value) -> Request<Body> {
    Request::post("/v1/notarize")
        .header(header::HOST, "127.0.0.1:4002")
        .header(header::AUTHORIZATION, format!("Bearer {}", node.token))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}

#[tokio::test]
async fn the_wallet_records_documents_by_their_hashes() {
    let node = TestNode::start(&MINING);
    let genesis = node.handle().genesis().id;
    for count in [1u8, 5] {
        let hashes: Vec<_> = (0..count).map(|n| sha256(&[&[n]])).collect();
        let answer = node.send(notarize(&node, &json!({"hashes": hashes}))).await;
        assert_eq!(answer.status, 202, "{answer}");
        let recorded = answer.json();
        let id = recorded["id"].as_str().unwrap();
        assert_eq!(
            recorded["data"],
            DocumentRoot::of(&hashes).unwrap().to_string()
        );
        let path = format!("/v1/txns/{id}/proof");
        let proof = node.until(&path, |answer| answer.status == 200).await;
        for (index, hash) in hashes.iter().enumerate() {
            let mut receipt = proof.json();
            receipt["document"] = recorded["documents"][index].clone();
            let receipt = Receipt::parse(receipt.to_string().as_bytes()).unwrap();
            let verified = receipt.verify(&genesis, Some(hash), &mut Verifier::new(4));
            assert_eq!(verified.unwrap().document, Some(*hash));
        }
        if count > 1 {
            let named = node.get(&format!("{path}?document={}", hashes[0])).await;
            named.is(422, "document-not-named");
        }
    }
}

#[tokio::test]
async fn only_the_holder_of_the_token_records_documents_and_only_some() {
    let node = TestNode::start(&MINING);
    let hashes = json!({"hashes": [sha256(&[b"x"])]});
    let mut stranger = notarize(&node, &hashes);
    stranger.headers_mut().remove(header::AUTHORIZATION);
    node.send(stranger).await.is(401, "token-required");
    let mut page = notarize(&node, &hashes);
    page.headers_mut()
        .insert(header::ORIGIN, "http://evil.example".parse().unwrap());
    node.send(page).await.is(403, "forbidden-origin");
    for (body, code) in [
        (json!({"hashes": []}), "bad-field"),
        (json!({"hashes": vec![Hash::ZERO; 10_001]}), "bad-field"),
        (json!({"hashes": ["5"]}), "bad-field"),
        (json!({}), "bad-field"),
    ] {
        node.send(notarize(&node, &body)).await.is(400, code);
    }
}
