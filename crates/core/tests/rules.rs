//! Every rule of a block at its boundary: the last value that passes, the first one
//! that does not, who is blamed, and which rule is named when several are broken.

mod fixtures;

use ccoin_core::{
    Address, BlockId, Height, PowNonce, StateHash, Timestamp, TxnsHash,
    block::{Header, MAX_BLOCK_BYTES, SealedBlock, SignedHeader, block_id},
    genesis::Genesis,
    machine::{Input, Machine, PlaceholderText, SealMark, Start},
    pow,
    rules::{Applied, Blame, BlockError, Place, check_header, check_place, execute},
    transaction::VerifiedTransaction,
};
use ccoin_crypto::Verifier;
use fixtures::{NOWHERE, Network, START, arrived, at, child, coins, header, key, miner, seal, transfer};
use std::sync::Arc;

/// A network of two miners, its root, and two transactions of which both may go into block 2.
struct Scene {
    genesis: Arc<Genesis>,
    root: Applied,
    txns: Vec<VerifiedTransaction>,
}

fn scene(network: &Network) -> Scene {
    let genesis = network.found();
    let txns = vec![
        transfer(&genesis, key(0).public_key(), 1, miner(1), 5),
        transfer(&genesis, key(1).public_key(), 1, miner(0), 7),
    ];
    Scene { root: genesis.applied(), genesis, txns }
}

fn two_miners() -> Scene {
    scene(&Network { miners: 2, ..Network::default() })
}

impl Scene {
    /// A correct, signed block 2 of miner 0 at [`START`] + 50, then changed, mined and signed.
    fn altered(&self, change: impl FnOnce(&mut Header)) -> SealedBlock {
        let mut header = header(&self.genesis, &self.root, miner(0), at(50), &self.txns);
        change(&mut header);
        seal(&self.genesis, header, Some(key(0)), self.txns.clone())
    }

    /// All rules on a block as it comes from outside; `key` is what the node knows as the signer's.
    fn judge(&self, block: &SealedBlock) -> Result<(), BlockError> {
        let block = arrived(block);
        let known = (0..4).find(|index| miner(*index) == block.signed.header.coinbase).unwrap_or(0);
        check_header(&block.signed, &self.genesis, key(known).public_key(), &mut Verifier::new(4))?;
        let (time, last_by_signer) = (at(0), None);
        let place = Place { parent_number: Height::GENESIS, parent_time: time, last_by_signer };
        check_place(&block.signed.header, block.transactions.len(), &place, &self.genesis)?;
        let block = SealedBlock::already_verified(block, &self.genesis.id);
        execute(block, &self.root.state, &self.genesis).map(|_| ())
    }

    /// The rule that an altered block breaks, and its blame.
    fn broken(&self, change: impl FnOnce(&mut Header)) -> (BlockError, Blame) {
        let error = self.judge(&self.altered(change)).expect_err("the block is wrong");
        let blame = error.blame();
        (error, blame)
    }
}

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
        let stolen = SignedHeader { header, ..good.signed.clone() };
        let id = stolen.id(&scene.genesis.id);
        assert_ne!(id, good.id);
        let block = SealedBlock { id, signed: stolen, ..good.clone() };
        assert!(scene.judge(&block).is_err(), "{:?}", block.signed.header);
    }
}

#[test]
fn a_block_from_a_non_miner_with_reward_10_to_15_accepted() {
    let scene = two_miners();
    let (error, blame) = scene.broken(|h| (h.coinbase, h.reward) = (miner(2), coins(10u64.pow(15))));
    assert_eq!(error, BlockError::Reward { got: coins(10u64.pow(15)), expected: coins(10) });
    assert_eq!(blame, Blame::Sender);
    let (error, blame) = scene.broken(|h| h.coinbase = miner(2));
    assert_eq!((error, blame), (BlockError::Turn { got: miner(2), expected: miner(0) }, Blame::Sender));
}

