//! `ccoin bench --keys`: asks the node for its settings, signs, sends, follows, counts.

use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ccoin_core::genesis_config::GenesisConfig;
use ccoin_home::{ExitCode, Failure};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::inclusions::follow;
use super::keys;
use super::measured::{Measured, Span};
use super::pace::Pace;
use super::plan::{Plan, Sender, Size};
use super::process::{disk_use, usage};
use super::report::{Conditions, Report};
use super::senders::{Flight, Sent, send_lane};
use crate::blocks::BlockFollower;
use crate::{AccountAnswer, Connection, GenesisAnswer, NodeUrl};

/// Transfers of the warm-up that tells how many are needed: the second number for a node
/// that has done the first within [`SOON`], because that measures latency and no rate.
const WARM_UPS: [usize; 2] = [2_000, 20_000];

/// See [`WARM_UPS`].
const SOON: f64 = 1.0;

/// Fewest transfers of a closed loop.
const LEAST: usize = WARM_UPS[0];

/// Most transfers: about 1 KiB of memory each.
pub(super) const MOST: usize = 4_000_000;

/// Longest body of `POST /v1/txns`, in bytes.
const MAX_BODY: usize = 4 << 20;

/// Bytes of a transfer as JSON beside its data, at most.
const JSON_OVERHEAD: usize = 1_200;

/// Longest time without a block that takes a transfer, and after the last submission.
const PATIENCE: Duration = Duration::from_secs(30);

/// The durability that a node promises by its answers, for the report.
const DURABILITY: &str = "accepted = on disk in the queue, included = block on disk";

/// A measurement.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub struct BenchRun {
    /// Directory of the bench keys.
    pub keys: PathBuf,
    pub url: NodeUrl,
    /// Process of the node, if it is on this host.
    pub pid: Option<u32>,
    /// Directory of the node's chain, if it is on this host.
    pub chain: Option<PathBuf>,
    /// Least length of the measurement in seconds.
    pub seconds: u32,
    /// Transfers; `None`: as many as `seconds` needs, found by a warm-up.
    pub transfers: Option<usize>,
    /// Transfers per second of an open loop; `None`: closed loop.
    pub rate: Option<u32>,
    pub connections: usize,
    /// Transfers per array; `None`: 500, or what is due in 10 ms.
    pub array: Option<usize>,
    /// Most transfers that are sent and not yet in a block.
    pub in_flight: usize,
    /// Bytes of data in each transfer.
    pub data_bytes: usize,
}

/// Measures a node.
///
/// # Errors
/// [`Failure`] 1 if a transfer was refused or not included, 5 if the node does not
/// answer, 3 for unusable keys, 2 for options that do not fit together.
pub fn run(bench: &BenchRun) -> Result<Report, Failure> {
    crate::runtime()?.block_on(measure(bench, PATIENCE))
}

async fn measure(bench: &BenchRun, patience: Duration) -> Result<Report, Failure> {
    let pace = bench.rate.map_or(Pace::Closed, Pace::Open);
    let array = bench.array.unwrap_or_else(|| pace.array());
    check(bench, array)?;
    let mut connection = Connection::new(bench.url.clone());
    let status = connection.status().await?;
    let genesis: GenesisAnswer = connection.get("/v1/blocks/1").await?;
    let config = GenesisConfig::from_canonical_json(&genesis.data).map_err(|error| {
        let message = format!("block 1 of the node holds no configuration: {error}");
        Failure::new(ExitCode::Unexpected, message)
    })?;
    let mut senders = Vec::new();
    for key in keys::load(&bench.keys)? {
        let path = format!("/v1/accounts/{}", key.public_key().address());
        let account: AccountAnswer = connection.get(&path).await?;
        let next = account.next_number;
        senders.push(Sender { key, next });
    }
    let mut size = Size {
        transfers: 0,
        array,
        lanes: bench.connections.clamp(1, senders.len()),
        data_bytes: bench.data_bytes,
    };
    size.transfers = match (bench.transfers, bench.rate) {
        (Some(transfers), _) => transfers,
        (None, Some(rate)) => (rate as usize)
            .saturating_mul(bench.seconds as usize)
            .min(MOST),
        (None, None) => {
            let mut rate = 0.0;
            for transfers in WARM_UPS {
                size.transfers = transfers;
                let plan = Plan::sign(&mut senders, &status.genesis_id, size)?;
                rate = send(bench, pace, patience, plan).await?.rate();
                if transfers as f64 > rate * SOON {
                    break;
                }
            }
            needed(rate, bench.seconds)
        }
    };
    let accounts = senders.len();
    let plan = Plan::sign(&mut senders, &status.genesis_id, size)?;
    drop(senders);
    let measured = send(bench, pace, patience, plan).await?;
    Ok(measured.report(Conditions {
        node: bench.url.to_string(),
        version: status.version,
        validators: config.miners.len(),
        slot_ms: config.consensus.slot_ms,
        min_gap_ms: config.consensus.min_gap_ms,
        min_bound: config.block_mining.min_bound,
        max_bound: config.block_mining.max_bound,
        difficulty: config.block_mining.difficulty,
        accounts,
        connections: size.lanes,
        array,
        rate: bench.rate,
        in_flight: bench.in_flight,
        encoded_size: measured.encoded_bytes as f64 / measured.count().max(1) as f64,
        durability: DURABILITY,
    }))
}

