//! All transfers of a measurement, signed and written as JSON before it begins.
//!
//! An account belongs to one lane, that is, one connection. A lane sends in order, so that the
//! transactions of an account arrive in the order of their numbers.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use ccoin_core::encoding::encode;
use ccoin_core::{AccountNonce, BlockId, Timestamp, TxId};
use ccoin_crypto::SecretKey;
use ccoin_home::{ExitCode, Failure};
use hyper::body::Bytes;

use crate::cores::{cores, on_all_cores};
use crate::signed_txn::{SignedTxn, now, transfer};

/// Signatures that tell how long all take.
const SAMPLE: u32 = 20;

/// Seconds of signing that are announced.
const WORTH_SAYING: f64 = 2.0;

/// An account that sends, and the number of its next transaction.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) key: SecretKey,
    pub(super) next: AccountNonce,
}

/// The size of a plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// Transfers in all.
    pub(super) transfers: usize,
    /// Transfers per array.
    pub(super) array: usize,
    /// Connections.
    pub(super) lanes: usize,
    /// Bytes of data in each transfer.
    pub(super) data_bytes: usize,
}

/// The body of one `POST /v1/txns`.
#[derive(Debug)]
pub(super) struct SignedArray {
    /// Index of its first transfer among all.
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) json: Bytes,
}

/// All arrays of a measurement.
#[derive(Debug)]
pub(super) struct Plan {
    /// The arrays of each lane in their order.
    pub(super) lanes: Vec<Vec<SignedArray>>,
    /// Id of each transfer.
    pub(super) ids: Vec<TxId>,
    /// Bytes of all transfers in the encoding of the ledger.
    pub(super) encoded_bytes: usize,
}

/// One array to be signed.
struct Job {
    first: usize,
    /// Sender and number.
    payments: Vec<(usize, AccountNonce)>,
}

impl Plan {
    /// Signs transfers of one coin from each sender to the next one, and advances the numbers
    /// of the senders.
    ///
    /// # Errors
    /// [`Failure`] if the library cannot sign, or an account has no numbers left.
    pub(super) fn sign(
        senders: &mut [Sender],
        genesis: &BlockId,
        size: Size,
    ) -> Result<Self, Failure> {
        let lanes = size.lanes.clamp(1, senders.len().max(1));
        let jobs = jobs(senders, size, lanes)?;
        let data = "x".repeat(size.data_bytes);
        let now = now();
        let senders = &*senders;
        announce(senders, genesis, &data, size.transfers)?;
        let signed = on_all_cores(
            "signing transfers",
            &jobs,
            |job| job.payments.len(),
            |job| sign_array(senders, job, genesis, &data, now),
        )?;
        let mut plan = Self {
            lanes: (0..lanes).map(|_| Vec::new()).collect(),
            ids: Vec::with_capacity(size.transfers),
            encoded_bytes: 0,
        };
        for (position, (array, ids, bytes)) in signed.into_iter().enumerate() {
            plan.lanes[position % lanes].push(array);
            plan.ids.extend(ids);
            plan.encoded_bytes += bytes;
        }
        Ok(plan)
    }
}

/// Says before it begins how long signing takes, unless that is soon.
fn announce(
    senders: &[Sender],
    genesis: &BlockId,
    data: &str,
    transfers: usize,
) -> Result<(), Failure> {
    let Some(Sender { key, next }) = senders.first() else {
        return Ok(());
    };
    let to = key.public_key().address();
    let sign_one = || transfer(key, *next, to, data, now(), genesis);
    // The first one also sets up the library.
    sign_one()?;
    let begun = Instant::now();
    for _ in 0..SAMPLE {
        sign_one()?;
    }
    if let Some(line) = announcement(begun.elapsed(), transfers, cores()) {
        // A closed stderr is no failure.
        drop(writeln!(io::stderr(), "{line}"));
    }
    Ok(())
}

/// `sample`: the time of [`SAMPLE`] signatures on one core.
fn announcement(sample: Duration, transfers: usize, cores: usize) -> Option<String> {
    let each = sample.as_secs_f64() / f64::from(SAMPLE);
    let seconds = each * transfers as f64 / cores as f64;
    (seconds >= WORTH_SAYING).then(|| {
        format!("signing {transfers} transfers takes about {seconds:.0} s before the measurement")
    })
}

/// Array k goes to lane k mod lanes, whose accounts take turns.
fn jobs(senders: &mut [Sender], size: Size, lanes: usize) -> Result<Vec<Job>, Failure> {
    let mut turns = vec![0; lanes];
    let mut jobs = Vec::new();
    for (position, first) in (0..size.transfers).step_by(size.array.max(1)).enumerate() {
        let lane = position % lanes;
        let accounts = (senders.len() - lane).div_ceil(lanes);
        let count = size.array.min(size.transfers - first);
        let mut payments = Vec::with_capacity(count);
        for _ in 0..count {
            let account = lane + lanes * (turns[lane] % accounts);
            turns[lane] += 1;
            let sender = &mut senders[account];
            payments.push((account, sender.next));
            sender.next = sender
                .next
                .checked_add(1)
                .ok_or_else(|| Failure::new(ExitCode::Usage, "an account has no numbers left"))?;
        }
        jobs.push(Job { first, payments });
    }
    Ok(jobs)
}

