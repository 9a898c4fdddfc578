//! Asks the node at a place to prove its address, as far as `ACK`, and hangs up: a discovery
//! service prefers records that it has seen proven. It joins no network and takes no seat.

use crate::{
    handshake_error::HandshakeError, link::Link, scope::may_name, shared::agent, tls::Tls,
};
use ccoin_core::{
    Address, BlockId, Hash, Height, Timestamp,
    message::{
        Acknowledgement, ByeReason, Hello, Message, NodeType, PROTOCOL, acknowledgement_digest,
    },
};
use ccoin_crypto::{SecretKey, Verifier, random_bytes};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

/// How long a place may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whose place is asked for, and who has named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPlace {
    /// The address to be proven.
    pub address: Address,
    /// IP address or name.
    pub host: String,
    /// TCP port for peers.
    pub port: u16,
    /// The party that names the place: no host closer to this one than itself is dialled.
    pub named_by: IpAddr,
}

/// The side that asks, with a key of its own.
pub struct Probe {
    tls: Tls,
    key: SecretKey,
    agent: String,
    clock: fn() -> Timestamp,
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Probe({})", self.agent)
    }
}

impl Probe {
    /// `key` is no account's; `agent` stands in the log of those that are asked.
    #[must_use]
    pub fn new(key: SecretKey, agent_text: &str, clock: fn() -> Timestamp) -> Self {
        Self {
            tls: Tls::new(),
            key,
            agent: agent(agent_text),
            clock,
        }
    }

    /// Whether the place answers within five seconds and with that address.
    pub async fn prove(&self, place: &NamedPlace) -> bool {
        let asked = timeout(PATIENCE, self.ask(place)).await;
        let NamedPlace { host, port, .. } = place;
        match asked {
            Ok(Ok(address)) => address == place.address,
            Ok(Err(error)) => {
                tracing::debug!("{host}:{port} is not proven: {error}");
                false
            }
            Err(_) => false,
        }
    }

    async fn ask(&self, place: &NamedPlace) -> Result<Address, HandshakeError> {
        let stream = connect(place).await?;
        let mut link = Link::connect(&self.tls, stream).await?;
        let public_key = self.key.public_key().clone();
        let mine = Hello {
            version: PROTOCOL,
            agent: self.agent.clone(),
            network_id: 0,
            genesis_id: BlockId::ZERO,
            address: public_key.address(),
            public_key,
            node_type: NodeType::Basic,
            listen_port: 0,
            place: String::new(),
            height: Height::ZERO,
            final_number: Height::ZERO,
            clock: (self.clock)(),
            challenge: Hash::new(random_bytes()),
        };
        link.say(&Message::Hey(mine.clone())).await?;
        let Message::Ack(Acknowledgement { hello, signature }) = link.hear().await? else {
            return Err(HandshakeError::Malformed("no ACK".into()));
        };
        let digest = acknowledgement_digest(&link.binding, &mine, &hello);
        let mut verifier = Verifier::new(1);
        let proven = verifier.verify(&hello.public_key, &digest, &signature);
        proven.map_err(|_| HandshakeError::Unproven(hello.address))?;
        link.refuse(ByeReason::Stopping, "only the address was asked for")
            .await;
        Ok(hello.address)
    }
}

/// A connection to one of the addresses of the host that may be dialled for the party that
/// names it.
async fn connect(place: &NamedPlace) -> io::Result<TcpStream> {
    let found = lookup_host((place.host.as_str(), place.port)).await?;
    let allowed = |at: &SocketAddr| may_name(place.named_by, &at.ip().to_string(), true);
    let found: Vec<SocketAddr> = found.filter(allowed).collect();
    if found.is_empty() {
        return Err(io::Error::other("no address that its namer may name"));
    }
    TcpStream::connect(found.as_slice()).await
}
