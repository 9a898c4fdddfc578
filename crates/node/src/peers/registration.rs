//! The node and its discovery service: it says where it is and asks where others are,
//! again and again. When the service is down, nothing changes for those who know each
//! other.

use crate::clock;
use ccoin_core::{BlockId, message::PeerAddress};
use ccoin_crypto::SecretKey;
use ccoin_discovery::{Claim, ClientError, DiscoveryClient, Record};
use ccoin_p2p::Network;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

/// Records live three times as long.
const RENEWAL: Duration = Duration::from_secs(30);

/// While nobody is connected, the service is asked this often.
const LONELY: Duration = Duration::from_secs(2);

/// Longest time that taking leave may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// What is registered.
pub(super) struct Registration {
    pub(super) client: DiscoveryClient,
    pub(super) key: Arc<SecretKey>,
    /// `None` without a chain: then only others are looked for.
    pub(super) claim: Option<Claim>,
    /// The network whose members are wanted.
    pub(super) genesis: Option<BlockId>,
    pub(super) network: Network,
}

/// A registration that is renewed until it is ended.
pub(crate) struct Registered {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Registered {
    /// Takes the record back, if the service answers soon.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        let _ = timeout(FAREWELL, self.task).await;
    }
}

impl Registration {
    /// Starts the task that renews it; must be called inside a tokio runtime.
    pub(super) fn keep(self) -> Registered {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            stopped.run_until_cancelled(self.renew()).await;
            self.remove().await;
        });
        Registered { stop, task }
    }

    async fn renew(&self) {
        let mut up = true;
        let count = self.network.count();
        let mut listed = None;
        loop {
            let due = listed.is_none_or(|at: Instant| at.elapsed() >= RENEWAL);
            match self.once(due).await {
                Ok(()) => {
                    if due {
                        listed = Some(Instant::now());
                    }
                    if !up {
                        tracing::info!("the discovery service answers again");
                    }
                    up = true;
                }
                Err(error) if up => {
                    up = false;
                    tracing::warn!("{error}; going on without the discovery service");
                }
                Err(_) => {}
            }
            let alone = *count.borrow() == 0;
            tokio::time::sleep(if alone { LONELY } else { RENEWAL }).await;
        }
    }

    /// Others first: whoever is not listed, because its clock is wrong, may still call.
    async fn once(&self, due: bool) -> Result<(), ClientError> {
        let own = self.key.public_key().address();
        let members = self.client.get_all(None, self.genesis).await?;
        let others = members.into_iter().filter(|member| member.id != own);
        let places = others.map(|member| PeerAddress {
            address: member.id,
            host: member.ip.to_string(),
            port: member.port,
        });
        self.network.suggest(places.collect());
        match self.claim.clone().filter(|_| due) {
            Some(claim) => match Record::add(claim, clock::now(), &self.key) {
                Ok(record) => self.client.add(&record).await,
                Err(error) => panic!("this node's key does not sign any more: {error}"),
            },
            None => Ok(()),
        }
    }

    async fn remove(&self) {
        let Some(claim) = &self.claim else { return };
        let record = Record::remove(claim.network_id, claim.genesis_id, clock::now(), &self.key);
        if let Ok(record) = record {
            // The record expires by itself.
            let _ = self.client.remove(&record).await;
        }
    }
}