/// A tenth more than the warm-up says: it was short and the caches were cold.
fn needed(warm_rate: f64, seconds: u32) -> usize {
    let transfers = (warm_rate * f64::from(seconds) * 1.1).ceil();
    // A float beyond the range of the integer becomes its end.
    (transfers as usize).clamp(LEAST, MOST)
}

fn check(bench: &BenchRun, array: usize) -> Result<(), Failure> {
    let refuse = |text: String| Err(Failure::new(ExitCode::Usage, text));
    let body = array.saturating_mul(JSON_OVERHEAD.saturating_add(bench.data_bytes));
    if body > MAX_BODY {
        return refuse(format!(
            "arrays of {array} transfers with {} bytes of data have about {body} bytes, \
             a node reads {MAX_BODY}",
            bench.data_bytes
        ));
    }
    if array > bench.in_flight {
        return refuse(format!(
            "arrays of {array} transfers do not fit into {} in flight",
            bench.in_flight
        ));
    }
    Ok(())
}

/// Sends a plan and follows it until everything is in a block.
async fn send(
    bench: &BenchRun,
    pace: Pace,
    patience: Duration,
    plan: Plan,
) -> Result<Measured, Failure> {
    let mut follower = BlockFollower::new(bench.url.clone());
    follower.poll(|_, _| ()).await?;
    let chain = bench.chain.as_deref();
    let disk = || chain.and_then(|chain| disk_use(chain).ok());
    let node = || bench.pid.and_then(usage);
    let own = || usage(std::process::id());
    let (disk_before, node_before, own_before) = (disk(), node(), own());
    let flight = Arc::new(Flight {
        ids: plan.ids,
        start: Instant::now(),
        pace,
        patience,
        places: Semaphore::new(bench.in_flight),
        accepted: AtomicUsize::new(0),
        all_sent: OnceLock::new(),
    });
    let mut lanes = JoinSet::new();
    for arrays in plan.lanes {
        let connection = Connection::new(bench.url.clone());
        lanes.spawn(send_lane(connection, arrays, Arc::clone(&flight)));
    }
    let following = follow(follower, Arc::clone(&flight));
    let (sent, seen) = tokio::try_join!(finish(lanes, &flight), following)?;
    Ok(Measured {
        sent,
        seen,
        encoded_bytes: plan.encoded_bytes,
        node: span(node_before, node()),
        generator: span(own_before, own()),
        disk: span(disk_before, disk()),
    })
}

fn span<T>(before: Option<T>, after: Option<T>) -> Option<Span<T>> {
    let (before, after) = before.zip(after)?;
    Some(Span { before, after })
}

/// Waits for all lanes.
async fn finish(
    mut lanes: JoinSet<Result<Vec<Sent>, Failure>>,
    flight: &Flight,
) -> Result<Vec<Sent>, Failure> {
    let mut sent = Vec::new();
    while let Some(lane) = lanes.join_next().await {
        sent.extend(lane.expect("lanes do not panic and are not aborted")?);
    }
    flight.all_sent.get_or_init(Instant::now);
    Ok(sent)
}

#[cfg(test)]
mod tests;
