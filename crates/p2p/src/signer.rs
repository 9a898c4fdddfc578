//! Signs and verifies handshakes. Any caller can make this node sign, so signatures for
//! callers are made one after another, at a bounded rate, and on blocking threads.
//! A caller beyond the rate waits; none is refused here.

use crate::{
    address_group::AddressGroup,
    limits::Limits,
    rate_limit::{KeyedRateLimit, RateLimit},
};
use ccoin_crypto::{
    Hash, KeySigner, PublicKey, SignError, Signature, SignatureError, Urgency, Verifier,
};
use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

/// Parsed keys kept; parsing one costs 4 us.
const KNOWN_KEYS: usize = 128;

/// This node's key, and the keys of peers.
pub(crate) struct Signer {
    key: Arc<dyn KeySigner>,
    verifier: Mutex<Verifier>,
    rate: RateLimit,
    rate_per_host: KeyedRateLimit<AddressGroup>,
    callers: Arc<Semaphore>,
}

/// Permission to make one signature now.
pub(crate) struct SigningPermit {
    key: Arc<dyn KeySigner>,
    caller: Option<OwnedSemaphorePermit>,
}

impl Signer {
    pub(crate) fn new(key: Arc<dyn KeySigner>, limits: &Limits) -> Self {
        Self {
            key,
            verifier: Mutex::new(Verifier::new(KNOWN_KEYS)),
            rate: RateLimit::per_second(limits.signatures_a_second),
            rate_per_host: KeyedRateLimit::per_second(limits.signatures_a_second_per_host),
            callers: Arc::new(Semaphore::new(1)),
        }
    }

    /// For a peer that this node has dialled: at once.
    pub(crate) fn permit(&self) -> SigningPermit {
        let key = Arc::clone(&self.key);
        let caller = None;
        SigningPermit { key, caller }
    }

    /// For a caller from this host, when its turn comes. A caller that gives up waiting uses
    /// no part of the shared rate.
    pub(crate) async fn permit_for(&self, host: IpAddr) -> SigningPermit {
        if let Some(group) = AddressGroup::of(host) {
            self.rate_per_host.wait(group).await;
        }
        // the semaphore is never closed
        let caller = Arc::clone(&self.callers).acquire_owned().await.ok();
        self.rate.wait().await;
        let key = Arc::clone(&self.key);
        SigningPermit { key, caller }
    }

    /// Checks a signature of another key.
    ///
    /// # Errors
    /// [`SignatureError`] if it is not by this key.
    pub(crate) fn verify(
        &self,
        key: &PublicKey,
        digest: &Hash,
        signature: &Signature,
    ) -> Result<(), SignatureError> {
        let mut verifier = self.verifier.lock().unwrap_or_else(PoisonError::into_inner);
        verifier.verify(key, digest, signature)
    }
}

impl SigningPermit {
    /// Signs on a blocking thread.
    ///
    /// # Errors
    /// [`SignError`] if the key does not sign, or the runtime ends.
    pub(crate) async fn sign(self, digest: Hash) -> Result<Signature, SignError> {
        let sign = spawn_blocking(move || {
            let signature = self.key.signature(&digest, Urgency::Low);
            // the next one begins only now, even if the caller has given up
            drop(self.caller);
            signature
        });
        sign.await
            .unwrap_or_else(|_| Err(SignError::Unavailable("the node is stopping".into())))
    }
}
