//! Records documents with the node's own account, by their hashes. The node keeps no list of
//! them: a caller keeps the hashes.

use crate::{
    Api,
    problem::refused,
    request::{BODY_LIMIT, json_body},
    schema::{Id, Whole},
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
use utoipa::ToSchema;

/// Most hashes of one request.
const MAX_HASHES: usize = 10_000;

/// SHA-256 of documents, up to 10,000.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Documents {
    #[schema(value_type = Vec<Id>, min_items = 1, max_items = 10_000)]
    hashes: Vec<Hash>,
}

/// The transaction that records them.
#[derive(Serialize, ToSchema)]
struct Recorded {
    #[schema(value_type = Id)]
    id: TxId,
    data: String,
    documents: Vec<Place>,
}

/// The member `document` of a receipt.
#[derive(Serialize, ToSchema)]
struct Place {
    #[schema(value_type = Id)]
    sha256: Hash,
    #[schema(value_type = Whole)]
    index: u64,
    #[schema(value_type = Whole)]
    size: u64,
    #[schema(value_type = Vec<Id>)]
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

/// Records documents in a transaction of the node's account, without coins, to itself.
#[utoipa::path(post, path = "/notarize", security(("token" = [])),
    request_body(content = Documents, description = "The documents"),
    responses((status = 202, description = "Queued", body = Recorded)))]
pub(super) async fn notarize(
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
