//! Files of the index that are old, gone or rotten.

use super::*;

#[test]
fn a_process_killed_at_once_leaves_an_index_that_opens() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let index = open(dir.path()).unwrap();
    copy_files(dir.path(), copy.path());
    drop(index);
    assert_eq!(open(copy.path()).unwrap().height(), Height::ZERO);
}

#[test]
fn an_index_of_another_chain_or_without_files_is_refused_and_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let mut random = Random(8);
    let mut shadow = Shadow::new(&mut random, 5);
    let mut index = open(&path).unwrap();
    for _ in 0..300 {
        index.put_block(&shadow.grow(&mut random)).unwrap();
    }
    drop(index);
    let other = BlockId::new([1; 32]);
    let error = Index::open(&path, other).map(|_| ()).unwrap_err();
    assert_eq!(
        error,
        IndexError::OtherChain {
            got: GENESIS,
            expected: other
        }
    );
    for victim in ["CURRENT", "MANIFEST", ".ldb"] {
        let entry = fs::read_dir(&path)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let file = entry
            .into_iter()
            .find(|p| p.to_str().unwrap().contains(victim))
            .unwrap();
        fs::remove_file(&file).unwrap();
        let error = open(&path).map(|_| ()).unwrap_err();
        assert!(matches!(error, IndexError::Damaged(_)), "{victim}: {error}");
        let mut index = Index::rebuild(&path, GENESIS).unwrap();
        assert_eq!(index.height(), Height::ZERO);
        drop(index);
        index = Index::open(&path, GENESIS).unwrap();
        shadow.catch_up(&mut index).unwrap();
        shadow.ask(&mut index, &mut random).unwrap();
    }
    fs::remove_dir_all(&path).unwrap();
    let mut index = open(&path).unwrap();
    assert_eq!(shadow.catch_up(&mut index).unwrap(), 300);
}

#[test]
fn damaged_files_give_errors_but_never_wrong_answers() {
    let original = tempfile::tempdir().unwrap();
    let mut random = Random(9);
    let mut shadow = Shadow::new(&mut random, 30);
    let mut index = open(original.path()).unwrap();
    for _ in 0..150 {
        index.put_block(&shadow.grow(&mut random)).unwrap();
    }
    drop(index);
    let files = files(original.path());
    let (mut errors, mut harmless, mut kinds) = (0, 0, HashMap::new());
    let damage = |name: &str, bytes: &[u8], seed: u64| {
        let dir = tempfile::tempdir().unwrap();
        for (other, content) in &files {
            fs::write(
                dir.path().join(other),
                if other == name { bytes } else { content },
            )
            .unwrap();
        }
        survives(dir.path(), &shadow, seed)
    };
    let mut lost = 0;
    for name in files.keys().filter(|name| *name != "LOCK") {
        let dir = tempfile::tempdir().unwrap();
        for (other, content) in files.iter().filter(|(other, _)| *other != name) {
            fs::write(dir.path().join(other), content).unwrap();
        }
        if let Err(error) = survives(dir.path(), &shadow, 0) {
            assert!(error.is_damage(), "without {name}: {error}");
            lost += 1;
        }
    }
    assert!(lost > 5, "{lost}");
    for (name, content) in files.iter().filter(|(_, content)| !content.is_empty()) {
        // Tables are alike: the footers of a few, samples of the rest.
        let table = name.ends_with(".ldb");
        let ends = if rounds() == 1 && table && !name.contains('6') {
            0
        } else {
            48
        };
        let last = content.len().saturating_sub(ends);
        let step = (content.len() / (6 * rounds() as usize)).max(1);
        let samples = (0..last)
            .step_by(step)
            .chain((last..content.len()).step_by(3));
        for offset in samples {
            let mut bytes = content.clone();
            bytes[offset] ^= 1 << (offset % 8);
            for bytes in [&bytes[..], &content[..offset]] {
                let outcome = damage(name, bytes, offset as u64);
                *if outcome.is_err() {
                    &mut errors
                } else {
                    &mut harmless
                } += 1;
                if let Err(error) = outcome {
                    assert!(error.is_damage(), "{name} at {offset}: {error}");
                    *kinds.entry(name.clone()).or_insert(0) += 1;
                }
            }
        }
    }
    println!("{errors} errors, {harmless} harmless or caught up, errors by file {kinds:?}");
    assert!(errors > 100);
}

