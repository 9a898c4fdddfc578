//! Bodies and values that come in: JSON, signed transactions, addresses and amounts, read
//! strictly. The node decides whether a transaction is valid.

use crate::{
    problem::{AMOUNT_RANGE, BAD_ADDRESS},
    schema::{AddressText, Base64, Id, Rfc3339, Whole},
};
use axum::extract::Request;
use ccoin_core::{
    AccountNonce, Address, Amount, BlockId, Timestamp, TxId, transaction::Transaction,
};
use ccoin_crypto::{PublicKey, Signature};
use ccoin_http::{Problem, body, body::WholeBody};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt, time::UNIX_EPOCH};
use utoipa::ToSchema;

/// Bytes of a body, but for arrays of transactions.
pub(crate) const BODY_LIMIT: usize = 1 << 20;

/// Bytes of an array of transactions.
pub(crate) const TXNS_LIMIT: usize = 4 << 20;

/// The whole body, which must claim to be JSON.
pub(crate) async fn json_body(request: Request, limit: usize) -> Result<WholeBody, Problem> {
    body::require_json(request.headers())?;
    body::read(request, limit).await
}

/// A signed transaction as it comes in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignedTxn<'a> {
    number: u64,
    /// SPKI DER in base64 or hex, or PEM.
    #[serde(borrow)]
    public_key: Cow<'a, str>,
    #[serde(borrow)]
    #[schema(value_type = AddressText)]
    to: Cow<'a, str>,
    #[serde(borrow)]
    #[schema(value_type = Whole)]
    amount: &'a RawValue,
    data: String,
    #[serde(borrow)]
    #[schema(value_type = Rfc3339)]
    time: Cow<'a, str>,
    signature: Signature,
    id: Option<TxId>,
    from: Option<Address>,
}

impl SignedTxn<'_> {
    /// The transaction, with `id` and `from` compared where they are given.
    pub(crate) fn into_transaction(self, genesis: &BlockId) -> Result<Transaction, Problem> {
        let number = AccountNonce::new(self.number)
            .map_err(|error| Problem::bad_field(format!("number: {error}")))?;
        let from: PublicKey = PublicKey::from_text(&self.public_key)
            .map_err(|error| Problem::bad_field(format!("public_key: {error}")))?;
        let to = address(&self.to)?;
        let time = from_rfc3339(&self.time).ok_or_else(|| {
            Problem::bad_field("time is not RFC 3339 with at most milliseconds")
                .values(&self.time, "2018-04-07T11:46:59.336Z")
        })?;
        let amount = amount(self.amount.get())?;
        let txn = Transaction {
            number,
            from,
            to,
            amount,
            data: self.data,
            time,
            signature: self.signature,
        };
        if let Some(given) = self.from.filter(|given| *given != txn.from.address()) {
            return Err(Problem::bad_field("from is not the address of public_key")
                .values(given, txn.from.address()));
        }
        if let Some(given) = self.id {
            let id = txn.id(genesis);
            if given != id {
                return Err(Problem::bad_field(
                    "id does not follow from the fields: for this network it differs",
                )
                .values(given, id));
            }
        }
        Ok(txn)
    }
}

/// Most transactions of one request.
pub(crate) const MAX_ROWS: usize = 1_000;

/// The rows of an array: all are counted, no more than [`MAX_ROWS`] are kept.
pub(crate) struct Rows<'a> {
    pub(crate) first: Vec<&'a RawValue>,
    pub(crate) count: usize,
}

impl<'de> Deserialize<'de> for Rows<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Counting;
        impl<'de> Visitor<'de> for Counting {
            type Value = Rows<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Rows<'de>, A::Error> {
                let mut first = Vec::new();
                while first.len() < MAX_ROWS {
                    let Some(row) = rows.next_element()? else {
                        break;
                    };
                    first.push(row);
                }
                let mut count = first.len();
                while rows.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Rows { first, count })
            }
        }
        deserializer.deserialize_seq(Counting)
    }
}

/// 40 lower-case hex digits.
pub(crate) fn address(text: &str) -> Result<Address, Problem> {
    text.parse().map_err(|error| {
        Problem::new(BAD_ADDRESS, format!("not an address: {error}")).values(
            text.chars().take(80).collect::<String>(),
            "40 lower-case hex digits",
        )
    })
}

/// A JSON integer from 0 to 2^53 - 1, judged by its text.
pub(crate) fn amount(text: &str) -> Result<Amount, Problem> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let amount = text
        .parse()
        .ok()
        .filter(|_| digits)
        .and_then(|number| Amount::new(number).ok());
    amount.ok_or_else(|| {
        let got: String = text.chars().take(40).collect();
        let number = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        let detail = "amount must be a whole number of coins, without quotes, fraction or exponent";
        let problem = if number {
            Problem::new(AMOUNT_RANGE, detail)
        } else {
            Problem::bad_field(detail)
        };
        problem.values(got, format!("0 to {}", ccoin_core::MAX_INTEGER))
    })
}

fn from_rfc3339(text: &str) -> Option<Timestamp> {
    let since = humantime::parse_rfc3339(text)
        .ok()?
        .duration_since(UNIX_EPOCH)
        .ok()?;
    let exact = since.subsec_nanos() % 1_000_000 == 0;
    let millis = u64::try_from(since.as_millis()).ok().filter(|_| exact)?;
    Timestamp::new(millis).ok()
}
