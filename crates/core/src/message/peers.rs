//! What nodes tell each other about further nodes.

use ccoin_crypto::Address;
use serde::{Deserialize, Serialize};

/// Most peers of one message.
pub const MAX_SHARED_PEERS: usize = 100;

/// Bytes of the longest host name (RFC 1035, 2.3.4).
const MAX_HOST: usize = 253;

/// Where a node listens, as a peer claims; it is not proven.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PeerAddress {
    /// Address of its account.
    pub address: Address,
    /// Host name or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl PeerAddress {
    /// What makes it unfit to be sent; `None` if nothing does.
    #[must_use]
    pub fn out_of_range(&self) -> Option<String> {
        let length = self.host.len();
        if length == 0 || length > MAX_HOST {
            return Some(format!(
                "host of {length} bytes, 1 to {MAX_HOST} are allowed"
            ));
        }
        let odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '_'));
        if self.host.contains(odd) {
            return Some("host with characters that no host name has".into());
        }
        (self.port == 0).then(|| "port 0".into())
    }
}
