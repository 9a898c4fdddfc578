//! The kinds of problems that only this service has, and which refusal is which.

use crate::{RecordError, RegistryError, service::RefusedError};
use ccoin_http::{Kind, Problem};

/// Seconds after which a full registry may have room: the life of a record.
const RETRY_AFTER_SECONDS: u32 = 90;

pub(super) const UNSIGNED: Kind = Kind(403, "unsigned");
const FOREIGN: Kind = Kind(403, "foreign");
const BAD_SIGNATURE: Kind = Kind(403, "bad-signature");
const STALE: Kind = Kind(409, "stale");
const CLOCK: Kind = Kind(422, "clock");
const TOO_MANY_RECORDS: Kind = Kind(429, "too-many-records");
const REGISTRY_FULL: Kind = Kind(503, "registry-full");

impl From<RefusedError> for Problem {
    fn from(error: RefusedError) -> Self {
        let detail = error.to_string();
        match error {
            RefusedError::Record(RecordError::Foreign { id, owner }) => Self::new(FOREIGN, detail)
                .values(id, owner)
                .hint("id is the first 20 bytes of SHA-256 over the DER of the public key"),
            RefusedError::Record(RecordError::Signature(_)) => {
                Self::new(BAD_SIGNATURE, detail).hint(
                    "sign the SHA-256 of \"ccoin/1/dsc\" and the encoding of the command and its fields",
                )
            }
            RefusedError::Record(RecordError::Host(_) | RecordError::Port) => {
                Self::bad_field(detail)
            }
            RefusedError::Registry(RegistryError::Clock { got, now }) => Self::new(CLOCK, detail)
                .values(got, now)
                .hint("set the clock of your machine"),
            RefusedError::Registry(RegistryError::Stale { .. }) => {
                Self::new(STALE, detail).hint("sign a record with the current time")
            }
            RefusedError::Registry(RegistryError::CallerFull | RegistryError::BlockFull) => {
                Self::new(TOO_MANY_RECORDS, detail).retry_after(RETRY_AFTER_SECONDS)
            }
            RefusedError::Registry(RegistryError::Full) => {
                Self::new(REGISTRY_FULL, detail).retry_after(RETRY_AFTER_SECONDS)
            }
        }
    }
}
