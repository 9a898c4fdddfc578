//! The pool log: torn, gone, old; and what became of dropped transactions.

use super::*;

#[test]
fn a_pool_log_torn_at_its_end_keeps_what_was_acknowledged() {
    let (mut settled, mut node) = Settled::new();
    let answers = settled.answers(&node);
    let pool = |settled: &Settled| {
        let mut logs = files(&settled.place.data("chain/pool"));
        logs.sort_by_key(|path| fs::read(path).unwrap().get(12..20).map(<[u8]>::to_vec));
        logs.pop().unwrap()
    };
    node.kill();
    let mut log = OpenOptions::new()
        .append(true)
        .open(pool(&settled))
        .unwrap();
    log.write_all(&[0xa7; 100]).unwrap();
    node = settled.place.start(&[]);
    assert_eq!(settled.answers(&node), answers);
    assert_eq!(node.get("/v1/queue")["txns"], 2);

    // What waits still finds its way into a block.
    settled.send(&node, 1);
    node.reach(5);
    settled.send(&node, 2);
    node.kill();

    // In the middle of what was acknowledged there can be no tear: that is damage.
    let path = pool(&settled);
    flip(&path, offset(&path, "kept"));
    let told = settled.refused(&[path.to_str().unwrap(), "is damaged at byte"]);
    // The advice costs what waited, and no block.
    let (pool, aside) = (path.parent().unwrap(), settled.place.data("chain/aside"));
    assert!(
        told.contains(&format!("move {} away", pool.display())),
        "{told}"
    );
    assert!(!told.contains(&format!("move {} away", pool.parent().unwrap().display())));
    fs::rename(pool, aside).unwrap();
    let mut node = settled.place.start(&[]);
    assert_eq!(node.height(), 5);
    let line = node.said("transactions that waited here");
    assert!(
        line.contains(" WARN ") && line.contains("is empty"),
        "{line}"
    );
    node.kill();
}

#[test]
fn a_pool_log_that_is_gone_or_old_is_told() {
    let (mut settled, mut node) = Settled::new();
    const LOST: &str = "transactions that waited here";
    node.kill();
    assert!(!node.rest().contains(LOST));
    let pool = settled.place.data("chain/pool");
    for gone in ["b", "a"] {
        let checked = settled.place.ok("cnode", &["--check"]);
        assert!(checked.contains("2 waiting"), "{checked}");
        // Another start between the two turns the files.
        node = settled.place.start(&[]);
        node.kill();
        assert!(!node.rest().contains(LOST));
        fs::remove_file(pool.join(gone)).unwrap();
        node = settled.place.start(&[]);
        let line = node.said(LOST);
        let missing = format!("pool/{gone} is missing or old");
        assert!(line.contains(" WARN ") && line.contains(&missing), "{line}");
        node.kill();
    }
    // A backup of the whole directory is sound in itself; the checkpoint knows better.
    let old: Vec<_> = files(&pool)
        .into_iter()
        .map(|path| (fs::read(&path).unwrap(), path))
        .collect();
    node = settled.place.start(&[]);
    settled.send(&node, 1);
    node.reach(5);
    assert_eq!(node.stop().0, Some(0));
    old.iter()
        .for_each(|(bytes, path)| fs::write(path, bytes).unwrap());
    node = settled.place.start(&[]);
    let line = node.said(LOST);
    assert!(line.contains("is older than the blocks"), "{line}");
    node.kill();
}

/// An acknowledged transaction never becomes unknown.
#[test]
fn a_dropped_transaction_keeps_its_reason_over_restarts() {
    let key = SecretKey::generate(2048).unwrap();
    let (mining, owner) = (json!({"interval": 600}), key.public_key().address());
    let place = Place::network(&genesis(&mining, SLOT_MS, &[(owner, 1_000)]));
    let mut node = place.start(&[]);
    let net = node.genesis_id();
    node.kill();
    let sign = |number, data: &str| {
        let payment = Payment {
            number: AccountNonce::new(number).unwrap(),
            to: owner,
            amount: Amount::new(1).unwrap(),
            data: data.to_owned(),
            time: Timestamp::new(1_700_000_000_000).unwrap(),
        };
        Transaction::sign(payment, &key, &net).unwrap()
    };
    // As a node leaves them that was killed between a block and its next start.
    let [first, rival, dropped] = [sign(1, "first"), sign(1, "rival"), sign(2, "dropped")];
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = Timestamp::new(now.as_millis() as u64).unwrap();
    let id_of = |bytes: &[u8]| Some(Transaction::decode(bytes, 4_096).ok()?.id(&net));
    let (mut log, _) = PoolLog::open(&place.data("chain/pool"), &id_of).unwrap();
    for txn in [&first, &rival, &dropped] {
        log.append(now, &encode(txn)).unwrap();
    }
    log.append_dropped(now, "it was overtaken", &encode(&dropped))
        .unwrap();
    log.sync().unwrap();
    drop(log);
    for stop in ["KILL", "TERM", "KILL"] {
        node = place.start(&[]);
        let status = |txn: &Transaction| node.get(&format!("/v1/txns/{}", txn.id(&net)));
        assert_eq!(status(&first)["status"], "pending");
        let rival = status(&rival);
        assert_eq!(rival["status"], "dropped", "{rival}");
        let reason = rival["reason"].as_str().unwrap();
        assert!(
            reason.contains("number 1 of this account is used"),
            "{rival}"
        );
        let dropped = status(&dropped);
        assert_eq!(dropped["status"], "dropped", "{dropped}");
        assert_eq!(dropped["reason"], "it was overtaken");
        assert_eq!(dropped["data"], "dropped");
        node.signal(stop);
        node.ended();
    }
}
