//! `ccoin audit`: the whole chain of a node that nobody trusts, fetched over HTTP and checked
//! here: every header, body, signature, proof of work and state root, and the certificate of the
//! final block. It keeps accounts and no blocks.

mod answers;
mod asker;
mod fault;
mod in_order;
mod origin;
mod replay;
mod report;

use std::sync::Arc;

use ccoin_core::{
    BlockId, Height,
    block::{MAX_BLOCK_BYTES, SealedBlock},
    consensus::vote::VoterIndex,
    genesis::Genesis,
    gossip::MinerKeys,
    receipt::{Receipt, Verified},
    rules::{BlockError, check_block},
};
use ccoin_crypto::{Address, PublicKey, Verifier};
use ccoin_home::{ExitCode, Failure};
use serde_json::value::RawValue;

pub use fault::AuditError;
pub use report::AuditReport;

use answers::{BlockAnswer, MinersAnswer, TxnAnswer};
use asker::Asker;
use fault::Fault;
use in_order::in_order;
use replay::Replay;

use crate::{HttpError, NodeUrl, Progress, cores::cores};

/// Connections: an answer over a long line takes longer than its check.
const CONNECTIONS: usize = 8;

/// Public keys that a thread keeps prepared.
const CACHED_KEYS: usize = 256;

/// What is audited.
#[derive(Debug)]
pub struct Audit {
    /// The node.
    pub url: NodeUrl,
    /// The network, from a person that the caller trusts.
    pub genesis: Option<BlockId>,
    /// A block that is trusted: the audit begins behind it.
    pub trusted: Option<(Height, BlockId)>,
    /// Miners' keys that the node may not show.
    pub keys: Vec<PublicKey>,
}

impl Audit {
    /// Fetches and checks the chain.
    ///
    /// # Errors
    /// [`AuditError`]: the first block that is wrong, or why there is no verdict.
    pub fn run(&self) -> Result<AuditReport, AuditError> {
        let mut asker =
            Asker::new(&self.url).map_err(|error| AuditError::early(Fault::Host(error)))?;
        let status = asker.status().map_err(AuditError::early)?;
        let wanted = self.genesis.ok_or_else(|| no_genesis(&status.genesis_id))?;
        let first = AuditError::at(Height::GENESIS);
        let genesis = origin::fetch_genesis(&mut asker, &wanted).map_err(&first)?;
        let genesis = Arc::new(genesis);
        let mut chain = Reading {
            url: &self.url,
            keys: MinerKeys::new(genesis.config.miners.clone()),
            asker,
        };
        chain.keys.learn(&self.keys);
        chain.learn_keys().map_err(AuditError::early)?;
        let begin = self.trusted.unwrap_or((Height::GENESIS, genesis.id));
        let mut replay = origin::trusted(&mut chain.asker, Arc::clone(&genesis), begin)
            .map_err(AuditError::at(begin.0))?;
        let last_final = status.last_final.number;
        let mut proof = None;
        if last_final > Height::GENESIS {
            // The first one is asked for before the work, the second shows what came meanwhile.
            for _ in 0..2 {
                let shown = chain.proof(&genesis, last_final)?;
                chain.read(&mut replay, shown.block.number, &shown)?;
                proof = Some(shown);
            }
        }
        let proven = replay.place();
        let height = chain.asker.status().map_err(AuditError::early)?.height;
        chain.read_unfinal(&mut replay, height)?;
        Ok(AuditReport {
            genesis,
            begin,
            last_final: proven,
            height: replay.number,
            blocks: replay.blocks,
            transactions: replay.transactions,
            permanence: proof.map(|proof| proof.permanence),
        })
    }
}

fn no_genesis(claimed: &BlockId) -> AuditError {
    let failure = Failure::new(ExitCode::Usage, "no genesis id is given")
        .hint(format!("the node claims {claimed}, which proves nothing"))
        .hint("ask a person that you trust for the genesis id of the network")
        .hint("then: ccoin audit --genesis ID   (or CCOIN_GENESIS, or genesis_id in ccoin.json)");
    AuditError::early(Fault::Host(failure))
}

/// A chain that is being read.
struct Reading<'a> {
    url: &'a NodeUrl,
    keys: MinerKeys,
    asker: Asker,
}

