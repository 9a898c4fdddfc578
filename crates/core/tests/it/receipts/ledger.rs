//! A small ledger whose blocks 2 to 4 are final: three miners, of which two vote, and senders
//! with keys of every size.

use ccoin_core::{
    AccountNonce, Address, BlockId, Height,
    applied::Applied,
    block::SignedHeader,
    consensus::{
        ballot::Ballot,
        certificate::Certificate,
        vote::{Phase, Proposed, Vote, VoterIndex},
    },
    execution::execute,
    genesis::Genesis,
    receipt::{CertifiedHeaders, DocumentRoot, Receipt},
    transaction::{Payment, Transaction, VerifiedTransaction},
};
use ccoin_crypto::{Hash, PublicKey, SecretKey, sha256};
use ccoin_sim::{Network, at, coins, header, key, miner, seal};
use std::sync::{Arc, OnceLock};

/// Data of the longest transaction: a tag and a root.
const MAX_DATA: u32 = 76;

pub(super) struct Ledger {
    pub(super) genesis: Arc<Genesis>,
    /// Blocks 1 to 4.
    pub(super) blocks: Vec<Applied>,
    pub(super) certificate: Certificate,
    pub(super) keys: Vec<Option<PublicKey>>,
}

/// The documents in a tree.
pub(super) fn documents() -> Vec<Hash> {
    (1..=5)
        .map(|n| sha256(&[format!("document {n}\n").as_bytes()]))
        .collect()
}

/// The document that stands alone.
pub(super) fn document() -> Hash {
    sha256(&[b"a document\n"])
}

/// Senders whose keys have 3072 and 4096 bits.
pub(super) fn long_key(bits: usize) -> &'static SecretKey {
    static KEYS: OnceLock<[SecretKey; 2]> = OnceLock::new();
    let make = |bits| SecretKey::generate(bits).expect("the system has randomness");
    let [middle, long] = KEYS.get_or_init(|| [make(3072), make(4096)]);
    if bits == 3072 { middle } else { long }
}

pub(super) fn sign(genesis: &BlockId, key: &SecretKey, number: u64, data: &str) -> Transaction {
    let payment = Payment {
        number: AccountNonce::new(number).unwrap(),
        to: miner(2),
        amount: coins(u64::from(data.is_empty())),
        data: data.to_owned(),
        time: at(7),
    };
    Transaction::sign(payment, key, genesis).unwrap()
}

/// Votes of these miners for a block of the slot at `after_ms`.
pub(super) fn votes(
    genesis: &Genesis,
    phase: Phase,
    (number, id): (Height, BlockId),
    after_ms: u64,
    voters: &[VoterIndex],
) -> Certificate {
    let ballot = Ballot::first(genesis.schedule.slot(at(after_ms))).next();
    let block = Proposed { ballot, number, id };
    let signed = |voter: &VoterIndex| {
        let voter = *voter;
        let vote = Vote {
            phase,
            block,
            voter,
        };
        let signature = key(usize::from(voter)).sign(&vote.digest(&genesis.id));
        (voter, signature.unwrap())
    };
    Certificate {
        phase,
        ballot,
        number,
        id,
        votes: voters.iter().map(signed).collect(),
    }
}

impl Ledger {
    pub(super) fn new() -> Self {
        let alloc = (0..4).map(|index| (miner(index), 0, 1_000));
        let others = [3072, 4096].map(|bits| (long_key(bits).public_key().address(), 0, 1_000));
        // So many that some place of the tree is empty.
        let more = (200..220).map(|n| (Address::new([n; 20]), 0, 1));
        let genesis = Network {
            miners: 3,
            max_bound: 50,
            max_data: MAX_DATA,
            alloc: alloc.chain(others).chain(more).collect(),
            ..Network::ready(3)
        };
        let genesis = Network {
            difficulty: 1,
            ..genesis
        }
        .found();
        let tree = DocumentRoot::of(&documents()).unwrap();
        let one = DocumentRoot::One(document());
        let mut blocks = vec![genesis.applied()];
        for (index, txns) in [
            vec![
                sign(&genesis.id, key(0), 1, &one.to_string()),
                sign(&genesis.id, long_key(3072), 1, &tree.to_string()),
                sign(&genesis.id, long_key(4096), 1, ""),
            ],
            vec![sign(&genesis.id, key(0), 2, "")],
            vec![sign(&genesis.id, key(1), 1, "")],
        ]
        .into_iter()
        .enumerate()
        {
            let verified = |txn| VerifiedTransaction::already_verified(txn, &genesis.id);
            let txns: Vec<_> = txns.into_iter().map(verified).collect();
            let parent = &blocks[index];
            let time = at(2_000 * index as u64 + 50);
            let header = header(&genesis, parent, miner(index), time, &txns);
            let block = seal(&genesis, header, Some(key(index)), txns);
            blocks.push(execute(block, &parent.state, &genesis).unwrap());
        }
        let last = blocks.last().unwrap();
        let head = (last.block.header().number, last.block.id);
        Self {
            certificate: votes(&genesis, Phase::Two, head, 4_050, &[0, 1]),
            keys: (0..3)
                .map(|index| Some(key(index).public_key().clone()))
                .collect(),
            blocks,
            genesis,
        }
    }

    /// The block with this number.
    pub(super) fn block(&self, number: usize) -> &Applied {
        &self.blocks[number - 1]
    }

    pub(super) fn signed(&self, number: usize) -> SignedHeader {
        self.block(number).block.signed.clone()
    }

    /// The headers from a block to the certified one.
    pub(super) fn certified(&self, from: usize) -> CertifiedHeaders {
        CertifiedHeaders {
            headers: (from..=4).map(|number| self.signed(number)).collect(),
            certificate: self.certificate.clone(),
        }
    }

    pub(super) fn txn(&self, number: usize, index: usize) -> Receipt {
        let block = &self.block(number).block;
        let certified = self.certified(number);
        Receipt::of_transaction(&self.genesis, block, index, &certified, &self.keys).unwrap()
    }

    pub(super) fn account(&self, number: usize, address: Address) -> Receipt {
        let state = &self.block(number).state;
        let certified = self.certified(number);
        Receipt::of_account(&self.genesis, state, address, &certified, &self.keys).unwrap()
    }
}
