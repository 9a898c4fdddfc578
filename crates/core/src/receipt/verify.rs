//! Steps 2 to 8: what a receipt proves to someone who knows the genesis id.

use super::{
    CertificateVotes, Receipt, Refused, Subject,
    verified::{Permanence, Verified, VerifiedBlock},
};
use crate::{
    BlockId,
    block::{Header, SignedHeader, block_id},
    consensus::{
        certificate::{Certificate, VerifiedCertificate},
        vote::{Phase, VoterIndex},
    },
    encoding::decode,
    genesis::GenesisHeader,
    rules::check_headers,
};
use ccoin_crypto::{Address, Hash, PublicKey, Signature, Verifier};
use std::collections::BTreeMap;

impl Receipt {
    /// Steps 2 to 8. `genesis` comes from a person that the caller trusts; `document` is the
    /// SHA-256 of a file that the caller holds against the receipt.
    ///
    /// # Errors
    /// [`Refused`]: the first step that fails.
    pub fn verify(
        &self,
        genesis: &BlockId,
        document: Option<&Hash>,
        verifier: &mut Verifier,
    ) -> Result<Verified, Refused> {
        let genesis = self.check_genesis(genesis)?;
        let proof = Proof {
            receipt: self,
            genesis: &genesis,
            keys: self.keys.iter().map(|(voter, key)| (*voter, key)).collect(),
        };
        let headers = proof.check_headers(verifier)?;
        let Some((block, first)) = headers.first() else {
            return Err(Refused::at(3)(&"no header", &"the header of the block"));
        };
        let (mut transaction, mut account, mut shown) = (None, None, None);
        match &self.subject {
            Subject::Transaction(path) => {
                let (txn, hash) = proof.check_transaction(path, document, first, verifier)?;
                (transaction, shown) = (Some(txn), hash);
            }
            Subject::Account(path) => {
                if let Some(document) = document {
                    return Err(Refused::at(4)(
                        document,
                        &"no document: it is about an account",
                    ));
                }
                path.verify(&first.header.hash_state.into())
                    .map_err(|error| {
                        let expected = format!("a path to hash_state of block {}", block.number);
                        Refused::at(7)(&error, &expected)
                    })?;
                account = Some((path.address, path.account));
            }
        }
        let last = headers.last().map_or(*block, |(last, _)| *last);
        Ok(Verified {
            genesis: genesis.id,
            document: shown,
            transaction,
            account,
            block: *block,
            permanence: proof.check_certificate(last, verifier)?,
        })
    }

    /// The genesis id that the receipt claims, if its genesis header can be read. It proves
    /// nothing.
    #[must_use]
    pub fn claimed_genesis(&self) -> Option<BlockId> {
        let signed: SignedHeader = decode("genesis header", &self.genesis).ok()?;
        Some(block_id(&signed.header.genesis_mining_hash(), signed.nonce))
    }

    fn check_genesis(&self, expected: &BlockId) -> Result<GenesisHeader, Refused> {
        let refused = Refused::at(2);
        let signed: SignedHeader = decode("genesis header", &self.genesis)
            .map_err(|error| refused(&error, &"the signed header of block 1"))?;
        let got = block_id(&signed.header.genesis_mining_hash(), signed.nonce);
        if got != *expected {
            return Err(refused(&got, expected));
        }
        GenesisHeader::read(&signed)
            .map_err(|error| refused(&error, &"the signed header of block 1"))
    }
}

/// A receipt under a genesis header that its reader trusts.
pub(super) struct Proof<'a> {
    pub(super) receipt: &'a Receipt,
    pub(super) genesis: &'a GenesisHeader,
    keys: BTreeMap<VoterIndex, &'a Vec<u8>>,
}

