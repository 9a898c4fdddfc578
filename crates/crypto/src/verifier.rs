//! The one rule for signatures: RSASSA-PSS with SHA-256, MGF1-SHA-256 and a salt
//! of 32 bytes (RFC 8017, 8.1.2), one spelling per signature. Never signs.

#[cfg(not(target_family = "wasm"))]
use crate::lanes::{LaneFault, LaneKey, Lanes, SpotCheck, settle};
#[cfg(not(target_family = "wasm"))]
use crate::pss::PssKey;
#[cfg(target_family = "wasm")]
use crate::pss_portable::PssKey;
use crate::{
    Claim, Hash, KeyError, PublicKey, SigStructure, Signature, SignatureError, claim::check_range,
};
use lru::LruCache;
use std::{fmt, num::NonZeroUsize, sync::Arc};

/// A key as the libraries hold it.
pub(crate) struct KnownKey {
    pub(crate) key: PublicKey,
    parsed: PssKey,
    /// Computed when it is first among many.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) lane: std::sync::OnceLock<LaneKey>,
}

/// Verifies signatures and remembers parsed keys; one per thread.
pub struct Verifier {
    /// By DER; only keys that have made a good signature, so that junk evicts no key.
    known: LruCache<Arc<[u8]>, Arc<KnownKey>>,
    #[cfg(not(target_family = "wasm"))]
    pub(crate) lanes: Lanes,
    #[cfg(not(target_family = "wasm"))]
    spot_check: SpotCheck,
    #[cfg(not(target_family = "wasm"))]
    fault: Option<LaneFault>,
}

impl Verifier {
    /// Remembers the `capacity` keys used last (at least one; about 3 KiB each) and checks
    /// every signature alone.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            known: LruCache::new(NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN)),
            #[cfg(not(target_family = "wasm"))]
            lanes: Lanes::off(),
            #[cfg(not(target_family = "wasm"))]
            spot_check: SpotCheck::new(),
            #[cfg(not(target_family = "wasm"))]
            fault: None,
        }
    }

    /// [`new`](Self::new) with lanes for [`verify_many`](Self::verify_many). Its owner looks
    /// at [`lane_fault`](Self::lane_fault) after each use.
    #[cfg(not(target_family = "wasm"))]
    #[must_use]
    pub fn with_lanes(capacity: usize, lanes: Lanes) -> Self {
        Self {
            lanes,
            ..Self::new(capacity)
        }
    }

    /// What the lanes have accepted wrongly. Verdicts given before may be wrong then, later
    /// ones are not: the lanes are off from then on.
    #[cfg(not(target_family = "wasm"))]
    #[must_use]
    pub fn lane_fault(&self) -> Option<&LaneFault> {
        self.fault.as_ref()
    }

    /// The key with this DER, without checking it again if it is remembered.
    ///
    /// # Errors
    /// [`KeyError`] as of [`PublicKey::from_der`].
    pub fn intern(&mut self, der: &[u8]) -> Result<PublicKey, KeyError> {
        match self.known.get(der) {
            Some(known) => Ok(known.key.clone()),
            None => PublicKey::from_der(der),
        }
    }

    /// Checks that `signature` is `key`'s over `message`, which PSS hashes once more.
    ///
    /// # Errors
    /// [`SignatureError`] if it is not.
    pub fn verify(
        &mut self,
        key: &PublicKey,
        message: &Hash,
        signature: &Signature,
    ) -> Result<(), SignatureError> {
        self.judge(&Claim {
            key,
            message: *message,
            signature,
        })
    }

    /// Checks that `signature` is `key`'s over a message of COSE (PS256 with this rule's salt).
    ///
    /// # Errors
    /// [`SignatureError`] if it is not.
    pub fn verify_cose(
        &mut self,
        key: &PublicKey,
        message: SigStructure<'_>,
        signature: &Signature,
    ) -> Result<(), SignatureError> {
        self.judge_bytes(key, message.as_bytes(), signature)
    }

    /// The verdicts of [`verify`](Self::verify) on many signatures, in their order. With lanes
    /// it takes about a fifth of the time for RSA-2048 signatures.
    #[must_use]
    #[cfg(not(target_family = "wasm"))]
    pub fn verify_many(&mut self, claims: &[Claim<'_>]) -> Vec<Result<(), SignatureError>> {
        let accepted = self.ask_lanes(claims);
        let mut spot_check = std::mem::replace(&mut self.spot_check, SpotCheck::new());
        let library = |index: usize| self.judge(&claims[index]);
        let (verdicts, wrong) = settle(&accepted, || spot_check.chooses(), library);
        self.spot_check = spot_check;
        if let Some(index) = wrong
            && let Err(library) = &verdicts[index]
        {
            self.fault = Some(LaneFault::new(&claims[index], library.clone()));
            self.lanes = Lanes::off();
        }
        verdicts
    }

    /// The verdicts of [`verify`](Self::verify) on many signatures, in their order.
    #[must_use]
    #[cfg(target_family = "wasm")]
    pub fn verify_many(&mut self, claims: &[Claim<'_>]) -> Vec<Result<(), SignatureError>> {
        claims.iter().map(|claim| self.judge(claim)).collect()
    }

    /// The verdict of the library, whose word counts.
    fn judge(&mut self, claim: &Claim<'_>) -> Result<(), SignatureError> {
        self.judge_bytes(claim.key, claim.message.as_bytes(), claim.signature)
    }

    fn judge_bytes(
        &mut self,
        key: &PublicKey,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), SignatureError> {
        check_range(key, signature)?;
        let known = self.find_or_read(key)?;
        known.parsed.verify(message, signature.as_bytes())?;
        self.remember(&known);
        Ok(())
    }

    /// A key, remembered or not.
    pub(crate) fn find_or_read(
        &mut self,
        key: &PublicKey,
    ) -> Result<Arc<KnownKey>, SignatureError> {
        if let Some(known) = self.known.get(key.as_der()) {
            return Ok(Arc::clone(known));
        }
        Ok(Arc::new(KnownKey {
            key: key.clone(),
            parsed: PssKey::new(key)?,
            #[cfg(not(target_family = "wasm"))]
            lane: std::sync::OnceLock::new(),
        }))
    }

    /// Keeps a key that has made a good signature.
    pub(crate) fn remember(&mut self, known: &Arc<KnownKey>) {
        if !self.known.contains(known.key.as_der()) {
            let der = Arc::clone(known.key.shared_der());
            self.known.put(der, Arc::clone(known));
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Verifier({} of {} keys)",
            self.known.len(),
            self.known.cap()
        )
    }
}