impl Reading<'_> {
    fn learn_keys(&mut self) -> Result<(), HttpError> {
        let miners: MinersAnswer = self.asker.get("/v1/miners")?;
        let keys: Vec<_> = miners
            .items
            .into_iter()
            .filter_map(|miner| miner.public_key)
            .collect();
        self.keys.learn(&keys);
        Ok(())
    }

    /// Proof that the newest final block is one; the node has said that `claimed` is final.
    fn proof(&mut self, genesis: &Genesis, claimed: Height) -> Result<Verified, AuditError> {
        let fault = AuditError::at(claimed);
        let any = genesis
            .config
            .miners
            .first()
            .copied()
            .unwrap_or(Address::ZERO);
        let text: Result<Box<RawValue>, _> = self.asker.get(&format!("/v1/accounts/{any}/proof"));
        let text = text.map_err(|error| match error {
            HttpError::Refused(refusal) => fault(Fault::Wrong(format!(
                "the node says that it is final and shows no certificate: {}",
                refusal.detail
            ))),
            error => fault(error.into()),
        })?;
        let receipt = Receipt::parse(text.get().as_bytes());
        let receipt = receipt.map_err(|refused| fault(refused.into()))?;
        let verified = receipt.verify(&genesis.id, None, &mut Verifier::new(CACHED_KEYS));
        let verified = verified.map_err(|refused| fault(refused.into()))?;
        if verified.block.number < claimed {
            return Err(fault(Fault::Wrong(format!(
                "the node says that it is final, its newest certificate is of block {}",
                verified.block.number
            ))));
        }
        let of = |(_, der): &(VoterIndex, Vec<u8>)| PublicKey::from_der(der).ok();
        self.keys
            .learn(&receipt.keys.iter().filter_map(of).collect::<Vec<_>>());
        Ok(verified)
    }

    /// Reads up to the final block of a proof, which must be the one that is proven.
    fn read(&self, replay: &mut Replay, to: Height, proof: &Verified) -> Result<(), AuditError> {
        if replay.number > to {
            let reason = format!("it is not final yet at this node, block {to} is");
            return Err(AuditError::at(replay.number)(Fault::NotThere(reason)));
        }
        self.take(replay, to)?;
        if replay.id != proof.block.id {
            let reason = format!(
                "the certificate is for {}, the blocks lead to {}",
                proof.block.id, replay.id
            );
            return Err(AuditError::at(to)(Fault::Wrong(reason)));
        }
        Ok(())
    }

    /// Blocks above final may be replaced by others meanwhile: then it ends below them.
    fn read_unfinal(&mut self, replay: &mut Replay, to: Height) -> Result<(), AuditError> {
        let last_final = replay.number;
        let Err(error) = self.take(replay, to) else {
            return Ok(());
        };
        if replay.number > last_final {
            let path = format!("/v1/blocks/{}?body=ids", replay.number);
            let now: Result<BlockAnswer, _> = self.asker.get(&path);
            match now {
                Ok(block) if block.id == replay.id => {}
                Ok(_) => return Ok(()),
                Err(HttpError::Refused(refusal)) if refusal.status == 404 => return Ok(()),
                Err(error) => return Err(AuditError::at(replay.number)(error.into())),
            }
        }
        Err(error)
    }

    /// Fetches, checks and executes the blocks up to `to`.
    fn take(&self, replay: &mut Replay, to: Height) -> Result<(), AuditError> {
        let numbers = replay.number.get() + 1..=to.get();
        if numbers.is_empty() {
            return Ok(());
        }
        let (begun, genesis) = (replay.number.get(), Arc::clone(replay.genesis()));
        let total = usize::try_from(to.get() - begun).unwrap_or(usize::MAX);
        let mut progress = Progress::new("audit", total);
        let state = || (Asker::new(self.url), Verifier::new(CACHED_KEYS));
        let work = |(asker, verifier): &mut (Result<Asker, Failure>, Verifier), number| {
            let block = match asker {
                Ok(asker) => self.block(asker, verifier, &genesis, number),
                Err(failure) => Err(Fault::Host(failure.clone())),
            };
            (number, block)
        };
        in_order(
            CONNECTIONS.max(cores()),
            numbers,
            state,
            work,
            |(number, block)| {
                let good = Some(replay.place());
                let taken = block.and_then(|block| replay.take(block));
                progress.tell(number - begun);
                taken.map_err(|fault| AuditError::new(Height::new(number).ok(), good, fault))
            },
        )?;
        progress.finish();
        Ok(())
    }

    /// A block whose header, body and signatures are good.
    fn block(
        &self,
        asker: &mut Asker,
        verifier: &mut Verifier,
        genesis: &Genesis,
        number: u64,
    ) -> Result<SealedBlock, Fault> {
        let path = format!("/v1/blocks/{number}");
        let answer: Result<BlockAnswer<Vec<TxnAnswer>>, _> = asker.get(&path);
        let answer = answer.map_err(|error| match error {
            HttpError::Refused(refusal) if refusal.status == 404 => Fault::Wrong(format!(
                "the node has later blocks and does not show this one: {}",
                refusal.detail
            )),
            error => error.into(),
        })?;
        if answer.number.get() != number {
            let reason = format!("the node shows block {} in its place", answer.number);
            return Err(Fault::Wrong(reason));
        }
        let block = answer.into_block(&genesis.id)?;
        let header = &block.signed.header;
        let miner = header.coinbase;
        let Some(key) = self.keys.get(&miner) else {
            if genesis.config.miners.contains(&miner) {
                return Err(Fault::Key(miner));
            }
            let due = genesis.schedule.leader_at(header.time);
            let (got, expected) = (miner, due.unwrap_or(Address::ZERO));
            return Err(BlockError::Turn { got, expected }.into());
        };
        let block = check_block(block, genesis, key, verifier)?;
        let bytes = block.encode().len();
        if bytes > MAX_BLOCK_BYTES {
            let reason = format!("it has {bytes} bytes, at most {MAX_BLOCK_BYTES} are allowed");
            return Err(Fault::Wrong(reason));
        }
        Ok(block)
    }
}
