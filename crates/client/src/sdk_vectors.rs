//! `sdk/vectors.json`: keys, ids and signatures that the Rust code, `ccoin.py` and `ccoin.ts`
//! must judge alike, and wrong ones with the reason. `CCOIN_WRITE=1` makes the file again.

use std::path::Path;
use std::process::Command;

use ccoin_core::transaction::{Payment, Transaction, VerifiedTransaction};
use ccoin_core::{AccountNonce, Address, Amount, BlockId, Timestamp, TxId};
use ccoin_crypto::{KeyError, PublicKey, SecretKey, Verifier};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::signed_txn::{SignedTxn, sign};

const PASSPHRASE: &str = "open sesame, zażółć";

fn field<T: DeserializeOwned>(case: &Value, name: &str) -> Result<T, &'static str> {
    serde_json::from_value(case[name].clone()).map_err(|_| "field")
}

/// The address of a key file, or the reason why it cannot be opened.
fn open(case: &Value) -> Result<Address, &'static str> {
    let key = SecretKey::from_pem(case["pem"].as_str().unwrap(), case["passphrase"].as_str());
    let key = key.map_err(|error| match error {
        KeyError::Locked | KeyError::WrongPassphrase => "locked",
        _ => "key",
    })?;
    Ok(key.public_key().address())
}

/// The payment of a case, and its network.
fn payment(case: &Value) -> Result<(Payment, BlockId), &'static str> {
    let payment = Payment {
        number: field::<AccountNonce>(case, "number")?,
        to: field::<Address>(case, "to")?,
        amount: field::<Amount>(case, "amount")?,
        data: field::<String>(case, "data")?.repeat(field(case, "repeat").unwrap_or(1)),
        time: field::<u64>(case, "time").and_then(|ms| Timestamp::new(ms).map_err(|_| "field"))?,
    };
    Ok((payment, field(case, "genesis_id")?))
}

/// The id of an unsigned payment.
fn id(case: &Value, key: &SecretKey) -> Result<TxId, &'static str> {
    let (payment, genesis_id) = payment(case)?;
    Ok(sign(payment, key, &genesis_id).unwrap().id(&genesis_id))
}

/// The id of a transaction with a good signature.
fn check(case: &Value) -> Result<TxId, &'static str> {
    let txn = &case["txn"];
    let genesis_id: BlockId = field(case, "genesis_id")?;
    let time = humantime::parse_rfc3339(txn["time"].as_str().unwrap()).unwrap();
    let time = time.duration_since(std::time::UNIX_EPOCH).unwrap();
    let from = PublicKey::from_text(txn["public_key"].as_str().unwrap()).map_err(|_| "key")?;
    let txn_of = Transaction {
        number: field(txn, "number")?,
        to: field(txn, "to")?,
        amount: field(txn, "amount")?,
        data: field(txn, "data")?,
        time: Timestamp::new(time.as_millis().try_into().unwrap()).unwrap(),
        signature: field(txn, "signature")?,
        from,
    };
    let own = txn_of.id(&genesis_id);
    let same = |name: &str, own: String| txn[name].as_str().is_none_or(|given| given == own);
    if !same("id", own.to_string()) || !same("from", txn_of.from.address().to_string()) {
        return Err("field");
    }
    VerifiedTransaction::verify(txn_of, &genesis_id, usize::MAX, &mut Verifier::new(1))
        .map_err(|_| "bad-signature")?;
    Ok(own)
}

