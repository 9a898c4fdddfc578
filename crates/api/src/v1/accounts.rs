//! One account, now or as of a block.

use super::{Params, block_number};
use crate::schema::{AddressText, Whole};
use crate::{Api, no_such_block, problem::unreadable, request::address};
use axum::{
    Json,
    extract::{Path, State},
};
use ccoin_core::{AccountNonce, Address, Amount, Height};
use ccoin_http::Problem;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct AtBlock {
    /// As of this block; now if absent.
    #[param(pattern = "^[0-9]{1,15}$")]
    block: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Account {
    address: Address,
    nonce: AccountNonce,
    balance: Amount,
    next_number: u64,
    pending: usize,
    block_number: Height,
}

/// `GET /v1/accounts/{address}?block=n`; an unknown address has zeros. As of a past
/// block no transaction is pending.
#[utoipa::path(get, path = "/accounts/{address}",
    params(("address" = AddressText, Path, description = "The account"), AtBlock),
    responses((status = 200, description = "The account; zeros if it does not exist", body = Account)))]
pub(super) async fn one(
    State(api): State<Api>,
    Path(text): Path<String>,
    Params(at): Params<AtBlock>,
) -> Result<Json<Account>, Problem> {
    let address = address(&text)?;
    let Some(block) = at.block else {
        let now = api.node.account(&address);
        return Ok(Json(Account {
            address,
            nonce: now.account.nonce,
            balance: now.account.balance,
            next_number: now.next_number,
            pending: now.pending,
            block_number: now.view.height(),
        }));
    };
    let number = block_number(&block)?;
    let account = api.node.reader().account(address, number).await;
    let account = account
        .map_err(unreadable)?
        .ok_or_else(|| no_such_block(number))?;
    Ok(Json(Account {
        address,
        nonce: account.nonce,
        balance: account.balance,
        next_number: account.nonce.get() + 1,
        pending: 0,
        block_number: number,
    }))
}
