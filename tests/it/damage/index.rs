//! The index is derived: lost, damaged at the start, or rotten while the node runs.

use super::*;

#[test]
fn a_lost_or_damaged_index_is_built_again() {
    let (settled, mut node) = Settled::new();
    let answers = settled.answers(&node);
    let index = settled.place.data("chain/index");
    node.kill();
    fs::remove_dir_all(&index).unwrap();
    node = settled.place.start(&[]);
    assert_eq!(settled.answers(&node), answers);
    for round in 0.. {
        // Once by kill and once in order: the files differ.
        if round % 2 == 0 {
            node.kill();
        } else {
            assert_eq!(node.stop().0, Some(0));
        }
        let files = files(&index);
        let Some(file) = files.get(round / 2) else {
            break;
        };
        garbage(file);
        node = settled.place.start(&[]);
        assert_eq!(settled.answers(&node), answers, "{}", file.display());
    }
    files(&index).iter().for_each(|file| garbage(file));
    node = settled.place.spawn(&[]);
    node.line("the index is built again");
    node.ready();
    assert_eq!(settled.answers(&node), answers);
    node.kill();
    node = settled.place.start(&["--reindex"]);
    assert_eq!(settled.answers(&node), answers);
}

/// Damage that an open does not see: it used to end the node at the next read, again after
/// every restart.
#[test]
fn a_table_of_the_index_that_rots_is_built_again_while_the_node_goes_on() {
    let mining = json!({"interval": 600, "max_bound": 50});
    let sender = Sender::new();
    let place = Place::network(&genesis(&mining, SLOT_MS, &[(sender.address(), 1_000)]));
    let mut node = place.start(&[]);
    let ids = Vec::new();
    let mut settled = Settled { place, sender, ids };
    settled.send(&node, 300);
    let last = format!("/v1/txns/{}", settled.ids[199]);
    wait_for("200 transactions in blocks", || {
        in_a_block(&node.get(&last)).then_some(())
    });
    // The second start makes a table of what the first one has logged.
    for _ in 0..2 {
        assert_eq!(node.stop().0, Some(0));
        node = settled.place.start(&[]);
    }
    let paths: Vec<_> = settled.ids[..200]
        .iter()
        .map(|id| format!("/v1/txns/{id}"))
        .collect();
    let answers: Vec<_> = paths.iter().map(|path| node.get(path)).collect();
    assert_eq!(node.stop().0, Some(0));
    let flipped = rot(&settled.place.data("chain/index"), &settled.ids[..200]);

    let mut node = settled.place.start(&[]);
    let before = node.pid();
    let path = format!("/v1/txns/{flipped}");
    wait_for("an answer from the new index", || {
        let answer = request(node.http, "GET", &path, &[], "").unwrap();
        if answer.status == 200 {
            return Some(());
        }
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert_eq!(answer.json()["code"], "not-ready");
        assert!(answer.header("Retry-After").is_some());
        None
    });
    let line = node.said("the index is built again: ");
    assert!(line.contains(" WARN ") && line.contains(".ldb"), "{line}");
    node.line("the index is complete again");
    let again: Vec<_> = paths.iter().map(|path| node.get(path)).collect();
    assert_eq!(again, answers);
    let height = node.height();
    settled.send(&node, 50);
    node.reach(height + 1);
    assert_eq!(node.pid(), before);
    assert_eq!(node.stop().0, Some(0));
    let said = node.rest();
    assert_eq!(
        said.matches("the index is built again").count(),
        1,
        "{said}"
    );
    assert!(!said.contains(" ERROR "), "{said}");

    let mut node = settled.place.start(&[]);
    assert_eq!(node.get(&paths[0]), answers[0]);
    assert_eq!(node.stop().0, Some(0));
    assert!(!node.rest().contains("the index is"));
}

/// Flips a byte of the index where an open does not look; the id of the transaction there.
fn rot(index: &Path, ids: &[String]) -> String {
    let mut ids = ids.to_vec();
    ids.sort();
    // Keys are in order: around the middle there are only transactions.
    let middle = &ids[ids.len() / 4..ids.len() * 3 / 4];
    for table in files(index) {
        if table.extension().is_none_or(|end| end != "ldb") {
            continue;
        }
        let bytes = fs::read(&table).unwrap();
        for id in middle {
            let wanted = id.parse::<TxId>().unwrap();
            let wanted = wanted.as_bytes();
            if let Some(at) = bytes.windows(32).position(|window| window == wanted) {
                flip(&table, at as u64);
                return id.clone();
            }
        }
    }
    panic!("no transaction in {}", index.display());
}