#[test]
fn constants_are_those_of_genesis() {
    let scene = two_miners();
    for got in [0, 2, 255] {
        let broken = scene.broken(|h| h.version = got);
        assert_eq!(broken, (BlockError::Version { got, expected: 1 }, Blame::Sender));
    }
    for got in [0, 2] {
        let broken = scene.broken(|h| h.difficulty = got);
        assert_eq!(broken, (BlockError::Difficulty { got, expected: 1 }, Blame::Sender));
    }
    for got in [0, 9, 11] {
        let broken = scene.broken(|h| h.reward = coins(got));
        assert_eq!(broken, (BlockError::Reward { got: coins(got), expected: coins(10) }, Blame::Sender));
    }
    let broken = scene.broken(|h| h.data = "é".repeat(512) + "x");
    assert_eq!(broken, (BlockError::Data { got: 1_025, max: 1_024 }, Blame::Sender));
    assert_eq!(scene.judge(&scene.altered(|h| h.data = "é".repeat(512))), Ok(()));
}

/// Cheap rules decide before dear ones: undo one fault after the other.
#[test]
fn the_first_broken_rule_in_order_is_named() {
    let scene = two_miners();
    let mut faults: Vec<(fn(&mut Header), &str)> = vec![
        (|h| h.data = "x".repeat(1_025), "block data"),
        (|h| h.version = 2, "block version"),
        (|h| h.difficulty = 0, "block difficulty"),
        (|h| h.reward = coins(11), "block reward"),
        (|h| h.time = at(2_000), "block is signed"),
        (|h| h.number = Height::new(9).unwrap(), "block number"),
        (|h| h.hash_txns = TxnsHash::ZERO, "hash_txns"),
        (|h| h.hash_state = StateHash::ZERO, "hash_state"),
    ];
    while !faults.is_empty() {
        let (error, _) = scene.broken(|header| faults.iter().for_each(|(fault, _)| fault(header)));
        assert!(error.to_string().starts_with(faults[0].1), "{error}");
        faults.remove(0);
    }
}

#[test]
fn the_turn_changes_with_the_first_millisecond_of_a_slot() {
    let scene = two_miners();
    for (after, index) in [(1_999, 0), (2_000, 1), (3_999, 1), (4_000, 0)] {
        for candidate in 0..2 {
            let header = header(&scene.genesis, &scene.root, miner(candidate), at(after), &scene.txns);
            let block = seal(&scene.genesis, header, Some(key(candidate)), scene.txns.clone());
            assert_eq!(scene.judge(&block).is_ok(), candidate == index, "{after} {candidate}");
        }
    }
}