fn openssl(words: &str) -> String {
    let output = Command::new("openssl").args(words.split(' ')).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

/// A document without any answers.
fn questions() -> Value {
    let key = SecretKey::generate(2048).unwrap();
    let (open, locked) = (key.to_pem(None), key.to_pem(Some(PASSPHRASE)));
    let larger = SecretKey::generate(3072).unwrap().to_pem(None);
    let file = |name: &str, pem: &str, passphrase: Option<&str>| json!({"name": name, "pem": pem, "passphrase": passphrase});
    let small = openssl("genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:1024");
    let curve = openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256");
    let key_files = [
        file("open", &open, None),
        file("open, with a passphrase", &open, Some("not needed")),
        file("locked", &locked, Some(PASSPHRASE)),
        file("3072 bits", &larger, None),
        file("no passphrase given", &locked, None),
        file("wrong passphrase", &locked, Some("simsim")),
        file("1024 bits", &small, None),
        file("elliptic curve", &curve, None),
        file("public key", &key.public_key().to_pem(), None),
        file("damaged", &open.replacen("MII", "MIJ", 1), None),
        file("no key", "hello", None),
    ];
    let to = "00112233445566778899aabbccddeeff00112233";
    let net = "83a29bf26a9f95a17320e387185891b82c75cf0b4ca8c350b1e974858def2cc2";
    let plain = json!({"genesis_id": net, "number": 1, "to": to, "amount": 5, "data": "",
        "time": 1_700_000_000_123_u64});
    let with = |name: &str, fault: &str, value: Value| {
        let mut case = plain.clone();
        case["name"] = name.into();
        case[fault] = value;
        case
    };
    let beyond = 1_u64 << 53;
    let mut payments = vec![
        with("plain", "amount", json!(5)),
        with("other network", "genesis_id", json!("0".repeat(64))),
        with("amount 0", "amount", json!(0)),
        with("greatest amount", "amount", json!(beyond - 1)),
        with("greatest number", "number", json!(beyond - 1)),
        with("time 0", "time", json!(0)),
        with("unicode", "data", json!("żółw 🐢 \u{202e}rtl \u{0}")),
        with("amount beyond", "amount", json!(beyond)),
        with("amount below 0", "amount", json!(-1)),
        with("amount with a fraction", "amount", json!(1.5)),
        with("number beyond", "number", json!(beyond)),
        with("time beyond", "time", json!(253_402_300_800_000_u64)),
        with("short address", "to", json!(&to[1..])),
        with("address in upper case", "to", json!(to.to_uppercase())),
        with("short network", "genesis_id", json!("00")),
    ];
    for length in [31, 32, 127, 128, 255, 256, 65_535, 65_536] {
        let name = format!("data of {length} bytes");
        let mut case = with(&name, "data", json!("x"));
        case["repeat"] = length.into();
        payments.push(case);
    }
    json!({"key_files": key_files, "payments": payments, "signed": signed(&plain, &key)})
}

/// Transactions as `POST /v1/txns` takes them.
fn signed(plain: &Value, key: &SecretKey) -> Vec<Value> {
    let (payment, genesis_id) = payment(plain).unwrap();
    let good = sign(payment, key, &genesis_id).unwrap();
    let good = serde_json::to_value(SignedTxn::with_id(&good, &genesis_id)).unwrap();
    let case = |name: &str, genesis_id: &str, txn: Value| json!({"name": name, "genesis_id": genesis_id, "txn": txn});
    let net = genesis_id.to_string();
    let changed = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut txn = good.clone();
        change(&mut txn);
        case(name, &net, txn)
    };
    let without_id = |txn: &mut Value| txn.as_object_mut().unwrap().remove("id").map(drop);
    vec![
        case("good", &net, good.clone()),
        changed("without id", &|txn| without_id(txn).unwrap()),
        changed("another id", &|txn| txn["id"] = "0".repeat(64).into()),
        changed("another sender", &|txn| txn["from"] = "0".repeat(40).into()),
        changed("another amount and the old id", &|txn| {
            txn["amount"] = 6.into();
        }),
        changed("another amount", &|txn| {
            without_id(txn).unwrap();
            txn["amount"] = 6.into();
        }),
        changed("another time", &|txn| {
            without_id(txn).unwrap();
            txn["time"] = "2023-11-14T22:13:20.124Z".into();
        }),
        {
            let mut txn = good.clone();
            without_id(&mut txn).unwrap();
            case("another network", &"0".repeat(64), txn)
        },
    ]
}

/// Fills in what the Rust code says.
fn answer(document: &mut Value) {
    let pem = document["key_files"][0]["pem"].as_str().unwrap().to_owned();
    let key = SecretKey::from_pem(&pem, None).unwrap();
    fill(document, "key_files", "address", |case| {
        open(case).map(|address| json!(address))
    });
    fill(document, "payments", "id", |case| {
        id(case, &key).map(|id| json!(id))
    });
    fill(document, "signed", "id", |case| {
        check(case).map(|id| json!(id))
    });
}

fn fill(
    document: &mut Value,
    list: &str,
    name: &str,
    judge: impl Fn(&Value) -> Result<Value, &'static str>,
) {
    for case in document[list].as_array_mut().unwrap() {
        let judged = judge(case);
        case[name] = judged.as_ref().map_or(Value::Null, Value::clone);
        case["reason"] = judged.err().map_or(Value::Null, Value::from);
    }
}

#[test]
fn the_vectors_of_the_client_libraries_hold_here() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk/vectors.json");
    if std::env::var_os("CCOIN_WRITE").is_some() {
        let mut document = questions();
        answer(&mut document);
        std::fs::write(&path, format!("{document:#}\n")).unwrap();
    }
    let written: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut now = written.clone();
    answer(&mut now);
    assert_eq!(now, written);
    for (list, least) in [("key_files", 11), ("payments", 23), ("signed", 8)] {
        let cases = written[list].as_array().unwrap();
        let wrong = cases.iter().filter(|case| !case["reason"].is_null());
        assert!(cases.len() >= least && wrong.count() >= 3, "{list}");
    }
}
