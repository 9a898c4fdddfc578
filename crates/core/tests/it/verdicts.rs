//! The rules behind the header: the batch rule, the blame for a block's body, and the
//! verdict of a whole machine on blocks that it must not take.

use crate::scene::{scene, two_miners};

use ccoin_core::{
    Address, Height, StateHash, TxnsHash,
    block::{Header, MAX_BLOCK_BYTES, SealedBlock},
    genesis::Genesis,
    machine::{Ask, Fault, Input, Machine, PlaceholderText, SealMark, Start, Write},
    rules::{Blame, BlockError, ParentContext, check_against_parent},
    transaction::VerifiedTransaction,
};
use ccoin_sim::{
    NOWHERE, Network, STRANGER, at, child, header, key, miner, now, seal, transfer, verified,
};
use std::sync::Arc;

/// One row of the batch rule: ms since the parent, transactions, ms since the signer's own block, verdict.
fn due(allow_empty: bool, rows: &[(u64, usize, Option<u64>, bool)]) {
    let scene = scene(&Network {
        allow_empty,
        min_bound: 3,
        max_bound: 5,
        ..Network::default()
    });
    for (since, txns, own, expected) in rows {
        let mut header = scene.altered(|_| {}).signed.header;
        header.time = at(10_000 + since);
        let last_by_signer = own.map(|ago| at(10_000 + since - ago));
        let context = ParentContext {
            number: Height::GENESIS,
            time: at(10_000),
            last_by_signer,
        };
        let verdict = check_against_parent(&header, *txns, &context, &scene.genesis);
        assert_eq!(
            verdict.is_ok(),
            *expected,
            "{allow_empty} {since} {txns} {own:?}: {verdict:?}"
        );
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
    due(
        true,
        &[(1_000, 0, Some(1_000), true), (1_000, 0, None, true)],
    );
    due(
        false,
        &[(1_000, 0, Some(1_000), false), (1_000_000, 0, None, false)],
    );
}

#[test]
fn the_signer_is_blamed_for_the_effects_of_its_block() {
    let scene = scene(&Network {
        max_bound: 2,
        ..Network::default()
    });
    let third = transfer(&scene.genesis, key(2).public_key(), 1, miner(0), 1);
    let of = |txns: Vec<VerifiedTransaction>| {
        let header = header(&scene.genesis, &scene.root, miner(0), at(50), &txns);
        scene
            .judge(&seal(&scene.genesis, header, Some(key(0)), txns))
            .map_err(|error| (error.blame(), error))
    };
    let many: Vec<_> = scene.txns.iter().cloned().chain([third.clone()]).collect();
    assert_eq!(
        of(many),
        Err((Blame::Signer, BlockError::TooMany { got: 3, max: 2 }))
    );
    assert!(matches!(
        of(vec![]),
        Err((Blame::Signer, BlockError::NotDue { txns: 0, .. }))
    ));
    let repeated = of(vec![third.clone(), third]);
    assert!(matches!(
        repeated,
        Err((Blame::Signer, BlockError::Apply { index: 1, .. }))
    ));
}

fn follower(genesis: &Arc<Genesis>) -> Machine {
    Machine::new(Start {
        genesis: Arc::clone(genesis),
        checkpoint: None,
        miner: None,
        last_sealed: SealMark::default(),
        voter_record: None,
        block_text: PlaceholderText::Fixed(String::new()),
    })
}

/// The verdict of a whole machine on a block.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// It is in the chain now.
    Taken,
    /// The machine has not changed, and no peer is to blame.
    Silence,
    /// The machine has not changed, and the sender is to blame for this.
    Blamed(Fault),
}

fn offer(machine: &mut Machine, after_ms: u64, block: &SealedBlock) -> Verdict {
    let before = (machine.chain().head().block.id, machine.accounts().root());
    let input = Input::Block {
        peer: STRANGER,
        block: verified(block),
    };
    let step = machine.step(now(after_ms), input);
    let persisted = |write: &Write| matches!(write, Write::Block { applied, .. } if applied.block.id == block.id);
    if step.write.iter().any(persisted) {
        assert!(machine.chain().get(&block.id).is_some());
        return Verdict::Taken;
    }
    let after = (machine.chain().head().block.id, machine.accounts().root());
    assert_eq!(before, after, "what is refused has changed nothing");
    let blamed = step.ask.into_iter().find_map(|ask| match ask {
        Ask::Penalize {
            peer: STRANGER,
            fault,
        } => Some(fault),
        _ => None,
    });
    blamed.map_or(Verdict::Silence, Verdict::Blamed)
}

