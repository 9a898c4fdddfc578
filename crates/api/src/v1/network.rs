//! Who makes the chain: block 1, and the miners that it lists.

use crate::schema::{AddressText, Base64, Id, TimeText, Whole};
use crate::{
    Api,
    json::{BlockSummary, Time},
    problem::NOT_READY,
};
use axum::{Json, extract::State};
use ccoin_core::{
    Address, Amount, BlockId, Height, PowNonce, StateHash,
    consensus::{
        ballot::Ballot,
        vote::{Phase, Vote},
    },
    machine::Voting,
    message::VoterState,
};
use ccoin_crypto::PublicKey;
use ccoin_http::Problem;
use ccoin_node::View;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(super) struct GenesisJson {
    id: BlockId,
    time: Time,
    difficulty: u8,
    nonce: PowNonce,
    hash_state: StateHash,
    /// Coins in block 1.
    supply: Amount,
    /// The text that block 1 holds as its `data`.
    #[schema(value_type = Object)]
    config: Box<RawValue>,
}

/// `GET /v1/genesis`: the rules of the network. First balances: `/v1/blocks/1/state`.
#[utoipa::path(get, path = "/genesis",
    responses((status = 200, description = "The rules of the network", body = GenesisJson)))]
pub(super) async fn genesis(State(api): State<Api>) -> Result<Json<GenesisJson>, Problem> {
    let genesis = api.node.genesis();
    let signed = genesis.signed();
    let config = RawValue::from_string(signed.header.data.clone());
    Ok(Json(GenesisJson {
        id: genesis.id,
        time: Time::Rfc3339(signed.header.time),
        difficulty: signed.header.difficulty,
        nonce: signed.nonce,
        hash_state: signed.header.hash_state,
        supply: genesis.supply,
        config: config.map_err(|error| Problem::internal(error.to_string()))?,
    }))
}

#[derive(Serialize, ToSchema)]
struct VoteJson {
    phase: Phase,
    ballot: Ballot,
    block_number: Height,
    block_id: BlockId,
}

impl VoteJson {
    fn new(vote: &Vote) -> Self {
        Self {
            phase: vote.phase,
            ballot: vote.block.ballot,
            block_number: vote.block.number,
            block_id: vote.block.id,
        }
    }
}

#[derive(Serialize, ToSchema)]
struct MinerJson {
    address: Address,
    /// Once this node has seen it.
    public_key: Option<PublicKey>,
    /// `self`, `peer`, or `away`: no connection leads to it.
    link: &'static str,
    /// Whether this is its turn.
    leads: bool,
    /// Its newest one among the blocks in memory.
    last_block: Option<BlockSummary>,
    /// Blocks of it among `of_blocks`.
    blocks: usize,
    /// Its newest vote that is not older than the final block.
    last_vote: Option<VoteJson>,
    /// `votes`, `abstains` or `silent`: what counts for finality.
    voting: &'static str,
    /// `intact`, `abstains` or `recovering`, where it told so.
    vote_state: Option<&'static str>,
    /// Its clock minus this node's, once measured.
    clock_offset_ms: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Miners {
    /// How many newest blocks were counted.
    of_blocks: usize,
    quorum: u32,
    items: Vec<MinerJson>,
}

/// The word for what a miner does for finality.
pub(super) fn voting_word(voting: Voting) -> &'static str {
    match voting {
        Voting::Votes => "votes",
        Voting::Abstains => "abstains",
        Voting::Silent => "silent",
    }
}

fn state_word(state: VoterState) -> Option<&'static str> {
    match state {
        VoterState::NoVoter => None,
        VoterState::Intact => Some("intact"),
        VoterState::Abstains => Some("abstains"),
        VoterState::Recovering => Some("recovering"),
    }
}

/// Newest block and number of blocks of each miner.
fn made(view: &View) -> HashMap<Address, (BlockSummary, usize)> {
    let mut made = HashMap::new();
    for recent in view.recent.iter().rev() {
        let header = recent.header();
        let newest = || (BlockSummary::new(recent.id(), header), 0);
        made.entry(header.coinbase).or_insert_with(newest).1 += 1;
    }
    made
}

/// `GET /v1/miners`: in the order of their turns.
#[utoipa::path(get, path = "/miners",
    responses((status = 200, description = "The miners in the order of their turns", body = Miners)))]
pub(super) async fn miners(State(api): State<Api>) -> Result<Json<Miners>, Problem> {
    let found = api.node.miners().await;
    let found = found.ok_or_else(|| Problem::new(NOT_READY, "the node is stopping"))?;
    let view = api.node.view();
    let genesis = api.node.genesis();
    let leader = genesis.schedule.leader_at(ccoin_node::clock::wall());
    let own = api.node.is_validator().then(|| api.node.address());
    let peers = api.node.peers().into_iter();
    let peers: HashMap<_, _> = peers.map(|peer| (peer.address, peer)).collect();
    let keys = api.node.miner_keys();
    let mut made = made(&view);
    let miner = |miner: ccoin_core::machine::MinerVotes| {
        let address = miner.address;
        let peer = peers.get(&address);
        let (last_block, blocks) = made.remove(&address).unzip();
        MinerJson {
            address,
            public_key: keys.get(&address).cloned(),
            link: match peer {
                _ if own == Some(address) => "self",
                Some(_) => "peer",
                None => "away",
            },
            leads: leader == Some(address),
            last_block,
            blocks: blocks.unwrap_or(0),
            last_vote: miner.last_vote.as_ref().map(VoteJson::new),
            voting: voting_word(miner.voting),
            vote_state: miner.state.and_then(state_word),
            clock_offset_ms: peer.and_then(|peer| peer.clock_offset_ms),
        }
    };
    Ok(Json(Miners {
        of_blocks: view.recent.len(),
        quorum: genesis.config.consensus.quorum,
        items: found.into_iter().map(miner).collect(),
    }))
}
