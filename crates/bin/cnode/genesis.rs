//! A node's way to block 1: the chain that is there, or a peer. It may wait for days, and
//! hears signals meanwhile.

use crate::{
    check::{Found, check_miner},
    service::{Process, log_change},
    signals::{self, SignalEvent},
};
use ccoin_core::{
    genesis::Genesis,
    sync::{Event, NodeState},
};
use ccoin_crypto::KeySigner;
use ccoin_home::Failure;
use std::sync::Arc;
use tokio::sync::watch;

impl Process<'_> {
    /// Block 1, of the chain here or of a peer that has one; `None` if the node is told to
    /// end before.
    pub(crate) async fn have_genesis(
        &mut self,
        found: &mut Found,
        key: &Arc<dyn KeySigner>,
        connected: watch::Sender<usize>,
    ) -> Result<Option<Genesis>, Failure> {
        if let Some(genesis) = found.genesis.take() {
            return Ok(Some(genesis));
        }
        tracing::warn!(
            "no chain in {}: waiting for a peer that offers one (initc founds a new network)",
            found.dir.root().display()
        );
        let joined = self.join(Arc::clone(key), connected).await;
        let settled = joined.and_then(|genesis| {
            if let Some(genesis) = &genesis {
                check_miner(genesis, self.options.node_type, &found.dir)?;
                found.chain.create(genesis)?;
                tracing::warn!("joined the network {} for good", genesis.id);
            }
            Ok(genesis)
        });
        if !matches!(settled, Ok(Some(_))) {
            log_change(NodeState::Genesis, Event::Stop);
        }
        settled
    }

    /// Waits for block 1; `None` if the node is told to end before.
    async fn join(
        &mut self,
        key: Arc<dyn KeySigner>,
        connected: watch::Sender<usize>,
    ) -> Result<Option<Genesis>, Failure> {
        // Working is another matter: --ready-file and /readyz wait for a chain.
        signals::tell_started(
            "no chain yet: waiting for a peer that offers one",
            &self.addresses,
        );
        let search = ccoin_node::fetch_genesis(&self.reload.links.setup, key, connected);
        tokio::pin!(search);
        loop {
            tokio::select! {
                biased;
                told = self.signals.next() => match told {
                    SignalEvent::Stop => return Ok(None),
                    SignalEvent::Reload => self.reload.now(),
                },
                found = &mut search => return Ok(Some(found?)),
            }
        }
    }
}
