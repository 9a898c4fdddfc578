//! A node's side: says where the node is, and asks where the others are. One request
//! for each connection; what is read is bounded, and nothing is waited for for ever.

use crate::{Command, Member, Record};
use ccoin_core::BlockId;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Request,
    body::Bytes,
    client::conn::http1,
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use serde::{
    Deserialize, Deserializer as _,
    de::{SeqAccess, Visitor},
};
use serde_json::{json, value::RawValue};
use std::{fmt, io, time::Duration};
use tokio::net::TcpStream;

/// Longest answer that is read.
pub(crate) const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Nodes that are taken from one answer: more than anybody connects to.
const MAX_MEMBERS: usize = 1_000;

/// Longest time for a whole request, connecting included.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the discovery service did not do it.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error("cannot connect to {server}: {source}")]
    Connect {
        /// Host and port.
        server: String,
        /// What the system says.
        source: io::Error,
    },
    /// No whole answer in time.
    #[error("{server} did not answer within {} s", PATIENCE.as_secs())]
    TimedOut {
        /// Host and port.
        server: String,
    },
    /// The connection broke, or something else than HTTP came, or too much.
    #[error("the connection to {server} broke: {reason}")]
    Broken {
        /// Host and port.
        server: String,
        /// What the library says.
        reason: String,
    },
    /// An answer that is not 200.
    #[error("{server} refused it: {status} {detail}")]
    Refused {
        /// Host and port.
        server: String,
        /// HTTP status.
        status: u16,
        /// What the server says, in part.
        detail: String,
    },
    /// An answer that is not what was asked for.
    #[error("the answer of {server} is not understood: {reason}")]
    Answer {
        /// Host and port.
        server: String,
        /// What does not fit.
        reason: String,
    },
}

/// Asks one discovery service.
#[derive(Clone, Debug)]
pub struct DiscoveryClient {
    host: String,
    port: u16,
}

impl DiscoveryClient {
    /// The service on this host and port; connects when asked.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        let host = host.into();
        Self { host, port }
    }

    /// Lists a node, or keeps it listed; `record` is of [`Record::add`].
    ///
    /// # Errors
    /// [`ClientError`] if the service has not said that it did.
    pub async fn add(&self, record: &Record) -> Result<(), ClientError> {
        self.tell(&json!({"command": Command::Add.word(), "peer": record}))
            .await
    }

    /// Ends the listing of a node; `record` is of [`Record::remove`].
    ///
    /// # Errors
    /// [`ClientError`] if the service has not said that it did.
    pub async fn remove(&self, record: &Record) -> Result<(), ClientError> {
        self.tell(&json!({
            "command": Command::Remove.word(), "peer_id": record.id, "ip": record.ip,
            "port": record.port, "network_id": record.network_id,
            "genesis_id": record.genesis_id, "time": record.time,
            "public_key": record.public_key, "signature": record.signature,
        }))
        .await
    }

    /// The nodes of a network, `None`: of any; at most 1,000. What is no node that can
    /// be connected to is left out.
    ///
    /// # Errors
    /// [`ClientError`] if there is no list.
    pub async fn get_all(
        &self,
        network_id: Option<u32>,
        genesis_id: Option<BlockId>,
    ) -> Result<Vec<Member>, ClientError> {
        // Absent and null are the same.
        let question = json!({
            "command": "get_all", "network_id": network_id, "genesis_id": genesis_id,
        });
        let answer = self.ask(question.to_string()).await?;
        let mut json = serde_json::Deserializer::from_slice(&answer);
        let members = json.deserialize_seq(Members).and_then(|members| {
            json.end()?;
            Ok(members)
        });
        members.map_err(|error| self.not_understood(error.to_string()))
    }

    async fn tell(&self, what: &serde_json::Value) -> Result<(), ClientError> {
        let answer = self.ask(what.to_string()).await?;
        match serde_json::from_slice(&answer) {
            Ok(true) => Ok(()),
            _ => Err(self.not_understood("it is not true".to_owned())),
        }
    }

    async fn ask(&self, body: String) -> Result<Bytes, ClientError> {
        let asking = tokio::time::timeout(PATIENCE, self.exchange(body));
        asking.await.unwrap_or_else(|_| {
            Err(ClientError::TimedOut {
                server: self.server(),
            })
        })
    }

    async fn exchange(&self, body: String) -> Result<Bytes, ClientError> {
        let server = self.server();
        let broken = |error: &dyn fmt::Display| ClientError::Broken {
            server: server.clone(),
            reason: error.to_string(),
        };
        let request = Request::post("/")
            .header(HOST, server.as_str())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| broken(&error))?;
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await;
        let stream = stream.map_err(|source| ClientError::Connect {
            server: server.clone(),
            source,
        })?;
        let (mut open, driver) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| broken(&error))?;
        let answering = async move {
            let response = open.send_request(request).await?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES);
            let bytes = body.collect().await?.to_bytes();
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((status, bytes))
        };
        // Together, so that the connection ends with whoever stops waiting.
        let (answer, _) = tokio::join!(answering, driver);
        let (status, bytes) = answer.map_err(|error| broken(&error))?;
        if status == 200 {
            return Ok(bytes);
        }
        Err(ClientError::Refused {
            server,
            status,
            detail: detail(&bytes),
        })
    }

    /// Host and port as in a URL.
    fn server(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    fn not_understood(&self, reason: String) -> ClientError {
        ClientError::Answer {
            server: self.server(),
            reason,
        }
    }
}

/// The detail of a problem, or the start of another text, on one line.
fn detail(bytes: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Problem {
        detail: String,
    }
    let text = match serde_json::from_slice::<Problem>(bytes) {
        Ok(problem) => problem.detail,
        Err(_) => String::from_utf8_lossy(bytes).into_owned(),
    };
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(200).collect()
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
