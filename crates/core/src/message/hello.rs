//! The handshake: each side names itself and proves it with its account key, over both
//! hellos and the binding of the encrypted channel. A signature is worthless on any other
//! connection. No genesis id in the tags: it stands in the hellos.

use crate::{BlockId, Height, Timestamp, encoding::encode};
use ccoin_crypto::{Address, Hash, PublicKey, Signature, sha256};
use serde::{Deserialize, Serialize};

/// The version of this protocol.
pub const PROTOCOL: u8 = 2;

/// Bytes of the longest agent text.
const MAX_AGENT: usize = 64;

/// Bytes of the longest place: a host name of 253, a colon and a port.
const MAX_PLACE: usize = 259;

/// The role that a node claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum NodeType {
    /// Follows the chain.
    Basic,
    /// Makes blocks, if the genesis block lists its address.
    Validator,
}

impl From<NodeType> for u8 {
    fn from(node_type: NodeType) -> Self {
        match node_type {
            NodeType::Basic => 0,
            NodeType::Validator => 1,
        }
    }
}

impl TryFrom<u8> for NodeType {
    type Error = String;

    fn try_from(value: u8) -> Result<Self, String> {
        match value {
            0 => Ok(Self::Basic),
            1 => Ok(Self::Validator),
            other => Err(format!(
                "node type {other} is neither 0 (basic) nor 1 (validator)"
            )),
        }
    }
}

/// A node's identity and the heights of its chain; one array of thirteen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`].
    pub version: u8,
    /// Name and version of the program, for people; at most 64 bytes.
    pub agent: String,
    /// Of the genesis configuration, for people; 0 without a chain.
    pub network_id: u32,
    /// Zeros: it has no chain yet.
    pub genesis_id: BlockId,
    /// Address of `public_key`.
    pub address: Address,
    /// The key of the node's account.
    pub public_key: PublicKey,
    /// Its role.
    pub node_type: NodeType,
    /// The port at which it listens for peers; 0: it does not listen.
    pub listen_port: u16,
    /// `HOST:PORT`. In `HEY` the place that was dialled; in `ACK` the place at which the
    /// answering side is reached, or empty if it does not know.
    pub place: String,
    /// Number of its head; 0 without a chain.
    pub height: Height,
    /// Number of its newest final block; 0 without a chain.
    pub final_number: Height,
    /// Its clock.
    pub clock: Timestamp,
    /// 32 unpredictable bytes, made for this connection.
    pub challenge: Hash,
}

impl Hello {
    pub(super) fn out_of_range(&self) -> Option<String> {
        let got = self.agent.len();
        if got > MAX_AGENT {
            return Some(format!(
                "agent of {got} bytes, at most {MAX_AGENT} are allowed"
            ));
        }
        let got = self.place.len();
        if got > MAX_PLACE || !self.place.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Some(format!(
                "place of {got} bytes, at most {MAX_PLACE} printable ones are allowed"
            ));
        }
        (self.public_key.address() != self.address)
            .then(|| format!("address {} is not that of its key", self.address))
    }
}

/// The answer to a hello: the other hello and its signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Of the answering side.
    pub hello: Hello,
    /// Over [`acknowledgement_digest`].
    pub signature: Signature,
}

/// The digest that the answering side signs. `binding` is the 32-byte exporter of RFC 9266.
#[must_use]
pub fn acknowledgement_digest(binding: &Hash, first: &Hello, second: &Hello) -> Hash {
    let (first, second) = (encode(first), encode(second));
    sha256(&[b"ccoin/2/ack", binding.as_bytes(), &first, &second])
}

/// The digest that the dialling side signs.
#[must_use]
pub fn okay_digest(binding: &Hash, first: &Hello, second: &Hello) -> Hash {
    let (first, second) = (encode(first), encode(second));
    sha256(&[b"ccoin/2/oky", binding.as_bytes(), &first, &second])
}