#[test]
fn a_manifest_that_lost_its_last_edit_is_refused() {
    for blocks in 20..60 {
        let dir = tempfile::tempdir().unwrap();
        let mut random = Random(blocks);
        let mut shadow = Shadow::new(&mut random, 30);
        let mut index = open(dir.path()).unwrap();
        for _ in 0..blocks {
            index.put_block(&shadow.grow(&mut random)).unwrap();
        }
        drop(index);
        let manifest = only(dir.path(), "MANIFEST");
        let mut bytes = fs::read(&manifest).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&manifest, bytes).unwrap();
        let outcome = survives(dir.path(), &shadow, blocks);
        assert!(
            matches!(outcome, Err(IndexError::Damaged(_))),
            "{blocks} blocks: {outcome:?}"
        );
    }
}

#[test]
fn a_hole_between_two_logs_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(10);
    let mut shadow = Shadow::new(&mut random, 10);
    let mut index = open(dir.path()).unwrap();
    for _ in 0..5 {
        index.put_block(&shadow.grow(&mut random)).unwrap();
    }
    drop(index);
    let before = tempfile::tempdir().unwrap();
    copy_files(dir.path(), before.path());
    let mut index = open(dir.path()).unwrap();
    for _ in 0..3 {
        index.put_block(&shadow.grow(&mut random)).unwrap();
    }
    drop(index);
    // The first log as it was, with the next one behind it: that is only a longer log.
    let (first, second) = (only(before.path(), ".log"), only(dir.path(), ".log"));
    fs::copy(&second, before.path().join("000099.log")).unwrap();
    replace_files(before.path(), dir.path());
    assert_eq!(open(dir.path()).unwrap().height(), height(8));
    let whole = fs::read(&first).unwrap();
    fs::write(&first, &whole[..whole.len() - 9]).unwrap();
    replace_files(before.path(), dir.path());
    let error = open(dir.path()).map(|_| ()).unwrap_err();
    assert!(matches!(error, IndexError::Damaged(_)), "{error}");
}

#[test]
fn tables_that_rot_while_the_node_runs_give_errors() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(11);
    let mut shadow = Shadow::new(&mut random, 30);
    let mut index = open(dir.path()).unwrap();
    for _ in 0..150 {
        index.put_block(&shadow.grow(&mut random)).unwrap();
    }
    drop(index);
    let (top, mut errors) = (height(150), 0);
    for address in &shadow.known {
        let mut index = open(dir.path()).unwrap();
        let whole = files(dir.path());
        for (name, content) in whole.iter().filter(|(name, _)| name.ends_with(".ldb")) {
            // What describes the table is in memory; its entries are not.
            let mut bytes = content.clone();
            bytes
                .iter_mut()
                .take(content.len() * 3 / 4)
                .for_each(|byte| *byte ^= 0x20);
            fs::write(dir.path().join(name), bytes).unwrap();
        }
        match index.account_at(address, top) {
            Ok(found) => assert_eq!(found, shadow.account_at(address, top)),
            Err(error) => {
                assert!(matches!(error, IndexError::Damaged(_)), "{error}");
                assert_eq!(index.check(), Err(error.clone()));
                assert_eq!(index.height_of(&shadow.chain[0].id), Err(error));
                errors += 1;
            }
        }
        drop(index);
        whole.iter().for_each(|(name, content)| {
            fs::write(dir.path().join(name), content).unwrap();
        });
    }
    assert!(errors > 10, "{errors}");
}