#[test]
fn a_block_dated_ten_years_ahead_keeps_no_later_one_out() {
    let scene = two_miners();
    let mut machine = follower(&scene.genesis);
    let ten_years = 10 * 365 * 86_400_000;
    let dated = |after: u64, coinbase: Address| {
        let header = header(
            &scene.genesis,
            &scene.root,
            coinbase,
            at(after),
            &scene.txns,
        );
        seal(&scene.genesis, header, None, scene.txns.clone())
    };
    let far = dated(ten_years, miner(0));
    assert_eq!(offer(&mut machine, 50, &far), Verdict::Silence);
    // the tolerated skew is a quarter of the slot
    assert_eq!(
        offer(&mut machine, 50, &dated(551, miner(0))),
        Verdict::Silence
    );
    assert_eq!(
        offer(&mut machine, 50, &dated(550, miner(0))),
        Verdict::Taken
    );
    let good = child(&scene.genesis, machine.chain().head(), miner(1), 2_600, &[]);
    assert_eq!(offer(&mut machine, 2_600, &good.block), Verdict::Taken);
    assert!(machine.chain().get(&far.id).is_none());
}

#[test]
fn a_rejected_block_changes_nothing() {
    let scene = two_miners();
    let mut machine = follower(&scene.genesis);
    let faults: [fn(&mut Header); 3] = [
        |h| h.hash_state = StateHash::ZERO,
        |h| h.hash_txns = TxnsHash::ZERO,
        |h| h.number = Height::new(3).unwrap(),
    ];
    for fault in faults {
        let verdict = offer(&mut machine, 50, &scene.altered(fault));
        assert!(
            matches!(verdict, Verdict::Blamed(Fault::Block(_))),
            "{verdict:?}"
        );
        assert_eq!(machine.accounts().root(), scene.root.state.root());
    }
    let good = scene.altered(|_| {});
    assert_eq!(offer(&mut machine, 50, &good), Verdict::Taken);
    assert_eq!(offer(&mut machine, 60, &good), Verdict::Silence);
    assert_eq!(BlockError::Known(good.id).blame(), Blame::Later);
}

/// A chain signed with stolen keys may differ in one block that the operator knows.
#[test]
fn only_the_trusted_block_of_a_number_is_accepted() {
    let scene = two_miners();
    let trusted = scene.altered(|_| {});
    let other = scene.altered(|h| h.time = at(51));
    let mut machine = follower(&scene.genesis);
    machine.trust(trusted.header().number, trusted.id);
    let verdict = offer(&mut machine, 60, &other);
    let expected = BlockError::Untrusted {
        number: trusted.header().number,
        got: other.id,
        expected: trusted.id,
    };
    assert_eq!(verdict, Verdict::Blamed(Fault::Block(expected)));
    assert_eq!(offer(&mut machine, 60, &trusted), Verdict::Taken);
    let good = child(&scene.genesis, machine.chain().head(), miner(1), 2_600, &[]);
    assert_eq!(offer(&mut machine, 2_600, &good.block), Verdict::Taken);
}

#[test]
fn no_peer_is_blamed_for_an_unknown_parent() {
    let scene = two_miners();
    let mut machine = follower(&scene.genesis);
    let lost = scene.altered(|h| h.hash_parent = NOWHERE);
    assert_eq!(offer(&mut machine, 50, &lost), Verdict::Silence);
    assert_eq!(BlockError::Parent(NOWHERE).blame(), Blame::Later);
}

#[test]
fn a_block_is_bounded_before_it_is_parsed() {
    let bytes = vec![0xc1; MAX_BLOCK_BYTES + 1];
    let error = ccoin_core::block::Block::decode(&bytes).unwrap_err();
    assert!(matches!(
        error,
        ccoin_core::encoding::DecodeError::Size {
            max: MAX_BLOCK_BYTES,
            ..
        }
    ));
    let error = ccoin_core::block::Block::decode(&bytes[1..]).unwrap_err();
    assert!(matches!(
        error,
        ccoin_core::encoding::DecodeError::Malformed { .. }
    ));
}

/// Until the end of its slot and the tolerated skew; the log keeps it for ever.
#[test]
fn a_block_is_timely_until_the_millisecond() {
    for (after_ms, expected) in [
        (1_999, true),
        (2_500, true),
        (2_501, false),
        (90_000, false),
    ] {
        let scene = two_miners();
        let mut machine = follower(&scene.genesis);
        let block = scene.altered(|_| {});
        let (peer, block) = (STRANGER, verified(&block));
        let step = machine.step(now(after_ms), Input::Block { peer, block });
        let stored = step.write.iter().find_map(|write| match write {
            Write::Block { timely, .. } => Some(*timely),
            _ => None,
        });
        assert_eq!(stored, Some(expected), "{after_ms}");
    }
}
