//! Every rule of a block at its boundary: the last value that passes, the first one
//! that does not, who is blamed, and which rule is named when several are broken.

use crate::scene::{scene, two_miners};

use ccoin_core::{
    BlockId, Height, PowNonce, StateHash, TxnsHash,
    block::{Header, SealedBlock, SignedHeader, block_id},
    pow,
    rules::{Blame, BlockError, ParentContext, check_against_parent, check_header},
};
use ccoin_crypto::Verifier;
use ccoin_sim::{NOWHERE, Network, START, at, coins, header, key, miner, seal};

#[test]
fn the_unaltered_block_is_valid() {
    let scene = two_miners();
    assert_eq!(scene.judge(&scene.altered(|_| {})), Ok(()));
}

#[test]
fn a_block_with_another_coinbase_reward_difficulty_or_data_has_another_id() {
    let scene = two_miners();
    let good = scene.altered(|_| {});
    let changes: [fn(&mut Header); 10] = [
        |h| h.version = 2,
        |h| h.number = Height::new(3).unwrap(),
        |h| h.hash_parent = NOWHERE,
        |h| h.hash_state = StateHash::ZERO,
        |h| h.hash_txns = TxnsHash::ZERO,
        |h| h.coinbase = miner(1),
        |h| h.time = at(51),
        |h| h.reward = coins(11),
        |h| h.difficulty = 2,
        |h| h.data = "x".into(),
    ];
    for change in changes {
        let mut header = good.signed.header.clone();
        change(&mut header);
        let stolen = SignedHeader {
            header,
            ..good.signed.clone()
        };
        let id = stolen.id(&scene.genesis.id);
        assert_ne!(id, good.id);
        let block = SealedBlock {
            id,
            signed: stolen,
            ..good.clone()
        };
        assert!(scene.judge(&block).is_err(), "{:?}", block.signed.header);
    }
}

#[test]
fn a_block_of_a_stranger_or_with_another_reward_is_refused() {
    let scene = two_miners();
    let (error, blame) =
        scene.broken(|h| (h.coinbase, h.reward) = (miner(2), coins(10u64.pow(15))));
    assert_eq!(
        error,
        BlockError::Reward {
            got: coins(10u64.pow(15)),
            expected: coins(10)
        }
    );
    assert_eq!(blame, Blame::Sender);
    let (error, blame) = scene.broken(|h| h.coinbase = miner(2));
    assert_eq!(
        (error, blame),
        (
            BlockError::Turn {
                got: miner(2),
                expected: miner(0)
            },
            Blame::Sender
        )
    );
}

#[test]
fn constants_are_those_of_genesis() {
    let scene = two_miners();
    for got in [0, 2, 255] {
        let broken = scene.broken(|h| h.version = got);
        assert_eq!(
            broken,
            (BlockError::Version { got, expected: 1 }, Blame::Sender)
        );
    }
    for got in [0, 2] {
        let broken = scene.broken(|h| h.difficulty = got);
        assert_eq!(
            broken,
            (BlockError::Difficulty { got, expected: 1 }, Blame::Sender)
        );
    }
    for got in [0, 9, 11] {
        let broken = scene.broken(|h| h.reward = coins(got));
        assert_eq!(
            broken,
            (
                BlockError::Reward {
                    got: coins(got),
                    expected: coins(10)
                },
                Blame::Sender
            )
        );
    }
    let broken = scene.broken(|h| h.data = "é".repeat(512) + "x");
    assert_eq!(
        broken,
        (
            BlockError::Data {
                got: 1_025,
                max: 1_024
            },
            Blame::Sender
        )
    );
    assert_eq!(
        scene.judge(&scene.altered(|h| h.data = "é".repeat(512))),
        Ok(())
    );
}

/// Spoils a header.
type Fault = fn(&mut Header);

