//! The node and its discovery service: it says where it is and asks where others are,
//! again and again. When the service is down, nothing changes for those who know each
//! other.

use crate::clock;
use ccoin_core::{Address, BlockId, message::PeerAddress};
use ccoin_crypto::{KeySigner, SignError};
use ccoin_discovery::{Claim, ClientError, DiscoveryClient, Record};
use ccoin_p2p::Network;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Records live three times as long.
const RENEWAL: Duration = Duration::from_secs(30);

/// After a failure: a record outlives two renewals that are lost and come late.
const RETRY: Duration = Duration::from_secs(5);

/// While no peer is connected, the service is asked this often.
const LONELY: Duration = Duration::from_secs(2);

/// Longest time that taking leave may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// What is registered.
pub(super) struct DiscoveryTask {
    pub(super) client: DiscoveryClient,
    pub(super) key: Arc<dyn KeySigner>,
    /// `None` without a chain: then only others are looked for.
    pub(super) claim: Option<Claim>,
    /// The network whose members are wanted.
    pub(super) genesis: Option<BlockId>,
    /// They are asked for first.
    pub(super) miners: Vec<Address>,
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

impl DiscoveryTask {
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
            let outcome = self.once(due).await;
            let pause = match &outcome {
                _ if *count.borrow() == 0 => LONELY,
                Ok(_) => RENEWAL,
                Err(_) => RETRY,
            };
            match outcome {
                Ok(added) => {
                    if added {
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
            tokio::time::sleep(pause).await;
        }
    }

    /// Others first: a node that is not listed, because its clock is wrong, may still dial. Adds
    /// the record if that is due, or if the service has lost it; `true`: it has been added.
    async fn once(&self, due: bool) -> Result<bool, ClientError> {
        let own = self.key.public_key().address();
        let members = self
            .client
            .get_all(None, self.genesis, &self.miners)
            .await?;
        let lost = members.iter().all(|member| member.id != own);
        let others = members.into_iter().filter(|member| member.id != own);
        let places = others.map(|member| PeerAddress {
            address: member.id,
            host: member.ip.to_string(),
            port: member.port,
        });
        self.network.suggest(places.collect());
        let Some(claim) = self.claim.clone().filter(|_| due || lost) else {
            return Ok(false);
        };
        let record = self.sign(move |key| Record::add(claim, clock::wall(), key));
        match record.await {
            Some(record) => self.client.add(&record).await.map(|()| true),
            // The signer has said why.
            None => Ok(false),
        }
    }

    async fn remove(&self) {
        let Some(claim) = &self.claim else { return };
        let (network, genesis) = (claim.network_id, claim.genesis_id);
        let record = self.sign(move |key| Record::remove(network, genesis, clock::wall(), key));
        if let Some(record) = record.await {
            // The record expires by itself.
            let _ = self.client.remove(&record).await;
        }
    }

    /// Signs a record beside the runtime; `None` while the signer does not sign.
    async fn sign(
        &self,
        make: impl FnOnce(&dyn KeySigner) -> Result<Record, SignError> + Send + 'static,
    ) -> Option<Record> {
        let key = Arc::clone(&self.key);
        match spawn_blocking(move || make(&*key)).await {
            Ok(Ok(record)) => Some(record),
            Ok(Err(SignError::Key(error))) => {
                panic!("this node's key does not sign any more: {error}")
            }
            Ok(Err(SignError::Unavailable(_))) | Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccoin_core::message::NodeType;
    use ccoin_crypto::SecretKey;
    use ccoin_discovery::{Registry, Service, router, serve};
    use ccoin_p2p::{ChainStatus, Limits, NetworkSetup};
    use std::net::SocketAddr;
    use tokio::{net::TcpListener, sync::watch};

    /// Less than a renewal takes, more than a retry.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// A service without records.
    struct Forgetful {
        stop: CancellationToken,
        serving: JoinHandle<()>,
    }

    impl Forgetful {
        async fn start(at: SocketAddr) -> (Self, SocketAddr) {
            let listener = TcpListener::bind(at).await.unwrap();
            let address = listener.local_addr().unwrap();
            let stop = CancellationToken::new();
            let router = router(Arc::new(Service::new(Registry::default(), clock::wall)));
            let serving = tokio::spawn(serve(listener, router, stop.clone()));
            (Self { stop, serving }, address)
        }

        async fn end(self) {
            self.stop.cancel();
            self.serving.await.unwrap();
        }
    }

    fn registration(key: &Arc<dyn KeySigner>, at: SocketAddr) -> DiscoveryTask {
        let (network, _) = Network::start(NetworkSetup {
            key: Arc::clone(key),
            node_type: NodeType::Basic,
            agent: "test".into(),
            clock: clock::wall,
            listener: None,
            advertise: None,
            local: watch::channel(ChainStatus::default()).1,
            wanted_genesis: None,
            configured: Vec::new(),
            miners: Vec::new(),
            remembered: Vec::new(),
            allow: watch::channel(Vec::new()).1,
            limits: Limits::default(),
        });
        DiscoveryTask {
            client: DiscoveryClient::new(at.ip().to_string(), at.port()),
            key: Arc::clone(key),
            claim: Some(Claim {
                ip: "10.0.0.1".into(),
                port: 4001,
                network_id: 7,
                genesis_id: BlockId::ZERO,
            }),
            genesis: None,
            miners: Vec::new(),
            network,
        }
    }

    async fn until_listed(client: &DiscoveryClient) {
        let listed = async {
            while client.get_all(None, None, &[]).await.unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, listed)
            .await
            .expect("a record");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_service_that_has_forgotten_the_node_hears_of_it_again() {
        let key: Arc<dyn KeySigner> = Arc::new(SecretKey::generate(2048).unwrap());
        let (first, at) = Forgetful::start(([127, 0, 0, 1], 0).into()).await;
        let registration = registration(&key, at);
        let client = registration.client.clone();
        let registered = registration.keep();
        until_listed(&client).await;
        first.end().await;
        let (second, _) = Forgetful::start(at).await;
        until_listed(&client).await;
        registered.end().await;
        assert!(client.get_all(None, None, &[]).await.unwrap().is_empty());
        second.end().await;
    }
}