fn sign_array(
    senders: &[Sender],
    job: &Job,
    genesis: &BlockId,
    data: &str,
    time: Timestamp,
) -> Result<(SignedArray, Vec<TxId>, usize), Failure> {
    let mut json = vec![b'['];
    let mut ids = Vec::with_capacity(job.payments.len());
    let mut bytes = 0;
    for &(account, number) in &job.payments {
        let to = senders[(account + 1) % senders.len()].key.public_key();
        let key = &senders[account].key;
        let txn = transfer(key, number, to.address(), data, time, genesis)?;
        if !ids.is_empty() {
            json.push(b',');
        }
        serde_json::to_writer(&mut json, &SignedTxn::new(&txn))
            .expect("writing text and numbers to memory cannot fail");
        ids.push(txn.id(genesis));
        bytes += encode(&txn).len();
    }
    json.push(b']');
    let array = SignedArray {
        first: job.first,
        count: ids.len(),
        json: json.into(),
    };
    Ok((array, ids, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccoin_core::transaction::{Transaction, VerifiedTransaction};
    use ccoin_core::{Address, Amount};
    use ccoin_crypto::{PublicKey, Signature, Verifier};
    use serde::Deserialize;
    use std::collections::HashMap;
    use std::time::UNIX_EPOCH;

    const GENESIS: BlockId = BlockId::new([7; 32]);

    /// A transaction as a node reads it.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Received {
        number: AccountNonce,
        public_key: String,
        to: Address,
        amount: Amount,
        data: String,
        time: String,
        signature: Signature,
    }

    impl Received {
        fn into_transaction(self) -> Transaction {
            let time = humantime::parse_rfc3339(&self.time).unwrap();
            assert_eq!(self.time.len(), "2018-04-07T11:46:59.336Z".len());
            let millis = time.duration_since(UNIX_EPOCH).unwrap().as_millis();
            Transaction {
                number: self.number,
                from: PublicKey::from_text(&self.public_key).unwrap(),
                to: self.to,
                amount: self.amount,
                data: self.data,
                time: Timestamp::new(millis.try_into().unwrap()).unwrap(),
                signature: self.signature,
            }
        }
    }

    fn senders(count: usize) -> Vec<Sender> {
        let next = AccountNonce::new(5).unwrap();
        (0..count)
            .map(|_| Sender {
                key: SecretKey::generate(2048).unwrap(),
                next,
            })
            .collect()
    }

    #[test]
    fn signing_is_announced_when_it_takes_a_while() {
        let said = announcement(Duration::from_millis(8), 100_000, 2).unwrap();
        assert!(
            said.starts_with("signing 100000 transfers takes about 20 s"),
            "{said}"
        );
        assert_eq!(announcement(Duration::from_millis(8), 9_000, 2), None);
    }

    #[test]
    fn a_node_can_read_and_verify_every_body() {
        let mut senders = senders(3);
        let size = Size {
            transfers: 23,
            array: 4,
            lanes: 2,
            data_bytes: 9,
        };
        let plan = Plan::sign(&mut senders, &GENESIS, size).unwrap();
        assert_eq!(plan.ids.len(), 23);
        let mut verifier = Verifier::new(8);
        let mut bytes = 0;
        let mut numbers: HashMap<Address, u64> = HashMap::new();
        let mut lane_of: HashMap<Address, usize> = HashMap::new();
        for (lane, array) in plan
            .lanes
            .iter()
            .enumerate()
            .flat_map(|(lane, arrays)| arrays.iter().map(move |array| (lane, array)))
        {
            let received: Vec<Received> = serde_json::from_slice(&array.json).unwrap();
            assert_eq!(received.len(), array.count);
            for (position, received) in received.into_iter().enumerate() {
                let txn = received.into_transaction();
                bytes += encode(&txn).len();
                let sender = txn.from.address();
                assert_eq!(
                    txn.number.get(),
                    *numbers.entry(sender).and_modify(|n| *n += 1).or_insert(5)
                );
                assert_eq!(*lane_of.entry(sender).or_insert(lane), lane);
                assert_ne!(txn.to, sender);
                assert_eq!(txn.data.len(), 9);
                let txn = VerifiedTransaction::verify(txn, &GENESIS, 9, &mut verifier).unwrap();
                assert_eq!(*txn.id(), plan.ids[array.first + position]);
            }
        }
        assert_eq!(bytes, plan.encoded_bytes);
        let sent: u64 = senders.iter().map(|sender| sender.next.get() - 5).sum();
        assert_eq!(sent, 23);
    }
}