impl Proof<'_> {
    /// The key of a miner, checked against its address.
    fn key(&self, voter: VoterIndex, address: &Address) -> Result<PublicKey, String> {
        let der = self.keys.get(&voter);
        let der = der.ok_or_else(|| format!("no key of miner {voter}"))?;
        let key = PublicKey::from_der(der).map_err(|error| format!("miner {voter}: {error}"))?;
        if key.address() == *address {
            return Ok(key);
        }
        Err(format!("a key of {} for miner {voter}", key.address()))
    }

    /// Step 3. The signatures are judged together; the first fault in the order of the
    /// headers is the answer all the same.
    fn check_headers(
        &self,
        verifier: &mut Verifier,
    ) -> Result<Vec<(VerifiedBlock, SignedHeader)>, Refused> {
        let refused = Refused::at(3);
        let mut read: Vec<(SignedHeader, Option<PublicKey>)> = Vec::new();
        let headers = self.receipt.headers.iter();
        let reading = headers.map(|bytes| self.read_header(bytes));
        let unread = reading
            .map(|header| header.map(|header| read.push(header)))
            .find_map(Result::err);
        let signed = read
            .iter()
            .filter_map(|(signed, key)| Some((signed, key.as_ref()?)));
        let signed: Vec<_> = signed.collect();
        let mut verdicts = check_headers(&signed, self.genesis, verifier).into_iter();
        let mut checked: Vec<(VerifiedBlock, SignedHeader)> = Vec::new();
        for (signed, key) in read {
            let id = match key {
                None => self.genesis.id,
                Some(_) => match verdicts.next() {
                    Some(Ok(id)) => id,
                    Some(Err(error)) => {
                        return Err(refused(&error, &"a header that keeps the rules"));
                    }
                    // One verdict came for each header with a key.
                    None => return Err(refused(&"no verdict", &"a verdict on each header")),
                },
            };
            let parent = checked.last().map(|(block, _)| block);
            let block = check_place(&signed.header, id, parent)?;
            checked.push((block, signed));
        }
        unread.map_or(Ok(checked), Err)
    }

    /// A header, and its signer's key unless it is that of block 1.
    fn read_header(&self, bytes: &[u8]) -> Result<(SignedHeader, Option<PublicKey>), Refused> {
        let refused = Refused::at(3);
        let signed: SignedHeader = decode("header", bytes)
            .map_err(|error| refused(&error, &"the encoding of a signed header"))?;
        if bytes == self.receipt.genesis {
            return Ok((signed, None));
        }
        let coinbase = &signed.header.coinbase;
        let miner = self.genesis.schedule.index(coinbase);
        let miner = miner.and_then(|index| VoterIndex::try_from(index).ok());
        let miner = miner.ok_or_else(|| refused(coinbase, &"a miner in genesis"))?;
        let key = self.key(miner, coinbase);
        let key = key.map_err(|error| refused(&error, &format!("the key of {coinbase}")))?;
        Ok((signed, Some(key)))
    }

    /// Step 8.
    fn check_certificate(
        &self,
        last: VerifiedBlock,
        verifier: &mut Verifier,
    ) -> Result<Permanence, Refused> {
        let refused = Refused::at(8);
        let CertificateVotes {
            ballot,
            number,
            id,
            votes,
        } = &self.receipt.certificate;
        if (*number, *id) != (last.number, last.id) {
            let got = format!("votes for block {number} {id}");
            let expected = format!("votes for block {} {}", last.number, last.id);
            return Err(refused(&got, &expected));
        }
        let (config, schedule) = (&self.genesis.config, &self.genesis.schedule);
        let quorum = config.consensus.quorum;
        if u32::try_from(votes.len()) != Ok(quorum) {
            let got = format!("{} votes", votes.len());
            return Err(refused(&got, &format!("{quorum} votes")));
        }
        let mut keys = BTreeMap::new();
        for voter in self.keys.keys() {
            let miner = schedule.miner(*voter).ok_or_else(|| {
                let got = format!("a key of miner {voter}");
                refused(&got, &format!("one of {} miners", schedule.miners()))
            })?;
            let key = self.key(*voter, &miner);
            let key = key.map_err(|error| refused(&error, &format!("the key of {miner}")))?;
            keys.insert(*voter, key);
        }
        let signed = |(voter, signature): &(VoterIndex, Vec<u8>)| {
            let signature = Signature::new(signature);
            signature.map(|signature| (*voter, signature))
        };
        let signed: Result<Vec<_>, _> = votes.iter().map(signed).collect();
        let expected = "a good signature of each voter";
        let certificate = Certificate {
            phase: Phase::Two,
            ballot: *ballot,
            number: *number,
            id: *id,
            votes: signed.map_err(|error| refused(&error, &expected))?,
        };
        let key = |voter| keys.get(&voter);
        VerifiedCertificate::verify(certificate, self.genesis, key, verifier)
            .map_err(|error| refused(&error, &expected))?;
        let voters = votes.iter().filter_map(|(voter, _)| schedule.miner(*voter));
        let miners = u32::try_from(schedule.miners()).unwrap_or(u32::MAX);
        Ok(Permanence {
            block: last,
            voters: voters.collect(),
            // A vote 1 is given at most max_skew (below slot / 2) after its slot, the vote 2 at
            // most slot / 4 later (V1, R3).
            voted_by: schedule.end(ballot.slot().saturating_add(1)),
            miners: schedule.miners(),
            // 2q - n - 1
            tolerated: quorum
                .saturating_mul(2)
                .saturating_sub(miners)
                .saturating_sub(1),
        })
    }
}

/// That a header continues the one before it.
fn check_place(
    header: &Header,
    id: BlockId,
    parent: Option<&VerifiedBlock>,
) -> Result<VerifiedBlock, Refused> {
    if let Some(parent) = parent {
        let next = parent.number.next();
        if header.hash_parent != parent.id || next != Some(header.number) {
            let got = format!("block {} on {}", header.number, header.hash_parent);
            let expected = format!("a child of block {} {}", parent.number, parent.id);
            return Err(Refused::at(3)(&got, &expected));
        }
    }
    Ok(VerifiedBlock {
        number: header.number,
        id,
        time: header.time,
        miner: header.coinbase,
    })
}