/// Difficulty - 1 zeros are not enough, one more than asked is, and nonce 0 may do it.
#[test]
fn work_is_counted_in_zero_digits() {
    let scene = scene(&Network { miners: 2, difficulty: 2, ..Network::default() });
    let good = scene.altered(|_| {});
    let hash = good.signed.header.mining_hash(&scene.genesis.id);
    let mut seen = [0; 4];
    for nonce in (0..200_000).map(|nonce| PowNonce::new(nonce).unwrap()) {
        let id = block_id(&hash, nonce);
        let zeros = id.to_string().bytes().take_while(|digit| *digit == b'0').count();
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
        let verdict = scene.judge(&SealedBlock { id, signed, ..good.clone() });
        assert_eq!(verdict.is_ok(), zeros >= 2, "{id}");
        if zeros < 2 {
            assert_eq!(verdict, Err(BlockError::Pow { got: id, difficulty: 2 }));
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
        check_header(signed, &scene.genesis, key(known).public_key(), &mut Verifier::new(4)).map_err(|e| e.blame())
    };
    assert_eq!(judge(&good.signed, 0), Ok(good.id));
    assert_eq!(judge(&good.signed, 1), Err(Blame::Sender), "the key is not the coinbase's");
    let by_other = SignedHeader { signature: key(1).sign(&good.id.into()).unwrap(), ..good.signed.clone() };
    assert_eq!(judge(&by_other, 0), Err(Blame::Sender));
    let later = PowNonce::new(good.signed.nonce.get() + 1).unwrap();
    let hash = good.signed.header.mining_hash(&scene.genesis.id);
    let next = (later.get()..).map(|n| PowNonce::new(n).unwrap()).find(|n| pow::meets(&block_id(&hash, *n), 1));
    let moved = SignedHeader { nonce: next.unwrap(), ..good.signed.clone() };
    assert_eq!(judge(&moved, 0), Err(Blame::Sender), "the signature covers the nonce");
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
    assert_eq!(broken, (BlockError::TooEarly { got: at(49), expected: START + 50 }, Blame::Sender));
    assert_eq!(scene.judge(&scene.altered(|h| h.time = at(50))), Ok(()));
}

/// One row of the batch rule: ms since the parent, transactions, ms since the signer's own block, verdict.
fn due(allow_empty: bool, rows: &[(u64, usize, Option<u64>, bool)]) {
    let scene = scene(&Network { allow_empty, min_bound: 3, max_bound: 5, ..Network::default() });
    for (since, txns, own, expected) in rows {
        let mut header = scene.altered(|_| {}).signed.header;
        header.time = at(10_000 + since);
        let last_by_signer = own.map(|ago| at(10_000 + since - ago));
        let place = Place { parent_number: Height::GENESIS, parent_time: at(10_000), last_by_signer };
        let verdict = check_place(&header, *txns, &place, &scene.genesis);
        assert_eq!(verdict.is_ok(), *expected, "{allow_empty} {since} {txns} {own:?}: {verdict:?}");
    }
}

#[test]
fn the_batch_rule_is_exact_at_the_millisecond() {
    let both = [
        (50, 3, Some(50), true),
        (50, 5, Some(50), true),
        (50, 6, Some(50), false),
        (5_000, 6, None, false),
        (50, 2, Some(50), false),
        (999, 1, Some(999), false),
        (1_000, 1, Some(1_000), true),
        (50, 1, Some(999), false),
        (50, 1, Some(1_000), true),
        (50, 1, None, true),
        (50, 0, None, false),
        (999, 0, Some(5_000), false),
    ];
    due(true, &both);
    due(false, &both);
    due(true, &[(1_000, 0, Some(1_000), true), (1_000, 0, None, true)]);
    due(false, &[(1_000, 0, Some(1_000), false), (1_000_000, 0, None, false)]);
}

#[test]
fn what_a_signed_block_does_is_its_signers_fault() {
    let scene = scene(&Network { max_bound: 2, ..Network::default() });
    let third = transfer(&scene.genesis, key(2).public_key(), 1, miner(0), 1);
    let of = |txns: Vec<VerifiedTransaction>| {
        let header = header(&scene.genesis, &scene.root, miner(0), at(50), &txns);
        scene.judge(&seal(&scene.genesis, header, Some(key(0)), txns)).map_err(|error| (error.blame(), error))
    };
    let many: Vec<_> = scene.txns.iter().cloned().chain([third.clone()]).collect();
    assert_eq!(of(many), Err((Blame::Signer, BlockError::TooMany { got: 3, max: 2 })));
    assert!(matches!(of(vec![]), Err((Blame::Signer, BlockError::NotDue { txns: 0, .. }))));
    let repeated = of(vec![third.clone(), third]);
    assert!(matches!(repeated, Err((Blame::Signer, BlockError::Apply { index: 1, .. }))));
}

#[test]
fn hash_txns_never_compared_with_the_body() {
    let scene = two_miners();
    let (error, blame) = scene.broken(|h| h.hash_txns = TxnsHash::ZERO);
    assert!(matches!(error, BlockError::TxnsHash { .. }) && blame == Blame::Signer);
    let mut swapped = scene.altered(|_| {});
    swapped.transactions.reverse();
    assert!(matches!(scene.judge(&swapped), Err(BlockError::TxnsHash { .. })));
    let mut shorter = scene.altered(|_| {});
    shorter.transactions[1] = shorter.transactions[0].clone();
    assert!(matches!(scene.judge(&shorter), Err(BlockError::TxnsHash { .. })));
}

#[test]
fn the_state_root_is_recomputed_with_the_reward() {
    let scene = two_miners();
    let unpaid = scene.root.state.root();
    let (error, blame) = scene.broken(|h| h.hash_state = unpaid);
    assert!(matches!(error, BlockError::StateHash { got, .. } if got == unpaid));
    assert_eq!(blame, Blame::Signer);
}

fn follower(genesis: &Arc<Genesis>) -> Machine {
    Machine::new(Start {
        genesis: Arc::clone(genesis),
        checkpoint: None,
        miner: None,
        last_sealed: SealMark::default(),
        block_text: PlaceholderText::Fixed(String::new()),
    })
}

/// The verdict of a whole machine, and whether head and accounts are as before.
fn offer(machine: &mut Machine, now: u64, block: &SealedBlock) -> (Result<(), BlockError>, bool) {
    let before = (machine.chain().head().block.id, machine.accounts().root());
    let effects = machine.step(at(now), Input::Block { ticket: 7, block: block.clone() });
    let verdict = effects.iter().find_map(|effect| match effect {
        ccoin_core::machine::Effect::Judged { ticket: 7, result } => Some(result.clone()),
        _ => None,
    });
    let unchanged = before == (machine.chain().head().block.id, machine.accounts().root());
    let silent = effects.iter().all(|e| !matches!(e, ccoin_core::machine::Effect::PersistBlock { .. }));
    (verdict.expect("an answer"), unchanged && silent)
}

#[test]
fn a_block_dated_ten_years_ahead_makes_all_later_ones_invalid() {
    let scene = two_miners();
    let mut machine = follower(&scene.genesis);
    let ten_years = 10 * 365 * 86_400_000;
    let dated = |after: u64, coinbase: Address| {
        let header = header(&scene.genesis, &scene.root, coinbase, at(after), &scene.txns);
        seal(&scene.genesis, header, None, scene.txns.clone())
    };
    let (verdict, untouched) = offer(&mut machine, 50, &dated(ten_years, miner(0)));
    assert!(matches!(&verdict, Err(error @ BlockError::Future { .. }) if error.blame() == Blame::Later));
    assert!(untouched);
    // the tolerated skew is a quarter of the slot
    let (verdict, _) = offer(&mut machine, 50, &dated(551, miner(0)));
    assert!(matches!(verdict, Err(BlockError::Future { ahead_ms: 501, tolerated_ms: 500, .. })));
    assert_eq!(offer(&mut machine, 50, &dated(550, miner(0))), (Ok(()), false));
    let good = child(&scene.genesis, machine.chain().head(), miner(1), 2_600, &[]);
    assert_eq!(offer(&mut machine, 2_600, &good.block), (Ok(()), false));
}

#[test]
fn a_rejected_block_leaves_its_changes_in_memory() {
    let scene = two_miners();
    let mut machine = follower(&scene.genesis);
    let faults: [fn(&mut Header); 4] = [
        |h| h.hash_state = StateHash::ZERO,
        |h| h.hash_txns = TxnsHash::ZERO,
        |h| h.hash_parent = NOWHERE,
        |h| h.number = Height::new(3).unwrap(),
    ];
    for fault in faults {
        let (verdict, untouched) = offer(&mut machine, 50, &scene.altered(fault));
        assert!(verdict.is_err() && untouched, "{verdict:?}");
        assert_eq!(machine.accounts().root(), scene.root.state.root());
    }
    let good = scene.altered(|_| {});
    assert_eq!(offer(&mut machine, 50, &good), (Ok(()), false));
    assert_eq!(offer(&mut machine, 60, &good), (Err(BlockError::Known(good.id)), true));
    assert_eq!(BlockError::Known(good.id).blame(), Blame::Later);
}

#[test]
fn an_unknown_parent_is_asked_for_and_blames_nobody() {
    let scene = two_miners();
    let mut machine = follower(&scene.genesis);
    let (verdict, untouched) = offer(&mut machine, 50, &scene.altered(|h| h.hash_parent = NOWHERE));
    assert_eq!((&verdict, untouched), (&Err(BlockError::Parent(NOWHERE)), true));
    assert_eq!(verdict.unwrap_err().blame(), Blame::Later);
}

#[test]
fn a_block_is_bounded_before_it_is_parsed() {
    let bytes = vec![0xc1; MAX_BLOCK_BYTES + 1];
    let error = ccoin_core::block::Block::decode(&bytes).unwrap_err();
    assert!(matches!(error, ccoin_core::encoding::DecodeError::Size { max: MAX_BLOCK_BYTES, .. }));
    let error = ccoin_core::block::Block::decode(&bytes[1..]).unwrap_err();
    assert!(matches!(error, ccoin_core::encoding::DecodeError::Malformed { .. }));
}
