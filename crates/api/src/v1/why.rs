//! Why no block is made or none becomes final, and who signs what.

use super::network::voting_word;
use crate::schema::{AddressText, Base64, Id, Whole};
use crate::{Api, problem::NOT_READY};
use axum::{Json, extract::State};
use ccoin_core::{
    Address, BlockId, Height,
    block::SignedHeader,
    consensus::{
        ballot::Ballot,
        evidence::Evidence,
        vote::{Phase, SignedVote},
    },
    machine::Voting,
};
use ccoin_crypto::Signature;
use ccoin_http::Problem;
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(super) struct Answer {
    sentence: String,
    facts: Facts,
}

#[derive(Serialize, ToSchema)]
struct Facts {
    height: Height,
    #[serde(rename = "final")]
    last_final: Height,
    waiting: usize,
    quorum: u32,
    voting: usize,
    miners: Vec<Miner>,
}

#[derive(Serialize, ToSchema)]
struct Miner {
    address: Address,
    /// `votes`, `abstains` or `silent`.
    vote_state: &'static str,
}

/// `GET /v1/why`: one sentence, and the facts behind it.
#[utoipa::path(get, path = "/why",
    responses((status = 200, description = "One sentence, and the facts behind it", body = Answer)))]
pub(super) async fn why(State(api): State<Api>) -> Result<Json<Answer>, Problem> {
    let found = api.node.why().await;
    let (why, voting) = found.ok_or_else(|| Problem::new(NOT_READY, "the node is stopping"))?;
    let view = api.node.view();
    let votes = voting.iter().filter(|(_, voting)| *voting == Voting::Votes);
    Ok(Json(Answer {
        sentence: why.to_string(),
        facts: Facts {
            height: view.height(),
            last_final: view.last_final(),
            waiting: view.queue.txns,
            quorum: api.node.genesis().config.consensus.quorum,
            voting: votes.count(),
            miners: voting
                .into_iter()
                .map(|(address, voting)| Miner {
                    address,
                    vote_state: voting_word(voting),
                })
                .collect(),
        },
    }))
}

#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Signed {
    Vote {
        phase: u8,
        ballot: Ballot,
        number: Height,
        id: BlockId,
        voter: u8,
        signature: Signature,
    },
    #[schema(value_type = Vec<serde_json::Value>)]
    Header(Box<SignedHeader>),
}

impl From<&SignedVote> for Signed {
    fn from(signed: &SignedVote) -> Self {
        let vote = &signed.vote;
        Self::Vote {
            phase: match vote.phase {
                Phase::One => 1,
                Phase::Two => 2,
            },
            ballot: vote.block.ballot,
            number: vote.block.number,
            id: vote.block.id,
            voter: vote.voter,
            signature: signed.signature.clone(),
        }
    }
}

#[derive(Serialize, ToSchema)]
struct Proof {
    offender: Option<Address>,
    kind: &'static str,
    signed: [Signed; 2],
}

#[derive(Serialize, ToSchema)]
pub(super) struct Proofs {
    items: Vec<Proof>,
}

/// `GET /v1/evidence`: pairs of signed objects of which an honest key signs one.
#[utoipa::path(get, path = "/evidence",
    responses((status = 200, description = "Pairs of signed objects of which an honest key signs one", body = Proofs)))]
pub(super) async fn evidence(State(api): State<Api>) -> Json<Proofs> {
    let schedule = &api.node.genesis().schedule;
    let view = api.node.view();
    let proof = |evidence: &Evidence| {
        let (kind, signed) = match evidence {
            Evidence::Votes(votes) => ("votes", [(&votes.0).into(), (&votes.1).into()]),
            Evidence::Headers(headers) => {
                let header = |header: &SignedHeader| Signed::Header(Box::new(header.clone()));
                ("headers", [header(&headers.0), header(&headers.1)])
            }
        };
        Proof {
            offender: evidence.offender(schedule),
            kind,
            signed,
        }
    };
    Json(Proofs {
        items: view.evidence.iter().map(proof).collect(),
    })
}
