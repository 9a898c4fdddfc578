//! Step 1: texts that are no receipt.

use super::{Case, Change, case, text};
use serde_json::json;

pub(super) fn form() -> Vec<Case> {
    let hash = "ab".repeat(32);
    let deep = format!("{{\"deep\":{}{},", "[".repeat(127), "]".repeat(127));
    let place = json!({"index": 0, "size": 3, "path": vec![hash.clone(); 65]});
    let (tree, txn, account) = ("tree.ccoin", "transaction.ccoin", "account.ccoin");
    vec![
        case(1, "not JSON", txn, text("{", "")),
        case(1, "a list", txn, text("{", "[{")),
        case(
            1,
            "another format",
            txn,
            Change::Set(json!({"ccoin_receipt": 2})),
        ),
        case(
            1,
            "no format",
            txn,
            Change::Set(json!({"ccoin_receipt": null})),
        ),
        case(1, "a member twice", txn, text("{", "{\"ccoin_receipt\":1,")),
        case(
            1,
            "a member twice, once escaped",
            txn,
            text("{", "{\"\\u0067enesis\":\"\","),
        ),
        case(
            1,
            "an unknown member twice",
            txn,
            text("{", "{\"x\":{\"a\":1,\"a\":1},"),
        ),
        case(1, "a fraction", txn, text("\"size\":3", "\"size\":3.0")),
        case(1, "an exponent", txn, text("\"size\":3", "\"size\":3e0")),
        case(
            1,
            "a number beyond 2^53 - 1",
            txn,
            text("\"size\":3", "\"size\":9007199254740992"),
        ),
        case(
            1,
            "a negative number",
            txn,
            text("\"size\":3", "\"size\":-3"),
        ),
        case(1, "a fraction nobody reads", txn, text("{", "{\"x\":0.5,")),
        case(
            1,
            "half a surrogate pair",
            txn,
            text("{", "{\"x\":\"\\ud800\","),
        ),
        case(1, "too deep", txn, text("{", &deep)),
        case(1, "more text behind", txn, text("{", "{} {")),
        case(1, "a byte order mark", txn, text("{", "\u{feff}{")),
        case(
            1,
            "no inclusion",
            txn,
            Change::Set(json!({"inclusion": null})),
        ),
        case(
            1,
            "no transaction",
            txn,
            Change::Set(json!({"transaction": null})),
        ),
        case(
            1,
            "inclusion as a list",
            txn,
            Change::Set(json!({"inclusion": [0, 3, []]})),
        ),
        case(
            1,
            "a long path",
            txn,
            Change::Set(json!({"inclusion": place})),
        ),
        case(
            1,
            "account and transaction",
            account,
            Change::Set(json!({"transaction": ""})),
        ),
        case(
            1,
            "upper case hex",
            tree,
            Change::Set(json!({"document": {
            "sha256": "AB".repeat(32), "index": 0, "size": 1, "path": []}})),
        ),
        case(
            1,
            "hex too short",
            tree,
            Change::Set(json!({"document": {
            "sha256": "ab".repeat(31), "index": 0, "size": 1, "path": []}})),
        ),
        case(
            1,
            "base64 without padding",
            txn,
            Change::Set(json!({"genesis": "AA"})),
        ),
        case(
            1,
            "base64 with loose bits",
            txn,
            Change::Set(json!({"genesis": "AB=="})),
        ),
        case(
            1,
            "base64 with a line feed",
            txn,
            Change::Set(json!({"genesis": "AAAA\n"})),
        ),
        case(1, "no headers", txn, Change::Set(json!({"headers": []}))),
        case(
            1,
            "a header that is no text",
            txn,
            Change::Set(json!({"headers": [1]})),
        ),
        case(
            1,
            "voter 256",
            txn,
            Change::Set(json!({"keys": [{"voter": 256, "key": ""}]})),
        ),
        case(
            1,
            "two keys of one voter",
            txn,
            Change::Set(json!({"keys": [
            {"voter": 0, "key": ""}, {"voter": 0, "key": ""}]})),
        ),
        case(
            1,
            "voters out of order",
            txn,
            text("\"voter\":0", "\"voter\":9"),
        ),
    ]
}
