//! Which of the listed nodes an answer holds: nobody who lists many may hide the others.

use super::Listed;
use ccoin_crypto::{Address, sha256};
use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
};

/// At most `most` of `found`, each with the block of addresses that has listed it: preferred
/// ones, then proven ones, then the others; within each the blocks take turns.
pub(super) fn choose(
    found: Vec<(IpAddr, Listed)>,
    prefer: &[Address],
    chance: u32,
    most: usize,
) -> Vec<Listed> {
    let (preferred, rest): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|(_, listed)| prefer.contains(&listed.member.id));
    let (proven, others): (Vec<_>, Vec<_>) = rest
        .into_iter()
        .partition(|(_, listed)| listed.proven.is_some());
    let scattered = |listed: &Listed| sha256(&[&chance.to_be_bytes(), listed.member.id.as_bytes()]);
    let mut chosen = take_turns(preferred, |listed| listed.since);
    chosen.extend(take_turns(proven, |listed| listed.proven));
    chosen.extend(take_turns(others, scattered));
    chosen.truncate(most);
    chosen
}

/// One of each block after another, the first of a block first. Blocks begin in the order of
/// their first nodes.
fn take_turns<K: Ord>(
    mut found: Vec<(IpAddr, Listed)>,
    order: impl Fn(&Listed) -> K,
) -> Vec<Listed> {
    found.sort_by_cached_key(|(_, listed)| (order(listed), listed.member.id));
    let mut places: BTreeMap<IpAddr, usize> = BTreeMap::new();
    let mut blocks: Vec<VecDeque<Listed>> = Vec::new();
    for (block, listed) in found {
        let place = *places.entry(block).or_insert(blocks.len());
        if place == blocks.len() {
            blocks.push(VecDeque::new());
        }
        blocks[place].push_back(listed);
    }
    let mut turns = Vec::new();
    while !blocks.is_empty() {
        turns.extend(blocks.iter_mut().filter_map(VecDeque::pop_front));
        blocks.retain(|block| !block.is_empty());
    }
    turns
}
