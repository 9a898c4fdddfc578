//! The wallet path: the one request that spends the node's own coins. The caller must
//! hold the token, and must not be a page of another origin in a browser.

use crate::{
    Api,
    json::{Time, TxnJson},
    problem::{BAD_ADDRESS, FORBIDDEN_ORIGIN, TOKEN_REQUIRED, refused},
    request::{BODY_LIMIT, address, amount, json_body},
    schema::Whole,
};
use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, header},
};
use ccoin_core::Address;
use ccoin_crypto::PublicKey;
use ccoin_http::{Problem, body::require_json, json::parse_object};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{borrow::Cow, net::IpAddr};
use utoipa::ToSchema;

/// Longest text of a recipient: hex of the PEM of a 4096-bit key.
const MAX_RECIPIENT: usize = 4_096;

/// The conditions of the wallet path.
pub struct WalletGuard {
    /// Compares a presented token with the node's in constant time.
    pub token_matches: Box<dyn Fn(&str) -> bool + Send + Sync>,
    /// `http.allow_host`.
    pub hosts: Vec<String>,
    /// `http.allow_origin`.
    pub origins: Vec<String>,
}

impl WalletGuard {
    pub(crate) fn admit(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let text = |name| {
            headers
                .get(name)
                .and_then(|value: &header::HeaderValue| value.to_str().ok())
        };
        self.check_token(text(header::AUTHORIZATION))?;
        require_json(headers)?;
        let host = text(header::HOST).unwrap_or("");
        if !self.knows_host(host) {
            let detail = "the Host header names a host that this node does not answer to";
            return Err(Problem::new(FORBIDDEN_ORIGIN, detail)
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
        let detail = "the request comes from a page of another origin";
        let expected = format!("http://{host}, or one of http.allow_origin");
        Err(Problem::new(FORBIDDEN_ORIGIN, detail).values(origin, expected))
    }

    /// The name of the scheme has no case (RFC 9110, 11.1).
    fn check_token(&self, authorization: Option<&str>) -> Result<(), Problem> {
        let detail = match authorization.map(|value| value.split_once(' ').unwrap_or((value, ""))) {
            None => "the Authorization header is missing",
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => {
                if (self.token_matches)(token) {
                    return Ok(());
                }
                "the token is not this node's"
            }
            Some(_) => "the scheme of the Authorization header is not Bearer",
        };
        Err(Problem::new(TOKEN_REQUIRED, detail)
            .hint("send Authorization: Bearer <content of api.token in the data directory>"))
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

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Payment<'a> {
    #[serde(borrow)]
    sendto_address: Cow<'a, str>,
    #[serde(borrow)]
    #[schema(value_type = Whole)]
    amount: &'a RawValue,
    data: Option<String>,
}

/// `POST /<address>/txn/`: signs and queues a payment from the node's account.
#[utoipa::path(post, path = "/txn",
    request_body(content = Payment<'static>, description = "The payment"),
    responses((status = 200, description = "Signed and queued", body = TxnJson)),
    security(("token" = [])))]
pub(crate) async fn pay(
    State(api): State<Api>,
    request: Request,
) -> Result<Json<TxnJson>, Problem> {
    api.guard.admit(request.headers())?;
    let bytes = json_body(request, BODY_LIMIT).await?;
    let payment: Payment<'_> = parse_object(&bytes)?;
    let to = recipient(&payment.sendto_address)?;
    let amount = amount(payment.amount.get())?;
    let data = payment.data;
    // A task of its own: a client that hangs up must not stop a payment between its number
    // and the queue, where the next one would get the same number.
    let paying = tokio::spawn(async move { api.node.pay(to, amount, data).await });
    let paid = paying.await;
    let txn = paid.map_err(|_| Problem::internal("the payment did not end in order"))?;
    let txn = txn.map_err(refused)?;
    Ok(Json(TxnJson::new(&txn, Time::Seconds)))
}

/// An address, or a public key in any of its text forms.
fn recipient(text: &str) -> Result<Address, Problem> {
    if text.len() > MAX_RECIPIENT {
        let detail = format!("{} characters are neither an address nor a key", text.len());
        return Err(Problem::new(BAD_ADDRESS, detail));
    }
    address(text).or_else(|problem| {
        PublicKey::from_text(text)
            .map(|key| key.address())
            .map_err(|_| problem)
    })
}
