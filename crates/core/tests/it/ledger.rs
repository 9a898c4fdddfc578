//! Effects of transactions and rewards on accounts, against a naive model and the
//! five-line definition of the root (rules L1 to L3 of the reliability plan).

use crate::cases::cases;
use ccoin_core::{
    Address, Hash, Height,
    applied::Applied,
    block::Header,
    execution::{execute, pay_reward},
    genesis::Genesis,
    ledger::{Account, ApplyError, Draft, State},
    rules::BlockError,
    transaction::VerifiedTransaction,
};
use ccoin_crypto::sha256;
use ccoin_sim::{Network, at, coins, header, key, miner, open_network, seal, total, transfer};
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::Arc};

const MAX: u64 = (1 << 53) - 1;

/// The reference: addresses with (nonce, balance), and arithmetic that cannot overflow.
type Model = BTreeMap<Address, (u128, u128)>;

/// Whether `from` may send; if so, it has.
fn model_apply(model: &mut Model, from: Address, to: Address, number: u64, amount: u64) -> bool {
    let (nonce, balance) = model.get(&from).copied().unwrap_or_default();
    if u128::from(number) != nonce + 1 || u128::from(amount) > balance {
        return false;
    }
    model.insert(from, (nonce + 1, balance - u128::from(amount)));
    model.entry(to).or_default().1 += u128::from(amount);
    model.retain(|_, account| *account != (0, 0));
    true
}

/// The root as the specification defines it, without any cleverness.
fn naive_root(accounts: &[(Hash, Address, u64, u64)], depth: usize) -> Hash {
    match accounts {
        [] => Hash::ZERO,
        [(path, address, nonce, balance)] => sha256(&[
            &[0],
            path.as_bytes(),
            address.as_bytes(),
            &nonce.to_be_bytes(),
            &balance.to_be_bytes(),
        ]),
        many => {
            let bit = |path: &Hash| path.as_bytes()[depth / 8] >> (7 - depth % 8) & 1 == 1;
            let (right, left): (Vec<_>, Vec<_>) =
                many.iter().copied().partition(|account| bit(&account.0));
            sha256(&[
                &[1],
                naive_root(&left, depth + 1).as_bytes(),
                naive_root(&right, depth + 1).as_bytes(),
            ])
        }
    }
}

fn model_root(model: &Model) -> Hash {
    let line = |(address, (nonce, balance)): (&Address, &(u128, u128))| {
        (
            sha256(&[address.as_bytes()]),
            *address,
            *nonce as u64,
            *balance as u64,
        )
    };
    naive_root(&model.iter().map(line).collect::<Vec<_>>(), 0)
}

/// One random transaction: sender, recipient, how far its number is off, amount.
type Move = (usize, usize, u64, u64);

/// One random block: which earlier block it continues, its miner, its transactions.
type Step = (prop::sample::Index, usize, Vec<Move>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let amount = prop_oneof![3 => 0u64..300, 1 => 900u64..1_100, 1 => Just(0), 1 => Just(MAX)];
    let number = prop_oneof![8 => Just(1u64), 1 => 0u64..4, 1 => Just(MAX)];
    let moves = prop::collection::vec((0usize..4, 0usize..7, number, amount), 0..8);
    prop::collection::vec((any::<prop::sample::Index>(), 0usize..3, moves), 1..10)
}

proptest! {
    #![proptest_config(cases(192))]

    /// L1: same verdict on every transaction, same state, same root, no coin made or lost.
    #[test]
    fn ledger_is_the_reference_model(steps in steps()) {
        let genesis = open_network();
        let start: Model = (0..4).map(|index| (miner(index), (index as u128, 1_000))).collect();
        let mut tree = vec![(Arc::new(genesis.applied()), start)];
        for (parent, coinbase, moves) in steps {
            let (parent, mut model) = parent.get(&tree).clone();
            let before = (parent.state.root(), total(&parent.state));
            let mut good = Vec::new();
            for (from, to, ahead, amount) in moves {
                let to = if to < 4 { miner(to) } else { Address::new([to as u8; 20]) };
                let nonce = model.get(&miner(from)).map_or(0, |account| account.0 as u64);
                let number = nonce.saturating_add(ahead).min(MAX);
                let txn = transfer(&genesis, key(from).public_key(), number, to, amount);
                if model_apply(&mut model, miner(from), to, number, amount) {
                    good.push(txn);
                } else {
                    let bad: Vec<_> = good.iter().cloned().chain([txn]).collect();
                    let refused = run(&genesis, &parent, miner(coinbase), &bad);
                    let Err(BlockError::Apply { index, .. }) = refused else {
                        return Err(TestCaseError::fail(format!("not refused for the last: {refused:?}")));
                    };
                    prop_assert_eq!(index, good.len());
                }
            }
            // Two blocks a slot: those with an even number are the first of theirs.
            let number = parent.block.header().number.get() + 1;
            let reward = if number % 2 == 0 { 10 } else { 0 };
            let paid = model.entry(miner(coinbase)).or_default();
            paid.1 += reward;
            let applied = run(&genesis, &parent, miner(coinbase), &good).expect("the model allows it");
            prop_assert_eq!(Hash::from(applied.state.root()), model_root(&model));
            prop_assert_eq!(applied.state.len(), model.len());
            for (address, (nonce, balance)) in &model {
                let account = applied.state.account(address);
                prop_assert_eq!((u128::from(account.nonce.get()), u128::from(account.balance.get())), (*nonce, *balance));
            }
            prop_assert_eq!(u128::from(applied.block.header().reward.get()), reward);
            prop_assert_eq!(total(&applied.state), 4_000 + 10 * (number / 2));
            prop_assert_eq!(before, (parent.state.root(), total(&parent.state)));
            for (address, account) in &applied.changes {
                prop_assert_eq!(applied.state.account(address), *account);
            }
            tree.push((Arc::new(applied), model));
        }
    }
}

