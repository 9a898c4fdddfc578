//! The accounts with a name or a key on this host, and one of them in detail. No node is asked.

use ccoin_core::Address;
use ccoin_home::{ExitCode, Failure, KeyState, key_state};
use serde_json::{Value, json};

use super::{Account, KnownAccounts};

/// All known accounts; `own` is the one of the configuration.
#[must_use]
pub fn accounts(known: &KnownAccounts, own: Option<Address>, as_json: bool) -> String {
    let mut accounts: Vec<_> = known.iter().collect();
    accounts.sort_by_key(|account| (account.name.clone(), account.address));
    if as_json {
        return accounts
            .into_iter()
            .map(document)
            .collect::<Value>()
            .to_string();
    }
    if accounts.is_empty() {
        return "no accounts here; ccoin account new NAME   makes one".to_owned();
    }
    let width = accounts
        .iter()
        .map(|account| label(account).chars().count());
    let width = width.max().unwrap_or_default();
    let lines = accounts.into_iter().map(|account| {
        let own = if own == Some(account.address) {
            "  *"
        } else {
            ""
        };
        let (name, address, key) = (label(account), account.address, key_word(account));
        format!("{name:<width$}  {address}  {key}{own}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// One account.
///
/// # Errors
/// [`Failure`] 4 if its files are not on this host.
pub fn account(account: &Account, as_json: bool) -> Result<String, Failure> {
    let Some(data_dir) = &account.data_dir else {
        let message = format!("the files of {} are not on this host", account.address);
        return Err(Failure::new(ExitCode::NotFound, message)
            .hint("ccoin account list   shows those that are")
            .hint(format!("ccoin balance {}   asks the node", account.address)));
    };
    if as_json {
        return Ok(document(account).to_string());
    }
    Ok([
        format!("name        {}", label(account)),
        format!("address     {}", account.address),
        format!("key         {}", key_word(account)),
        format!("key file    {}", data_dir.private_key().display()),
        format!("public key  {}", data_dir.public_key().display()),
    ]
    .join("\n"))
}

fn label(account: &Account) -> &str {
    account.name.as_deref().unwrap_or("-")
}

fn state(account: &Account) -> KeyState {
    let data_dir = account.data_dir.as_ref();
    data_dir.map_or(KeyState::Absent, key_state)
}

fn key_word(account: &Account) -> &'static str {
    match state(account) {
        KeyState::Absent => "no key here",
        KeyState::Open => "no passphrase",
        KeyState::Locked => "passphrase",
    }
}

fn document(account: &Account) -> Value {
    let data_dir = account.data_dir.as_ref();
    json!({
        "name": account.name,
        "address": account.address,
        "key": state(account),
        "data_dir": data_dir.map(ccoin_home::DataDir::root),
        "key_file": data_dir.map(ccoin_home::DataDir::private_key),
    })
}
