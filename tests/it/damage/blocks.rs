//! The block log and its checkpoints: torn, damaged, cut short.

use super::*;

#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let (settled, mut node) = Settled::new();
    let answers = settled.answers(&node);
    assert_eq!(node.stop().0, Some(0));
    let checkpoints = files(&settled.place.data("chain/state"));
    assert_eq!(checkpoints.len(), 1, "a stop in order leaves one");
    let length = fs::metadata(&checkpoints[0]).unwrap().len();
    let whole = fs::read(&checkpoints[0]).unwrap();
    for step in 0..4 {
        match step {
            0 => flip(&checkpoints[0], length / 2),
            1 => fs::write(&checkpoints[0], &whole[..whole.len() / 2]).unwrap(),
            2 => garbage(&checkpoints[0]),
            _ => fs::remove_file(&checkpoints[0]).unwrap(),
        }
        node = settled.place.start(&[]);
        assert_eq!(settled.answers(&node), answers);
        node.kill();
        assert!(step == 3 || !node.rest().contains("panicked"));
    }
}

#[test]
fn a_block_log_damaged_in_what_was_acknowledged_is_refused_by_name() {
    let (settled, mut node) = Settled::new();
    node.kill();
    let blocks = settled.place.data("chain/blocks");
    let log = files(&blocks).swap_remove(0);
    let name = log.to_str().unwrap().to_owned();
    let whole = fs::read(&log).unwrap();
    let second = offset(&log, "kept");

    flip(&log, second);
    settled.refused(&[&name, "is damaged at byte", "put back a copy"]);
    fs::write(&log, &whole[..second as usize]).unwrap();
    settled.refused(&[&name]);
    fs::write(&log, &whole).unwrap();
    flip(&log, 9);
    settled.refused(&[&name]);
    fs::remove_file(&log).unwrap();
    settled.refused(&[&name, "missing"]);
    fs::write(&log, &whole).unwrap();
    assert_eq!(settled.place.start(&[]).height(), 4);
}

/// A start reads the window again, whatever the checkpoint: a young chain is read whole.
#[test]
fn a_damaged_old_block_is_never_served() {
    let (settled, mut node) = Settled::new();
    assert_eq!(node.stop().0, Some(0));
    let log = files(&settled.place.data("chain/blocks")).swap_remove(0);
    flip(&log, offset(&log, "kept"));
    settled.refused(&[log.to_str().unwrap(), "is damaged at byte"]);
}

/// Nothing in the log itself shows that its last record is gone or not what it was; the
/// checkpoint does. The record used to be zeroed before the start was refused.
#[test]
fn a_block_log_whose_last_block_is_lost_is_refused_and_left_as_it_is() {
    let (settled, mut node) = Settled::new();
    assert_eq!(node.stop().0, Some(0));
    let log = files(&settled.place.data("chain/blocks")).swap_remove(0);
    let bytes = fs::read(&log).unwrap();
    let last = last_block(&settled.place.data("chain/blocks"));
    let mut torn = bytes.clone();
    torn[last + 300..].fill(0);
    let mut flipped = bytes.clone();
    flipped[last + 300] ^= 1;
    let mut gone = bytes.clone();
    gone[last..].fill(0);
    for damaged in [torn, gone] {
        fs::write(&log, damaged).unwrap();
        settled.refused(&["chain/blocks", "block 4 is missing", "put back a copy"]);
    }
    // The certificates of the block stand behind it.
    fs::write(&log, flipped).unwrap();
    settled.refused(&["chain/blocks", "damaged", "put back a copy"]);
    fs::write(&log, &bytes).unwrap();
    let checked = settled.place.ok("cnode", &["--check"]);
    assert!(
        checked.contains("4 blocks, 2 waiting transactions"),
        "{checked}"
    );
    let node = settled.place.start(&[]);
    assert_eq!(node.height(), 4);
    let checked = settled.place.ok("cnode", &["--check"]);
    assert!(checked.contains("not read: a node uses it"), "{checked}");
}

/// Where the record of the last block begins in the first file of a log.
fn last_block(dir: &Path) -> usize {
    let mut last = Position::START;
    let mut visit = |at, kind: u8, _: &[u8]| {
        if matches!(kind, 2 | 3) {
            last = at;
        }
        Ok::<_, StorageError>(())
    };
    BlockLog::read(dir, Position::START, &mut visit).unwrap();
    usize::try_from(last.0 % (16 << 20)).unwrap()
}
