//! Accepted payments.

use super::*;

/// In the toy transactions answered 200 with no peer were dropped.
#[tokio::test]
async fn a_payment_answered_200_is_kept_without_peers_and_over_a_restart() {
    let mut node = TestNode::start(&QUEUEING);
    let paid = node.pay(good()).await.ok();
    let fields = [
        "amount",
        "data",
        "from",
        "id",
        "number",
        "public_key",
        "signature",
        "time",
        "to",
    ];
    assert!(
        paid.as_object().expect("an object").keys().eq(fields),
        "{paid}"
    );
    let path = format!("/v1/txns/{}", paid["id"].as_str().expect("hex"));
    assert_eq!(node.get(&path).await.ok()["status"], "pending");
    node.restart();
    let kept = node.get(&path).await.ok();
    assert_eq!(
        (&kept["status"], &kept["signature"]),
        (&json!("pending"), &paid["signature"])
    );
    assert_eq!(node.pay(good()).await.ok()["number"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_payments_get_distinct_numbers_without_gaps() {
    let node = std::sync::Arc::new(TestNode::start(&MINING));
    let mut payments = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let node = std::sync::Arc::clone(&node);
        payments.spawn(async move { node.pay(good()).await.ok()["number"].as_u64() });
    }
    let numbers: BTreeSet<_> = payments.join_all().await.into_iter().flatten().collect();
    assert!(numbers.iter().copied().eq(1..=50), "{numbers:?}");
}

/// A client that hangs up leaves a payment made or not made; no other gets its number.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_does_not_disturb_the_next_payment() {
    let node = TestNode::start(&QUEUEING);
    for step in 0..250 {
        let patience = Duration::from_micros(10 * step);
        let started = Instant::now();
        let mut payment = Box::pin(node.pay(good()));
        while started.elapsed() < patience {
            tokio::select! {
                biased;
                _ = &mut payment => break,
                () = tokio::task::yield_now() => {}
            }
        }
        drop(payment);
        let next = node.pay(good()).await;
        assert_eq!(
            next.status, 200,
            "after a client gave up within {patience:?}: {next}"
        );
    }
}
