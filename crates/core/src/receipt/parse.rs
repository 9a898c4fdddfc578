//! Step 1: the text of a receipt, read within its bounds, and written.

use super::{
    CertificateVotes, FORMAT, Inclusion, MAX_HEADERS, MAX_RECEIPT_BYTES, Receipt, Refused, Subject,
    TxnPath,
    account::{AccountPath, MAX_SIBLINGS},
    document::{DocumentPath, MAX_PATH},
    json::{Json, Members, binary},
};
use crate::{
    AccountNonce, Amount, BlockId, Height,
    consensus::{ballot::Ballot, vote::VoterIndex},
    ledger::Account,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ccoin_crypto::{Address, Hash};
use serde_json::{Value, json};

/// Most miners of a network.
const MAX_MINERS: usize = 100;

impl Receipt {
    /// Step 1: reads the text of a receipt.
    ///
    /// # Errors
    /// [`Refused`] with step 1.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refused> {
        let refused = Refused::at(1);
        if bytes.len() > MAX_RECEIPT_BYTES {
            let got = format!("{} bytes", bytes.len());
            let expected = format!("at most {MAX_RECEIPT_BYTES} bytes");
            return Err(refused(&got, &expected));
        }
        let read = |json: Json| read(json.object("the whole text")?);
        Json::parse(bytes)
            .and_then(read)
            .map_err(|fault| refused(&fault, &"a receipt of format 1"))
    }

    /// The receipt as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let certificate = &self.certificate;
        let votes = certificate.votes.iter();
        let votes = votes.map(|(voter, s)| json!({"voter": voter, "signature": base64(s)}));
        let keys = self.keys.iter();
        let keys = keys.map(|(voter, key)| json!({"voter": voter, "key": base64(key)}));
        let headers = self.headers.iter().map(|header| base64(header));
        let mut receipt = json!({
            "ccoin_receipt": FORMAT,
            "genesis": base64(&self.genesis),
            "headers": headers.collect::<Vec<_>>(),
            "certificate": {
                "ballot": certificate.ballot,
                "number": certificate.number,
                "id": certificate.id,
                "votes": votes.collect::<Vec<_>>(),
            },
            "keys": keys.collect::<Vec<_>>(),
        });
        let mut add = |name: &str, value: Value| {
            if let Some(members) = receipt.as_object_mut() {
                members.insert(name.to_owned(), value);
            }
        };
        match &self.subject {
            Subject::Transaction(TxnPath {
                transaction,
                inclusion,
                document,
            }) => {
                let Inclusion { index, size, path } = inclusion;
                add("transaction", base64(transaction).into());
                let place = json!({"index": index, "size": size, "path": path});
                add("inclusion", place);
                if let Some(DocumentPath {
                    sha256,
                    index,
                    size,
                    path,
                }) = document
                {
                    let place =
                        json!({"sha256": sha256, "index": index, "size": size, "path": path});
                    add("document", place);
                }
            }
            Subject::Account(path) => add("account", account_json(path)),
        }
        receipt
    }
}

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn account_json(path: &AccountPath) -> Value {
    let numbers = |(address, account): (Address, Account)| json!({"address": address, "nonce": account.nonce, "balance": account.balance});
    let mut account = numbers((path.address, path.account));
    if let Some(members) = account.as_object_mut() {
        members.insert("siblings".to_owned(), json!(path.siblings));
        members.insert("other".to_owned(), json!(path.other.map(numbers)));
    }
    account
}

fn read(receipt: Members<'_>) -> Result<Receipt, String> {
    let format = receipt.number("ccoin_receipt")?;
    if format != FORMAT {
        return Err(format!("format {format}"));
    }
    let headers = receipt.list("headers", MAX_HEADERS, |item| binary(item, "a header"))?;
    if headers.is_empty() {
        return Err("headers is empty".to_owned());
    }
    Ok(Receipt {
        genesis: receipt.binary("genesis")?,
        subject: subject(receipt)?,
        headers,
        certificate: certificate(receipt.object("certificate")?)?,
        keys: by_voter(receipt, "keys", "key")?,
    })
}

fn subject(receipt: Members<'_>) -> Result<Subject, String> {
    let has = |name| receipt.get(name).is_some();
    if has("account") {
        let both = ["transaction", "inclusion", "document"];
        if let Some(other) = both.into_iter().find(|name| has(name)) {
            return Err(format!("account and {other} in one receipt"));
        }
        return account(receipt.object("account")?).map(Subject::Account);
    }
    let (index, size, path) = place(receipt.object("inclusion")?)?;
    let document = match receipt.get("document") {
        None => None,
        Some(document) => Some(document_path(document.object("document")?)?),
    };
    Ok(Subject::Transaction(TxnPath {
        transaction: receipt.binary("transaction")?,
        inclusion: Inclusion { index, size, path },
        document,
    }))
}

fn place(members: Members<'_>) -> Result<(u64, u64, Vec<Hash>), String> {
    let (index, size) = (members.number("index")?, members.number("size")?);
    Ok((index, size, members.hashes("path", MAX_PATH)?))
}

fn document_path(members: Members<'_>) -> Result<DocumentPath, String> {
    let (index, size, path) = place(members)?;
    Ok(DocumentPath {
        sha256: Hash::new(members.bytes("sha256")?),
        index,
        size,
        path,
    })
}

fn account(members: Members<'_>) -> Result<AccountPath, String> {
    let (address, account) = numbers(members)?;
    let other = match members.get("other") {
        None => None,
        Some(other) => Some(numbers(other.object("other")?)?),
    };
    Ok(AccountPath {
        address,
        account,
        siblings: members.hashes("siblings", MAX_SIBLINGS)?,
        other,
    })
}

fn numbers(members: Members<'_>) -> Result<(Address, Account), String> {
    let nonce = AccountNonce::new(members.number("nonce")?).map_err(|error| error.to_string())?;
    let balance = Amount::new(members.number("balance")?).map_err(|error| error.to_string())?;
    let address = Address::new(members.bytes("address")?);
    Ok((address, Account { nonce, balance }))
}

fn certificate(members: Members<'_>) -> Result<CertificateVotes, String> {
    Ok(CertificateVotes {
        ballot: Ballot(members.number("ballot")?),
        number: Height::new(members.number("number")?).map_err(|error| error.to_string())?,
        id: BlockId::new(members.bytes("id")?),
        votes: by_voter(members, "votes", "signature")?,
    })
}

/// A list of bytes, one for each of some voters, in ascending order.
fn by_voter(
    members: Members<'_>,
    name: &str,
    value: &str,
) -> Result<Vec<(VoterIndex, Vec<u8>)>, String> {
    let rows = members.list(name, MAX_MINERS, |row| {
        let row = row.object(name)?;
        let voter = row.number("voter")?;
        let index = VoterIndex::try_from(voter).map_err(|_| format!("voter {voter}"))?;
        Ok((index, row.binary(value)?))
    })?;
    if rows.is_sorted_by(|(a, _), (b, _)| a < b) {
        return Ok(rows);
    }
    Err(format!(
        "{name} are not of different voters in ascending order"
    ))
}
