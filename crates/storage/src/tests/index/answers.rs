//! The index answers as a plain map would.

use super::*;

#[test]
fn random_operations_and_reopenings_give_the_answers_of_a_plain_map() {
    let (mut operations, mut reopenings, mut switches, mut lagged) = (0, 0, 0, 0);
    for round in 0..2 * rounds() {
        let seed = 100 + round;
        println!("seed {seed}");
        let mut random = Random(seed);
        let dir = tempfile::tempdir().unwrap();
        let mut index = open(dir.path()).unwrap();
        let mut shadow = Shadow::new(&mut random, 60);
        for _ in 0..600 {
            for _ in 0..random.below(4) {
                index.put_block(&shadow.grow(&mut random)).unwrap();
            }
            for _ in 0..3 {
                shadow.ask(&mut index, &mut random).unwrap();
                operations += 12;
            }
            match random.below(60) {
                0..3 => {
                    // Killed: what the engine buffered is gone, or all was written.
                    if random.below(2) == 0 {
                        let copy = tempfile::tempdir().unwrap();
                        copy_files(dir.path(), copy.path());
                        drop(index);
                        replace_files(copy.path(), dir.path());
                    } else {
                        drop(index);
                    }
                    index = open(dir.path()).unwrap();
                    lagged += shadow.catch_up(&mut index).unwrap();
                    reopenings += 1;
                }
                3..6 => {
                    let keep = shadow.chain.len() as u64;
                    let keep = keep - random.below(keep.min(8) + 1);
                    shadow.switch(&mut index, keep as usize);
                    switches += 1;
                }
                6 => {
                    let at = height(random.below(shadow.chain.len() as u64 + 1));
                    shadow.ask_page(&mut index, at).unwrap();
                    shadow.ask_lists(&mut index, at).unwrap();
                }
                _ => {}
            }
        }
        let tables = fs::read_dir(dir.path()).unwrap().count();
        assert!(tables > 10, "{tables} files: nothing was compacted");
    }
    println!(
        "{operations} look-ups, {reopenings} reopenings ({lagged} blocks put again), {switches} switches"
    );
    assert!(reopenings > 20 && switches > 20 && lagged > 20);
}

#[test]
fn a_switch_and_back_gives_the_first_branch_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(6);
    let mut index = open(dir.path()).unwrap();
    let mut shadow = Shadow::new(&mut random, 10);
    for _ in 0..20 {
        index.put_block(&shadow.grow(&mut random)).unwrap();
    }
    let first = shadow.chain.clone();
    for _ in 0..5 {
        shadow.switch(&mut index, 10);
        for _ in 0..12 {
            index.put_block(&shadow.grow(&mut random)).unwrap();
        }
        shadow.switch(&mut index, 10);
        shadow
            .left
            .retain(|block| !first.iter().any(|one| one.id == block.id));
        for block in &first[10..] {
            index.put_block(block).unwrap();
            shadow.chain.push(block.clone());
        }
        for _ in 0..100 {
            shadow.ask(&mut index, &mut random).unwrap();
        }
        shadow.ask_page(&mut index, height(15)).unwrap();
        shadow.ask_lists(&mut index, height(15)).unwrap();
    }
}

#[test]
fn blocks_out_of_order_are_refused_and_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(7);
    let mut index = open(dir.path()).unwrap();
    let mut shadow = Shadow::new(&mut random, 5);
    let (one, two) = (shadow.grow(&mut random), shadow.grow(&mut random));
    let gap = IndexError::Gap {
        got: height(2),
        expected: height(1),
    };
    assert_eq!(index.put_block(&two), Err(gap));
    index.put_block(&one).unwrap();
    assert!(index.put_block(&one).is_err());
    index.put_block(&two).unwrap();
    assert_eq!(index.height(), height(2));
}

#[test]
fn the_index_may_move_to_its_thread() {
    fn send<T: Send>() {}
    send::<Index>();
}
