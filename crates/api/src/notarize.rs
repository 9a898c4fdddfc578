//! Records documents with the node's own account, by their hashes. The node keeps no list of
//! them: a caller keeps the hashes.

use crate::{
    Api,
    problem::refused,
    request::{BODY_LIMIT, json_body},
};
use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use ccoin_core::{
    Amount, TxId,
    receipt::{DocumentPath, DocumentRoot},
};
use ccoin_crypto::Hash;
use ccoin_http::{Problem, json::parse_object};
use serde::{Deserialize, Serialize};

/// Most hashes of one request.
const MAX_HASHES: usize = 10_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Documents {
    hashes: Vec<Hash>,
}

#[derive(Serialize)]
struct Recorded {
    id: TxId,
    data: String,
    documents: Vec<Place>,
}

/// The member `document` of a receipt.
#[derive(Serialize)]
struct Place {
    sha256: Hash,
    index: u64,
    size: u64,
    path: Vec<Hash>,
}

impl From<DocumentPath> for Place {
    fn from(place: DocumentPath) -> Self {
        let DocumentPath {
            sha256,
            index,
            size,
            path,
        } = place;
        Self {
            sha256,
            index,
            size,
            path,
        }
    }
}

/// `POST /v1/notarize`: a transaction of the node's account, without coins, to itself.
pub(crate) async fn notarize(
    State(api): State<Api>,
    request: Request,
) -> Result<Response, Problem> {
    api.guard.admit(request.headers())?;
    let bytes = json_body(request, BODY_LIMIT).await?;
    let Documents { hashes } = parse_object(&bytes)?;
    let root = DocumentRoot::of(&hashes).filter(|_| hashes.len() <= MAX_HASHES);
    let Some(root) = root else {
        return Err(
            Problem::bad_field("hashes").values(hashes.len(), format!("1 to {MAX_HASHES} hashes"))
        );
    };
    let to = api.node.address();
    let data = root.to_string();
    // As for any payment: a caller that hangs up does not stop it half-way.
    let paying = tokio::spawn(async move { api.node.pay(to, Amount::ZERO, Some(data)).await });
    let paid = paying.await;
    let txn = paid.map_err(|_| Problem::internal("the payment did not end in order"))?;
    let id = *txn.map_err(refused)?.id();
    let places = tokio::task::spawn_blocking(move || DocumentPath::all(&hashes)).await;
    let places = places.map_err(|_| Problem::internal("the tree was not built"))?;
    let recorded = Recorded {
        id,
        data: root.to_string(),
        documents: places.into_iter().map(Place::from).collect(),
    };
    let mut response = (StatusCode::ACCEPTED, Json(recorded)).into_response();
    let location = HeaderValue::from_str(&format!("/v1/txns/{id}")).expect("hex is a valid header");
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}
