//! Step 7: accounts.

use super::{super::ledger::Ledger, Case, case, with};
use ccoin_core::receipt::{AccountPath, Subject};
use ccoin_crypto::Hash;
use ccoin_sim::{account, miner};

pub(super) fn accounts(ledger: &Ledger) -> Vec<Case> {
    let file = "account.ccoin";
    let good = ledger.account(2, miner(1));
    let change = |edit: &dyn Fn(&mut AccountPath)| {
        with(&good, |receipt| {
            if let Subject::Account(path) = &mut receipt.subject {
                edit(path);
            }
        })
    };
    let zero = account(0, 0);
    vec![
        case(
            7,
            "another balance",
            file,
            change(&|path| path.account = account(0, 1_001)),
        ),
        case(
            7,
            "another nonce",
            file,
            change(&|path| path.account = account(1, 1_000)),
        ),
        case(
            7,
            "another address",
            file,
            change(&|path| path.address = miner(0)),
        ),
        case(
            7,
            "an account said to be absent",
            file,
            change(&|path| path.account = zero),
        ),
        case(
            7,
            "an account beside another in its place",
            file,
            change(&|path| {
                path.other = Some((miner(0), account(0, 1_000)));
            }),
        ),
        case(
            7,
            "an account as the other in its own place",
            file,
            change(&|path| {
                path.other = Some((path.address, path.account));
                path.account = zero;
            }),
        ),
        case(
            7,
            "a sibling fewer",
            file,
            change(&|path| path.siblings.truncate(1)),
        ),
        case(
            7,
            "a sibling more",
            file,
            change(&|path| path.siblings.push(Hash::ZERO)),
        ),
        case(
            7,
            "an account of the block after",
            file,
            with(&good, |receipt| {
                receipt.headers.remove(0);
            }),
        ),
    ]
}