/// Cheap rules decide before dear ones: undo one fault after the other.
#[test]
fn the_first_broken_rule_in_order_is_named() {
    let scene = two_miners();
    let mut faults: Vec<(Fault, &str)> = vec![
        (|h| h.data = "x".repeat(1_025), "block data"),
        (|h| h.version = 2, "block version"),
        (|h| h.difficulty = 0, "block difficulty"),
        (|h| h.reward = coins(11), "block reward"),
        (|h| h.time = at(2_000), "block is signed"),
        (|h| h.hash_txns = TxnsHash::ZERO, "hash_txns"),
        (|h| h.number = Height::new(9).unwrap(), "block number"),
        (|h| h.hash_state = StateHash::ZERO, "hash_state"),
    ];
    while !faults.is_empty() {
        let (error, _) = scene.broken(|header| faults.iter().for_each(|(fault, _)| fault(header)));
        assert!(error.to_string().starts_with(faults[0].1), "{error}");
        faults.remove(0);
    }
}

#[test]
fn the_leader_changes_with_the_first_millisecond_of_a_slot() {
    let scene = two_miners();
    for (after, index) in [(1_999, 0), (2_000, 1), (3_999, 1), (4_000, 0)] {
        for candidate in 0..2 {
            let header = header(
                &scene.genesis,
                &scene.root,
                miner(candidate),
                at(after),
                &scene.txns,
            );
            let block = seal(
                &scene.genesis,
                header,
                Some(key(candidate)),
                scene.txns.clone(),
            );
            assert_eq!(
                scene.judge(&block).is_ok(),
                candidate == index,
                "{after} {candidate}"
            );
        }
    }
}

/// Difficulty - 1 zeros are not enough, one more than asked is, and nonce 0 may do it.
#[test]
fn work_is_counted_in_zero_digits() {
    let scene = scene(&Network {
        miners: 2,
        difficulty: 2,
        ..Network::default()
    });
    let good = scene.altered(|_| {});
    let hash = good.signed.header.mining_hash(&scene.genesis.id);
    let mut seen = [0; 4];
    for nonce in (0..200_000).map(|nonce| PowNonce::new(nonce).unwrap()) {
        let id = block_id(&hash, nonce);
        let zeros = id
            .to_string()
            .bytes()
            .take_while(|digit| *digit == b'0')
            .count();
        assert_eq!(pow::meets(&id, 2), zeros >= 2);
        if zeros > 3 || seen[zeros] > 0 {
            continue;
        }
        seen[zeros] += 1;
        let signed = SignedHeader {
            nonce,
            signature: key(0).sign(&id.into()).unwrap(),
            header: good.signed.header.clone(),
        };
        let verdict = scene.judge(&SealedBlock {
            id,
            signed,
            ..good.clone()
        });
        assert_eq!(verdict.is_ok(), zeros >= 2, "{id}");
        if zeros < 2 {
            assert_eq!(
                verdict,
                Err(BlockError::Pow {
                    got: id,
                    difficulty: 2
                })
            );
        }
    }
    assert_eq!(seen, [1; 4]);
    let word = |word: u32| {
        let mut bytes = [0xff; 32];
        bytes[..4].copy_from_slice(&word.to_be_bytes());
        BlockId::new(bytes)
    };
    assert!(pow::meets(&word(0), 8) && !pow::meets(&word(1), 8) && pow::meets(&word(u32::MAX), 0));
    assert!(pow::meets(&word(0x0fff_ffff), 1) && !pow::meets(&word(0x1000_0000), 1));
}