fn run(
    genesis: &Genesis,
    parent: &Applied,
    coinbase: Address,
    txns: &[VerifiedTransaction],
) -> Result<Applied, BlockError> {
    let number = parent.block.header().number.get() + 1;
    let header = header(genesis, parent, coinbase, at(1_000 * number), txns);
    execute(
        seal(genesis, header, None, txns.to_vec()),
        &parent.state,
        genesis,
    )
}

fn account(nonce: u64, balance: u64) -> Account {
    Account {
        nonce: ccoin_core::AccountNonce::new(nonce).unwrap(),
        balance: coins(balance),
    }
}

#[test]
fn sending_to_oneself_changes_only_the_number() {
    let genesis = open_network();
    let mut draft = Draft::new(&genesis.state);
    draft
        .apply(&transfer(&genesis, key(0).public_key(), 1, miner(0), 1_000))
        .unwrap();
    assert_eq!(draft.account(&miner(0)), account(1, 1_000));
    let beyond = transfer(&genesis, key(0).public_key(), 2, miner(0), 1_001);
    assert!(matches!(
        draft.apply(&beyond),
        Err(ApplyError::Funds { .. })
    ));
    assert_eq!(draft.account(&miner(0)), account(1, 1_000));
}

/// Zero coins to an unused address: EIP-161 knows no empty account, and neither does history.
#[test]
fn a_record_for_nobody_makes_no_account() {
    let genesis = open_network();
    let nobody = Address::new([9; 20]);
    let mut draft = Draft::new(&genesis.state);
    draft
        .apply(&transfer(&genesis, key(0).public_key(), 1, nobody, 0))
        .unwrap();
    let (state, changes) = draft.finish();
    assert_eq!(state.len(), genesis.state.len());
    assert_eq!(changes, [(miner(0), account(1, 1_000))]);
}

#[test]
fn an_account_that_has_sent_all_its_coins_stays_for_its_number() {
    let genesis = open_network();
    let mut draft = Draft::new(&genesis.state);
    draft
        .apply(&transfer(&genesis, key(0).public_key(), 1, miner(1), 1_000))
        .unwrap();
    let state = draft.finish().0;
    assert_eq!((state.len(), state.account(&miner(0))), (4, account(1, 0)));
}

#[test]
fn a_balance_stops_at_the_largest_exact_integer() {
    let genesis = open_network();
    let rich = Address::new([1; 20]);
    let state = State::from_accounts([(rich, account(0, MAX - 4)), (miner(0), account(0, 1_000))]);
    let mut draft = Draft::new(&state);
    let five = transfer(&genesis, key(0).public_key(), 1, rich, 5);
    let refused = ApplyError::Overflow {
        receiver: rich,
        balance: coins(MAX - 4),
        amount: coins(5),
    };
    assert_eq!(draft.apply(&five), Err(refused));
    assert_eq!(draft.account(&miner(0)), account(0, 1_000));
    draft
        .apply(&transfer(&genesis, key(0).public_key(), 1, rich, 4))
        .unwrap();
    assert_eq!(draft.account(&rich), account(0, MAX));
    assert!(draft.credit(rich, coins(1)).is_err());
    assert_eq!(draft.account(&rich), account(0, MAX));
}

/// The last reward that fits is paid, the next one is not, to any miner.
#[test]
fn rewards_end_when_all_coins_exist() {
    let alloc = vec![(miner(0), 0, MAX - 25)];
    let genesis = Network {
        alloc,
        ..Network::default()
    }
    .found();
    let poor = Address::new([3; 20]);
    let pay = |number| {
        let first = header(&genesis, &genesis.applied(), poor, at(50), &[]);
        let number = Height::new(number).unwrap();
        pay_reward(
            Draft::new(&genesis.state),
            &Header { number, ..first },
            &genesis,
        )
    };
    assert_eq!(pay(3).unwrap().0.account(&poor), account(0, 10));
    assert_eq!(pay(4).unwrap_err(), BlockError::Supply);
    assert_eq!(genesis.most_supply_at(Height::MAX), None);
}

#[test]
fn only_the_next_number_is_accepted() {
    let genesis = open_network();
    let start = account(7, 100);
    let state = State::from_accounts([(miner(0), start)]);
    let sent = |number| transfer(&genesis, key(0).public_key(), number, miner(1), 1);
    for number in [0, 1, 6, 7, 9, 10, MAX] {
        let mut draft = Draft::new(&state);
        assert!(
            matches!(
                draft.apply(&sent(number)),
                Err(ApplyError::Number { expected: 8, .. })
            ),
            "{number}"
        );
        assert_eq!(draft.finish().0.root(), state.root());
    }
    let mut draft = Draft::new(&state);
    draft.apply(&sent(8)).unwrap();
    let replay = draft.apply(&sent(8));
    assert!(matches!(
        replay,
        Err(ApplyError::Number { expected: 9, .. })
    ));
    let worn = State::from_accounts([(miner(0), account(MAX, 100))]);
    assert!(Draft::new(&worn).apply(&sent(MAX)).is_err());
}
