//! The wallet path: the one request that spends the node's own coins. Whoever asks
//! must hold the token, and must not be a page of somebody else's in a browser.

use crate::{
    Api,
    body::{LIMIT, json_bytes, parse_object, require_json},
    problem::Problem,
    shapes::{Time, TxnShape},
    submission::{address, amount},
};
use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, header},
};
use ccoin_core::Address;
use ccoin_crypto::PublicKey;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{borrow::Cow, net::IpAddr};

/// Longest text of a recipient: hex of the PEM of a 4096-bit key.
const MAX_RECIPIENT: usize = 4_096;

/// Who may use the wallet path.
pub struct WalletGuard {
    /// Compares a presented token with the node's, in constant time.
    pub token_matches: Box<dyn Fn(&str) -> bool + Send + Sync>,
    /// `http.allow_host`.
    pub hosts: Vec<String>,
    /// `http.allow_origin`.
    pub origins: Vec<String>,
}

impl WalletGuard {
    fn admit(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let text = |name| {
            headers
                .get(name)
                .and_then(|value: &header::HeaderValue| value.to_str().ok())
        };
        let bearer = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        if !bearer.is_some_and(|token| (self.token_matches)(token)) {
            return Err(Problem::token_required(
                "the Authorization header does not carry this node's token",
            )
            .hint("send Authorization: Bearer <content of api.token in the data directory>"));
        }
        require_json(headers)?;
        let host = text(header::HOST).unwrap_or("");
        if !self.knows_host(host) {
            return Err(Problem::forbidden_origin(
                "the Host header names a host that this node does not answer to",
            )
            .values(host, "an IP address, localhost, or one of http.allow_host"));
        }
        let Some(origin) = headers.get(header::ORIGIN) else {
            return Ok(());
        };
        let origin = origin.to_str().unwrap_or("");
        let own = origin.strip_prefix("http://") == Some(host);
        if own || (origin != "null" && self.origins.iter().any(|allowed| allowed == origin)) {
            return Ok(());
        }
        Err(
            Problem::forbidden_origin("the request comes from a page of another origin").values(
                origin,
                format!("http://{host}, or one of http.allow_origin"),
            ),
        )
    }

    fn knows_host(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        bare.parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self.hosts.iter().any(|allowed| {
                [name, host]
                    .iter()
                    .any(|it| allowed.eq_ignore_ascii_case(it))
            })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payment<'a> {
    #[serde(borrow)]
    sendto_address: Cow<'a, str>,
    #[serde(borrow)]
    amount: &'a RawValue,
    data: Option<String>,
}

/// `POST /<address>/txn/`: signs and queues a payment from the node's account.
pub(crate) async fn pay(
    State(api): State<Api>,
    request: Request,
) -> Result<Json<TxnShape>, Problem> {
    api.guard.admit(request.headers())?;
    let bytes = json_bytes(request, LIMIT).await?;
    let payment: Payment<'_> = parse_object(&bytes)?;
    let to = recipient(&payment.sendto_address)?;
    let amount = amount(payment.amount.get())?;
    let data = payment.data;
    // On its own: whoever hangs up must not stop a payment between its number and the
    // queue, where the next one would get the same number.
    let paying = tokio::spawn(async move { api.node.pay(to, amount, data).await });
    let paid = paying.await;
    let txn = paid.map_err(|_| Problem::internal("the payment did not end in order"))??;
    Ok(Json(TxnShape::new(&txn, Time::Seconds)))
}

/// An address, or a public key in any of its text forms.
fn recipient(text: &str) -> Result<Address, Problem> {
    if text.len() > MAX_RECIPIENT {
        return Err(Problem::bad_address(format!(
            "{} characters are neither an address nor a key",
            text.len()
        )));
    }
    address(text).or_else(|problem| {
        PublicKey::from_text(text)
            .map(|key| key.address())
            .map_err(|_| problem)
    })
}
