//! What an account has lived through, newest first. Both lists follow from the blocks that
//! changed the account.

use super::{Params, limit};
use crate::schema::{AddressText, U64, Whole};
use crate::{
    Api,
    json::{List, Time, TxnStatusJson},
    no_such_block,
    problem::unreadable,
    request::address,
    rows::{self, PAGE_BYTES},
};
use axum::{
    Json,
    extract::{Path, State},
    response::Response,
};
use ccoin_core::{
    AccountNonce, Address, Amount, Height, block::SealedBlock, transaction::VerifiedTransaction,
};
use ccoin_http::{Problem, stream_json};
use ccoin_node::TxStatus;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Blocks that one page of transactions reads: most blocks of a miner hold none of its own.
const PAGE_BLOCKS: usize = 100;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// 20 if absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next` of the page before.
    #[param(pattern = "^[0-9]{1,15}-[0-9]{1,9}$")]
    before: Option<String>,
}

/// A transaction's place in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place(Height, usize);

impl Place {
    /// `<block number>-<index>`.
    fn parse(text: &str) -> Option<Self> {
        let (number, index) = text.split_once('-')?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let number = Some(number).filter(|number| digits(number))?;
        let index = Some(index).filter(|index| digits(index))?;
        let height = Height::new(number.parse().ok()?).ok()?;
        Some(Self(height, index.parse().ok()?))
    }
}

/// `GET /v1/accounts/{address}/txns`: included transactions from and to an account.
#[utoipa::path(get, path = "/accounts/{address}/txns",
    params(("address" = AddressText, Path, description = "The account"), Page),
    responses((status = 200, description = "Included transactions, newest first", body = List<TxnStatusJson>)))]
pub(super) async fn txns(
    State(api): State<Api>,
    Path(text): Path<String>,
    Params(page): Params<Page>,
) -> Result<Response, Problem> {
    let address = address(&text)?;
    let limit = limit(page.limit, 100)?;
    let before = page.before.as_deref().map(|text| {
        Place::parse(text).ok_or_else(|| {
            let got: String = text.chars().take(40).collect();
            Problem::bad_field("before").values(got, "next of another page")
        })
    });
    let before = before.transpose()?;
    let last_final = api.node.view().last_final();
    let below = before.map_or(Height::MAX, |Place(number, _)| {
        number.next().unwrap_or(Height::MAX)
    });
    let reader = api.node.reader();
    let blocks = reader.history(address, below, PAGE_BLOCKS).await;
    let blocks = blocks.map_err(unreadable)?;
    let is_last_page = blocks.len() < PAGE_BLOCKS;
    let mut found = Found::default();
    let mut more = !is_last_page;
    for (height, _) in blocks {
        let room = limit - found.rows.len() + 1;
        let look = move |block: &SealedBlock| txns_of(block, address, before, room);
        let rows = reader.look_at(height, look).await.map_err(unreadable)?;
        let rows = rows.ok_or_else(|| no_such_block(height))?;
        if rows.into_iter().any(|row| !found.takes(row, limit)) {
            more = true;
            break;
        }
        found.last = Some(Place(height, 0));
    }
    let next = found.last.filter(|_| more);
    let next = next.map(|Place(height, index)| format!("{height}-{index}"));
    stream_json(move |mut json| async move {
        json.raw("{\"items\":[").await?;
        for (index, (txn, status)) in found.rows.iter().enumerate() {
            json.raw(if index == 0 { "" } else { "," }).await?;
            let (reader, row) = (api.node.reader(), (txn, status));
            rows::txn_status(&mut json, reader, row, last_final, Time::Rfc3339).await?;
        }
        json.raw("],\"next\":").await?;
        json.value(next).await?;
        json.raw("}").await?;
        json.end().await
    })
    .await
}

/// An included transaction.
type Row = (VerifiedTransaction, TxStatus);

/// What goes on a page.
#[derive(Default)]
struct Found {
    rows: Vec<Row>,
    bytes: usize,
    /// Where the next page begins.
    last: Option<Place>,
}

impl Found {
    /// Takes a row, unless the page is full.
    fn takes(&mut self, row: Row, limit: usize) -> bool {
        let TxStatus::Included { height, index, .. } = row.1 else {
            return true;
        };
        if self.rows.len() == limit || self.bytes >= PAGE_BYTES {
            return false;
        }
        self.bytes += row.0.size();
        self.last = Some(Place(height, index));
        self.rows.push(row);
        true
    }
}

/// The newest `limit` transactions of a block from and to an account, before a place.
fn txns_of(block: &SealedBlock, address: Address, before: Option<Place>, limit: usize) -> Vec<Row> {
    let height = block.header().number;
    let txns = block.transactions.iter().enumerate().rev();
    let wanted = txns.filter(|(index, txn)| {
        let is_seen = before.is_some_and(|before| Place(height, *index) >= before);
        !is_seen && (txn.sender() == address || txn.to == address)
    });
    let row = |(index, txn): (usize, &VerifiedTransaction)| {
        let status = TxStatus::Included {
            height,
            block: block.id,
            index,
        };
        (txn.clone(), status)
    };
    wanted.take(limit).map(row).collect()
}

#[derive(Serialize, ToSchema)]
pub(super) struct AccountAfter {
    block_number: Height,
    nonce: AccountNonce,
    balance: Amount,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangesPage {
    /// 20 if absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// Only blocks below this number.
    #[param(value_type = Option<U64>)]
    before: Option<u64>,
}

/// `GET /v1/accounts/{address}/history`: an account after each block that changed it.
#[utoipa::path(get, path = "/accounts/{address}/history",
    params(("address" = AddressText, Path, description = "The account"), ChangesPage),
    responses((status = 200, description = "The account after each block that changed it, newest first", body = List<AccountAfter>)))]
pub(super) async fn changes(
    State(api): State<Api>,
    Path(text): Path<String>,
    Params(page): Params<ChangesPage>,
) -> Result<Json<List<AccountAfter>>, Problem> {
    let address: Address = address(&text)?;
    let limit = limit(page.limit, 100)?;
    let below = page.before.and_then(|before| Height::new(before).ok());
    let below = below.unwrap_or(Height::MAX);
    let reader = api.node.reader();
    // One more than is shown tells whether there are more.
    let found = reader.history(address, below, limit + 1).await;
    let mut found = found.map_err(unreadable)?;
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more);
    Ok(Json(List {
        next: last.map(|(height, _)| height.to_string()),
        items: found
            .into_iter()
            .map(|(block_number, account)| AccountAfter {
                block_number,
                nonce: account.nonce,
                balance: account.balance,
            })
            .collect(),
    }))
}
