//! How a node stops when the lanes of a verifier have accepted what the library refuses: the
//! chain thread, which waits for it among its events, ends with the fault.

use crate::chain_thread::{ChainHandle, Event};
use ccoin_crypto::{LaneFault, Lanes};

/// Lanes, and where their faults are told.
#[derive(Clone)]
pub(crate) struct WatchedLanes {
    pub(crate) lanes: Lanes,
    pub(crate) chain: ChainHandle,
}

impl WatchedLanes {
    /// Tells the chain thread, waiting for room. Called by the threads that verify, never on a
    /// runtime.
    pub(crate) fn report(&self, fault: &LaneFault) {
        tracing::error!("{fault}");
        let told = Event::Fault(Box::new(fault.clone()));
        // Without a chain thread the node is ending anyway.
        let _ = self.chain.events.blocking_send(told);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NodeError, receipts::tests::start};
    use ccoin_crypto::{Address, Hash, SignatureError};
    use std::time::Duration;
    use tokio::time::timeout;

    const DEADLINE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_fault_of_the_lanes_stops_the_node_and_is_its_ending() {
        let place = tempfile::tempdir().unwrap();
        let mut node = start(place.path());
        let watched = WatchedLanes {
            lanes: Lanes::detect(),
            chain: node.handle().chain.clone(),
        };
        let fault = LaneFault {
            key: Address::ZERO,
            message: Hash::ZERO,
            signature: "00ff".into(),
            library: SignatureError::Mismatch,
        };
        let told = fault.clone();
        let telling = tokio::task::spawn_blocking(move || watched.report(&told));
        telling.await.unwrap();
        timeout(DEADLINE, node.failed()).await.unwrap();
        let stopping = tokio::task::spawn_blocking(|| node.stop());
        let ending = timeout(DEADLINE, stopping).await.unwrap().unwrap();
        match ending {
            Err(NodeError::Lanes(found)) => assert_eq!(found, fault),
            other => panic!("{other:?}"),
        }
    }
}
