//! Changes to the users' own files that keep every comment and the layout.
//! Pure: text in, text out; doing an edit twice changes nothing more.

use std::collections::BTreeMap;

use ccoin_core::Address;
use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstObject, CstRootNode};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::Config;
use crate::jsonc::{AnyCase, Document, JsoncError, UnknownKeys, without_byte_order_mark};

/// Coins that a miner added by [`add_miner`] starts with: enough to try transactions out, and
/// visible, while an entry of 0 would be dropped.
pub const STARTING_BALANCE: u64 = 1_000;

/// The addresses that a genesis.json lists.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Listed {
    miners: Vec<AnyCase<Address>>,
    alloc: BTreeMap<AnyCase<Address>, IgnoredAny>,
}

/// Sets `client.account_address` in the text of a ccoin.json; `name` stands in messages.
///
/// # Errors
/// [`JsoncError`] if the text cannot be read.
pub fn set_account_address(
    text: &str,
    name: &str,
    address: &Address,
) -> Result<String, JsoncError> {
    let document = Document::parse(text, name, UnknownKeys::Warn, None)?;
    document.read::<Config>()?;
    let (tree, root) = editable(text, name)?;
    let client = root.object_value_or_set("client");
    set(
        &client,
        "account_address",
        CstInputValue::String(address.to_string()),
    );
    Ok(tree.to_string())
}

/// Lists `address` in `miners` and, with [`STARTING_BALANCE`] coins, in `alloc` of the text of a
/// genesis.json, unless it stands there already; `name` stands in messages.
///
/// # Errors
/// [`JsoncError`] if the text cannot be read.
pub fn add_miner(text: &str, name: &str, address: &Address) -> Result<String, JsoncError> {
    let document = Document::parse(text, name, UnknownKeys::Warn, None)?;
    let listed: Listed = document.read()?;
    let (tree, root) = editable(text, name)?;
    if !listed.miners.contains(&AnyCase(*address)) {
        let list = root.array_value_or_set("miners");
        list.ensure_multiline();
        list.append(CstInputValue::String(address.to_string()));
    }
    if !listed.alloc.contains_key(&AnyCase(*address)) {
        let balance = CstInputValue::Number(STARTING_BALANCE.to_string());
        let entry = CstInputValue::Object(vec![("balance".to_owned(), balance)]);
        root.object_value_or_set("alloc")
            .append(&address.to_string(), entry);
    }
    Ok(tree.to_string())
}

fn set(object: &CstObject, key: &str, value: CstInputValue) {
    match object.get(key) {
        Some(property) => property.set_value(value),
        None => drop(object.append(key, value)),
    }
}

/// The tree of a text that the strict reader has accepted, and its outermost object.
fn editable(text: &str, name: &str) -> Result<(CstRootNode, CstObject), JsoncError> {
    let fault = |fault: String| JsoncError {
        name: name.to_owned(),
        line: 1,
        column: 1,
        fault,
        advice: "edit the file by hand".to_owned(),
    };
    let tree = CstRootNode::parse(without_byte_order_mark(text), &ParseOptions::default())
        .map_err(|error| fault(format!("cannot be edited: {error}")))?;
    let root = tree
        .object_value()
        .ok_or_else(|| fault("holds no object to edit".to_owned()))?;
    Ok((tree, root))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GenesisDocument;

    const CONFIG: &str = include_str!("../../../ccoin.json");
    const GENESIS: &str = include_str!("../../../genesis.json");

    fn address(byte: u8) -> Address {
        Address::new([byte; 20])
    }

    /// Lines of `before` that are not in `after`, in this order.
    fn lost<'a>(before: &'a str, after: &str) -> Vec<&'a str> {
        let mut rest = after.lines();
        before
            .lines()
            .filter(|line| {
                !rest.clone().any(|other| other == *line) || {
                    rest.by_ref().find(|other| other == line);
                    false
                }
            })
            .collect()
    }

    #[test]
    fn the_address_is_set_and_the_rest_of_the_file_stays() {
        let one = set_account_address(CONFIG, "c", &address(0xab)).unwrap();
        assert_eq!(lost(CONFIG, &one), ["    \"account_address\": \"\","]);
        assert_eq!(one.lines().count(), CONFIG.lines().count());
        let config = Config::parse(&one, "c", &|_| Some("/h".to_owned())).unwrap();
        assert_eq!(config.client.account_address, Some(address(0xab)));
        assert_eq!(set_account_address(&one, "c", &address(0xab)).unwrap(), one);

        for text in [
            "{}",
            "{ // nothing\n}",
            "{\"client\": {}}",
            "{\n  \"app\": {} // x\n}",
        ] {
            let edited = set_account_address(text, "c", &address(1)).unwrap();
            let config = Config::parse(&edited, "c", &|_| Some("/h".to_owned())).unwrap();
            assert_eq!(config.client.account_address, Some(address(1)), "{edited}");
        }
        assert!(set_account_address("{\"client\": 5}", "c", &address(1)).is_err());
        assert!(set_account_address("[]", "c", &address(1)).is_err());
        assert!(set_account_address("{", "c", &address(1)).is_err());
    }

    #[test]
    fn miners_are_added_in_order_with_a_starting_balance() {
        let one = add_miner(GENESIS, "g", &address(0xab)).unwrap();
        let two = add_miner(&one, "g", &address(2)).unwrap();
        assert_eq!(add_miner(&two, "g", &address(0xab)).unwrap(), two);
        assert_eq!(add_miner(&two, "g", &address(2)).unwrap(), two);
        assert_eq!(
            lost(GENESIS, &two),
            ["  \"miners\": [],", "  \"alloc\": {},"]
        );
        let document = GenesisDocument::parse(&two, "g").unwrap();
        assert_eq!(document.config.miners, [address(0xab), address(2)]);
        assert_eq!(document.warnings, Vec::<String>::new());
        for account in document.alloc.values() {
            assert_eq!(account.balance.get(), STARTING_BALANCE);
        }
        assert_eq!(document.alloc.len(), 2);
    }

    #[test]
    fn an_address_in_upper_case_is_not_added_again() {
        let upper = "AB".repeat(20);
        let text = format!(
            "{{ \"network_id\": 1, \"miners\": [\"{upper}\"], \"alloc\": {{\"{upper}\": {{\"balance\": 7}}}} }}"
        );
        assert_eq!(add_miner(&text, "g", &address(0xab)).unwrap(), text);
        let bare = add_miner("{\"network_id\": 1}", "g", &address(1)).unwrap();
        GenesisDocument::parse(&bare, "g").unwrap();
        assert!(add_miner("{\"miners\": {}}", "g", &address(1)).is_err());
        assert!(add_miner("{\"alloc\": []}", "g", &address(1)).is_err());
    }
}
