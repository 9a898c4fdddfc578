//! Where an audit begins: block 1, or a later block whose id the caller trusts. Of both the node
//! shows header and accounts, and the id proves them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ccoin_core::{
    AccountNonce, Address, Amount, BlockId, Height, Timestamp,
    block::{SignedHeader, block_id},
    encoding::encode,
    genesis::Genesis,
    ledger::{Account, State},
};

use super::{
    answers::{BlockAnswer, BlockPage, StatePage},
    asker::Asker,
    fault::Fault,
    replay::Replay,
};
/// Accounts of a page.
const ACCOUNTS: usize = 1_000;

/// Blocks of a page.
const HEADERS: u64 = 100;

/// Block 1 of the network `id`, from a node.
///
/// # Errors
/// [`Fault`].
pub(super) fn fetch_genesis(asker: &mut Asker, id: &BlockId) -> Result<Genesis, Fault> {
    let signed = header(asker, Height::GENESIS)?;
    let got = block_id(&signed.header.genesis_mining_hash(), signed.nonce);
    if got != *id {
        let reason = format!("its header gives the id {got}, the network that was named is {id}");
        return Err(Fault::Wrong(reason));
    }
    let mut alloc: BTreeMap<Address, Account> =
        accounts(asker, Height::GENESIS)?.into_iter().collect();
    // Block 1 lists the accounts before its reward.
    let (coinbase, reward) = (signed.header.coinbase, signed.header.reward);
    if reward > Amount::ZERO {
        let wrong = || Fault::Wrong(format!("the reward of {coinbase} is not among its coins"));
        let paid = alloc.get_mut(&coinbase).ok_or_else(wrong)?;
        paid.balance = paid.balance.checked_sub(reward.get()).ok_or_else(wrong)?;
    }
    alloc.retain(|_, account| *account != Account::default());
    let rows: Vec<(Address, AccountNonce, Amount)> = alloc
        .into_iter()
        .map(|(address, account)| (address, account.nonce, account.balance))
        .collect();
    Genesis::decode(&encode(&(signed, rows))).map_err(|error| Fault::Wrong(error.to_string()))
}

/// The block `number`, which must have the trusted id, with its accounts.
///
/// # Errors
/// [`Fault`].
pub(super) fn trusted(
    asker: &mut Asker,
    genesis: Arc<Genesis>,
    (number, id): (Height, BlockId),
) -> Result<Replay, Fault> {
    if number == Height::GENESIS {
        if id != genesis.id {
            let reason = format!("it is {}, you trust {id}", genesis.id);
            return Err(Fault::Wrong(reason));
        }
        return Ok(Replay::at_genesis(genesis));
    }
    let signed = header(asker, number)?;
    let got = signed.id(&genesis.id);
    if got != id {
        return Err(Fault::Wrong(format!(
            "its header gives the id {got}, you trust {id}"
        )));
    }
    let state = State::from_accounts(accounts(asker, number)?);
    if state.root() != signed.header.hash_state {
        return Err(Fault::Wrong(format!(
            "its accounts give the root {}, its header says {}",
            state.root(),
            signed.header.hash_state
        )));
    }
    let made = miners_before(asker, &genesis, &signed)?;
    let header = &signed.header;
    Ok(Replay::at_block(genesis, id, header, state, made))
}

/// The header of a block; nothing of it is checked but its number.
fn header(asker: &mut Asker, number: Height) -> Result<SignedHeader, Fault> {
    let path = format!("/v1/blocks/{number}?body=ids");
    let answer: BlockAnswer = asker.get(&path)?;
    if answer.number != number {
        let reason = format!("the node shows block {} in its place", answer.number);
        return Err(Fault::Wrong(reason));
    }
    Ok(answer.into_parts().0)
}

/// All accounts as of a block, ascending.
fn accounts(asker: &mut Asker, number: Height) -> Result<Vec<(Address, Account)>, Fault> {
    let (mut rows, mut after) = (Vec::new(), None::<Address>);
    loop {
        let mut path = format!("/v1/blocks/{number}/state?limit={ACCOUNTS}");
        if let Some(after) = after {
            path.push_str(&format!("&after={after}"));
        }
        let page: StatePage = asker.get(&path)?;
        let mut last = after;
        for row in page.items {
            if last.is_some_and(|last| last >= row.address) {
                let reason = format!("account {} comes twice or too late", row.address);
                return Err(Fault::Wrong(reason));
            }
            last = Some(row.address);
            let (nonce, balance) = (row.nonce, row.balance);
            rows.push((row.address, Account { nonce, balance }));
        }
        match page.next {
            None => return Ok(rows),
            Some(next)
                if last.is_none_or(|last| next >= last)
                    && after.is_none_or(|after| next > after) =>
            {
                after = Some(next);
            }
            Some(next) => {
                let reason = format!("the accounts go on behind {next}, which lies before them");
                return Err(Fault::Wrong(reason));
            }
        }
    }
}

/// When each miner made its newest block, as far back as the batch rule can look from a block
/// behind `newest`.
fn miners_before(
    asker: &mut Asker,
    genesis: &Genesis,
    newest: &SignedHeader,
) -> Result<BTreeMap<Address, Timestamp>, Fault> {
    let interval = genesis.config.block_mining.interval_ms;
    let since = newest.header.time.get().saturating_sub(interval);
    let mut made = BTreeMap::from([(newest.header.coinbase, newest.header.time)]);
    let mut child = newest.header.clone();
    loop {
        let before = child.number;
        let page: BlockPage = asker.get(&format!("/v1/blocks?before={before}&limit={HEADERS}"))?;
        for answer in page.items {
            let (signed, _) = answer.into_parts();
            let header = &signed.header;
            if header.number == Height::GENESIS || header.time.get() <= since {
                return Ok(made);
            }
            let (got, expected) = (signed.id(&genesis.id), child.hash_parent);
            if got != expected {
                return Err(Fault::Parent { got, expected });
            }
            made.entry(header.coinbase).or_insert(header.time);
            child = signed.header;
        }
        if child.number == before {
            let reason = format!("the node shows no block before block {before}");
            return Err(Fault::Wrong(reason));
        }
    }
}
