//! Names the schemas of values that other crates define: the derives of `utoipa` see only
//! the names of types.

use utoipa_config::Config;

/// Type in a field, and the type in `schema.rs` that describes its JSON: the file with the
/// field imports it.
const ALIASES: [(&str, &str); 14] = [
    ("AccountNonce", "Whole"),
    ("Address", "AddressText"),
    ("Amount", "Whole"),
    ("Ballot", "Whole"),
    ("BlockId", "Id"),
    ("Height", "Whole"),
    ("Phase", "Whole"),
    ("PowNonce", "Whole"),
    ("PublicKey", "Base64"),
    ("Signature", "Base64"),
    ("StateHash", "Id"),
    ("Time", "TimeText"),
    ("TxId", "Id"),
    ("TxnsHash", "Id"),
];

fn main() {
    let aliases = ALIASES.into_iter();
    aliases
        .fold(Config::new(), |config, (name, schema)| {
            config.alias_for(name, schema)
        })
        .write_to_file();
}
