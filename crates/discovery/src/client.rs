//! A node's side of the service: registers the node and asks for others. Each request
//! has its own connection; what is read is bounded, and so is the time.

use crate::{Command, Member, Record};
use ccoin_core::{Address, BlockId};
use ccoin_http::{Bytes, ClientLimits, Connection, RequestError};
use serde::{
    Deserializer as _,
    de::{SeqAccess, Visitor},
};
use serde_json::{json, value::RawValue};
use std::{fmt, time::Duration};

/// Longest answer that is read.
pub(crate) const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Nodes that are taken from one answer: more than a node connects to.
const MAX_MEMBERS: usize = 1_000;

const LIMITS: ClientLimits = ClientLimits {
    timeout: Duration::from_secs(5),
    answer_bytes: MAX_ANSWER_BYTES,
};

/// Why a request to the service failed. `server` is `host:port`.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages name the fields")]
pub enum ClientError {
    /// There is no whole answer.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The status is not 200.
    #[error("{server} refused it: {status} {detail}")]
    Refused {
        server: String,
        status: u16,
        detail: String,
    },
    /// The status is 200, but the body is not the answer to this command.
    #[error("the answer of {server} is not {expected}")]
    Answer {
        server: String,
        expected: &'static str,
    },
}

/// A client of one discovery service.
#[derive(Clone, Debug)]
pub struct DiscoveryClient {
    host: String,
    port: u16,
}

impl DiscoveryClient {
    /// Connects at each request.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        let host = host.into();
        Self { host, port }
    }

    /// Adds a node to the list, or keeps it there; `record` is of [`Record::add`].
    ///
    /// # Errors
    /// [`ClientError`] if the service has not confirmed it.
    pub async fn add(&self, record: &Record) -> Result<(), ClientError> {
        self.tell(&json!({"command": Command::Add.word(), "peer": record}))
            .await
    }

    /// Removes a node from the list; `record` is of [`Record::remove`].
    ///
    /// # Errors
    /// [`ClientError`] if the service has not confirmed it.
    pub async fn remove(&self, record: &Record) -> Result<(), ClientError> {
        self.tell(&json!({
            "command": Command::Remove.word(), "peer_id": record.id, "ip": record.ip,
            "port": record.port, "network_id": record.network_id,
            "genesis_id": record.genesis_id, "time": record.time,
            "public_key": record.public_key, "signature": record.signature,
        }))
        .await
    }

    /// The nodes of a network, `None`: of any; at most 1,000, those of `prefer` first. Entries
    /// without a usable address are left out.
    ///
    /// # Errors
    /// [`ClientError`] if there is no list.
    pub async fn get_all(
        &self,
        network_id: Option<u32>,
        genesis_id: Option<BlockId>,
        prefer: &[Address],
    ) -> Result<Vec<Member>, ClientError> {
        // Absent and null are the same.
        let question = json!({
            "command": "get_all", "network_id": network_id, "genesis_id": genesis_id,
            "prefer": prefer,
        });
        let mut connection = self.connection();
        let answer = ask(&mut connection, question.to_string()).await?;
        let mut json = serde_json::Deserializer::from_slice(&answer);
        let members = json.deserialize_seq(Members).and_then(|members| {
            json.end()?;
            Ok(members)
        });
        members.map_err(|_| ClientError::Answer {
            server: connection.server(),
            expected: "a list of nodes",
        })
    }

    async fn tell(&self, command: &serde_json::Value) -> Result<(), ClientError> {
        let mut connection = self.connection();
        let answer = ask(&mut connection, command.to_string()).await?;
        if answer.trim_ascii() == b"true" {
            return Ok(());
        }
        Err(ClientError::Answer {
            server: connection.server(),
            expected: "true",
        })
    }

    fn connection(&self) -> Connection {
        Connection::new(self.host.clone(), self.port, LIMITS)
    }
}

/// The body of an answer with status 200.
async fn ask(connection: &mut Connection, body: String) -> Result<Bytes, ClientError> {
    let answer = connection.post("/", &body.into()).await?;
    if answer.status == 200 {
        return Ok(answer.body);
    }
    let refusal = answer.refusal();
    Err(ClientError::Refused {
        server: connection.server(),
        status: refusal.status,
        detail: refusal.detail,
    })
}

/// Reads an array of members without trusting any of them.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<Member>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of nodes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(text) = list.next_element::<&RawValue>()? {
            let member = serde_json::from_str::<Member>(text.get());
            let usable = |member: &Member| member.port != 0 && !member.ip.is_unspecified();
            let room = members.len() < MAX_MEMBERS;
            members.extend(member.ok().filter(|member| room && usable(member)));
        }
        Ok(members)
    }
}