#[test]
fn only_the_key_of_the_coinbase_signs() {
    let scene = two_miners();
    let good = scene.altered(|_| {});
    let judge = |signed: &SignedHeader, known: usize| {
        check_header(
            signed,
            &scene.genesis,
            key(known).public_key(),
            &mut Verifier::new(4),
        )
        .map_err(|e| e.blame())
    };
    assert_eq!(judge(&good.signed, 0), Ok(good.id));
    assert_eq!(
        judge(&good.signed, 1),
        Err(Blame::Sender),
        "the key is not the coinbase's"
    );
    let by_other = SignedHeader {
        signature: key(1).sign(&good.id.into()).unwrap(),
        ..good.signed.clone()
    };
    assert_eq!(judge(&by_other, 0), Err(Blame::Sender));
    let later = PowNonce::new(good.signed.nonce.get() + 1).unwrap();
    let hash = good.signed.header.mining_hash(&scene.genesis.id);
    let next = (later.get()..)
        .map(|n| PowNonce::new(n).unwrap())
        .find(|n| pow::meets(&block_id(&hash, *n), 1));
    let moved = SignedHeader {
        nonce: next.unwrap(),
        ..good.signed.clone()
    };
    assert_eq!(
        judge(&moved, 0),
        Err(Blame::Sender),
        "the signature covers the nonce"
    );
}

#[test]
fn number_and_gap_follow_the_parent() {
    let scene = two_miners();
    for number in [1, 3, 1 << 40] {
        let (error, blame) = scene.broken(|h| h.number = Height::new(number).unwrap());
        assert_eq!(blame, Blame::Sender);
        assert!(matches!(error, BlockError::Number { expected: 2, .. }));
    }
    let broken = scene.broken(|h| h.time = at(49));
    assert_eq!(
        broken,
        (
            BlockError::TooEarly {
                got: at(49),
                expected: START + 50
            },
            Blame::Sender
        )
    );
    assert_eq!(scene.judge(&scene.altered(|h| h.time = at(50))), Ok(()));
}

#[test]
fn hash_txns_is_compared_with_the_body() {
    let scene = two_miners();
    let (error, blame) = scene.broken(|h| h.hash_txns = TxnsHash::ZERO);
    assert!(matches!(error, BlockError::TxnsHash { .. }) && blame == Blame::Sender);
    let mut swapped = scene.altered(|_| {});
    swapped.transactions.reverse();
    assert!(matches!(
        scene.judge(&swapped),
        Err(BlockError::TxnsHash { .. })
    ));
    let mut shorter = scene.altered(|_| {});
    shorter.transactions[1] = shorter.transactions[0].clone();
    assert!(matches!(
        scene.judge(&shorter),
        Err(BlockError::TxnsHash { .. })
    ));
}

#[test]
fn the_state_root_is_recomputed_with_the_reward() {
    let scene = two_miners();
    let unpaid = scene.root.state.root();
    let (error, blame) = scene.broken(|h| h.hash_state = unpaid);
    assert!(matches!(error, BlockError::StateHash { got, .. } if got == unpaid));
    assert_eq!(blame, Blame::Signer);
}

/// A miner of an idle network could fill its past slots with paid blocks of one free
/// transaction each.
#[test]
fn only_the_first_block_of_a_slot_on_its_branch_is_paid() {
    let scene = two_miners();
    let judge = |parent_number, parent_time, time, reward| {
        let mut header = scene.altered(|_| {}).signed.header.clone();
        header.number = Height::new(parent_number + 1).unwrap();
        (header.time, header.reward) = (at(time), coins(reward));
        let context = ParentContext {
            number: Height::new(parent_number).unwrap(),
            time: at(parent_time),
            last_by_signer: None,
        };
        check_against_parent(&header, 2, &context, &scene.genesis).map_err(|error| match error {
            BlockError::Reward { got, expected } => (got.get(), expected.get()),
            other => panic!("{other}"),
        })
    };
    // Slots last 2,000 ms. Block 1 takes none.
    for (parent_number, parent_time, time, due) in [
        (1, 0, 50, 10),
        (2, 50, 100, 0),
        (2, 50, 1_999, 0),
        (2, 1_950, 2_000, 10),
        (9, 50, 4_000, 10),
    ] {
        let other = 10 - due;
        assert_eq!(judge(parent_number, parent_time, time, due), Ok(()));
        assert_eq!(
            judge(parent_number, parent_time, time, other),
            Err((other, due))
        );
    }
}
