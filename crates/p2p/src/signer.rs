//! Signs and verifies what handshakes prove. A stranger may make us sign, so strangers
//! get their signatures one after another, at a bounded rate, and not on the threads
//! that serve sockets. Whoever is over the rate waits; nobody is refused here.

use crate::{
    address_group::AddressGroup,
    limits::Limits,
    rate_limit::{KeyedRateLimit, RateLimit},
};
use ccoin_crypto::{Hash, KeyError, PublicKey, SecretKey, Signature, SignatureError, Verifier};
use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

/// Keys of peers that are remembered; parsing one again costs 4 us.
const KNOWN_KEYS: usize = 128;

/// Our key at work.
pub(crate) struct Signer {
    key: Arc<SecretKey>,
    verifier: Mutex<Verifier>,
    rate: RateLimit,
    rate_per_host: KeyedRateLimit<AddressGroup>,
    strangers: Arc<Semaphore>,
}

/// One signature that may be made now.
pub(crate) struct Turn {
    key: Arc<SecretKey>,
    stranger: Option<OwnedSemaphorePermit>,
}

impl Signer {
    /// With this key.
    pub(crate) fn new(key: Arc<SecretKey>, limits: &Limits) -> Self {
        Self {
            key,
            verifier: Mutex::new(Verifier::new(KNOWN_KEYS)),
            rate: RateLimit::per_second(limits.signatures_a_second),
            rate_per_host: KeyedRateLimit::per_second(limits.signatures_a_second_per_host),
            strangers: Arc::new(Semaphore::new(1)),
        }
    }

    /// For a peer that we have dialled: at once.
    pub(crate) fn turn(&self) -> Turn {
        let key = Arc::clone(&self.key);
        let stranger = None;
        Turn { key, stranger }
    }

    /// For somebody who called from this host: when its turn comes. Whoever gives up
    /// waiting has used nothing of what all share.
    pub(crate) async fn turn_of(&self, host: IpAddr) -> Turn {
        if let Some(group) = AddressGroup::of(host) {
            self.rate_per_host.wait(group).await;
        }
        // it is never closed
        let stranger = Arc::clone(&self.strangers).acquire_owned().await.ok();
        self.rate.wait().await;
        let key = Arc::clone(&self.key);
        Turn { key, stranger }
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

impl Turn {
    /// Signs on a thread where that may take its time.
    ///
    /// # Errors
    /// [`KeyError::Library`] if the key fails, or the runtime ends.
    pub(crate) async fn sign(self, digest: Hash) -> Result<Signature, KeyError> {
        let sign = spawn_blocking(move || {
            let signature = self.key.sign(&digest);
            // also if nobody waits for it any more, the next one begins only now
            drop(self.stranger);
            signature
        });
        sign.await
            .unwrap_or(Err(KeyError::Library { action: "sign" }))
    }
}
